import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.packing import pack_table
from beam_seed.quality import cache
from beam_seed.quality.package import InputFormat

FORM = InputFormat("{language}\n", 100, 10)


def keys_of(rows, form=FORM, languages=None, paths=None):
    digests = [bytes([row]) * 32 for row in rows]
    return cache.wanted(3, list(rows), digests, languages or ["Python"] * len(rows), paths or ["a.py"] * len(rows), form)


def test_a_key_is_decided_by_content_and_prefix_alone():
    same = keys_of([1, 1, 2], paths=["a.py", "b.py", "a.py"])["key"].to_pylist()
    assert same[0] == same[1] != same[2]
    assert len(same[0]) == cache.KEY_BYTES
    assert keys_of([1], languages=["C"])["key"][0].as_py() != same[0]
    by_path = InputFormat("{path}\n", 100, 10)
    told = keys_of([1, 1], by_path, paths=["a.py", "b.py"])["key"].to_pylist()
    assert told[0] != told[1]


def test_prefix_and_digest_are_not_confused():
    form = InputFormat("{language}", 100, 10)
    assert cache.key_of(b"a" * 32, "bC", "p", form) != cache.key_of(b"a" * 31 + b"b", "C", "p", form)


def test_languages_and_paths_of_strangers_have_keys():
    assert len(cache.key_of(b"a" * 32, "", "caf\udce9.py", InputFormat("{path}", 100, 10))) == cache.KEY_BYTES


@given(st.lists(st.integers(0, 255), max_size=40), st.sets(st.integers(0, 255)), st.integers(1, 300))
def test_recall_finds_what_a_dictionary_finds(rows, known, partitions):
    wanted = cache.wanted(7, list(range(len(rows))), [bytes([row]) * 32 for row in rows], ["C"] * len(rows), ["p"] * len(rows), FORM)
    entries = {key.as_py(): np.float32(row / 255) for row, key in zip(rows, wanted["key"], strict=True) if row in known}
    table = pa.table([list(entries), list(entries.values())], schema=cache.KNOWN)
    asked, held = (dict(cache.divide(each, partitions)) for each in (wanted, table))
    assert sum(map(len, asked.values())) == len(rows)
    found: dict[int, float] = {}
    for partition, part in asked.items():
        for shard, rows_of in cache.recall([pack_table(part)], [pack_table(held[partition])] if partition in held else []):
            assert shard == 7
            found |= dict(zip(rows_of["row"].to_pylist(), rows_of["score"].to_pylist(), strict=True))
    assert found == {n: pytest.approx(row / 255) for n, row in enumerate(rows) if row in known}


def test_what_is_remembered_is_read_again(tmp_path):
    keys = [bytes([n]) * 16 for n in (3, 1, 2)]
    cache.remember(str(tmp_path), keys, [0.3, 0.1, 0.2])
    cache.remember(str(tmp_path), keys[::-1], [0.2, 0.1, 0.3])
    cache.remember(str(tmp_path), [], [])
    (path,) = cache.files(str(tmp_path))
    assert cache.read(path).to_pydict() == {"key": sorted(keys), "score": pytest.approx([0.1, 0.2, 0.3])}
    cache.remember(str(tmp_path), keys[:1], [0.3])
    assert len(cache.files(str(tmp_path))) == 2


def test_two_scores_of_one_key_are_one(tmp_path):
    wanted = keys_of([1])
    table = pa.table([wanted["key"].to_pylist() * 2, [0.5, 0.25]], schema=cache.KNOWN)
    ((_, found),) = cache.recall([pack_table(wanted)], [pack_table(table)])
    assert found.to_pylist() == [{"row": 1, "score": 0.25}]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "columns", "types"])
def test_a_damaged_file_knows_nothing(tmp_path, damage):
    cache.remember(str(tmp_path), [b"k" * 16], [0.5])
    (path,) = cache.files(str(tmp_path))
    whole = Path(path).read_bytes()
    if damage == "columns":
        pq.write_table(pa.table({"key": [b"k" * 16]}), path)
    elif damage == "types":
        pq.write_table(pa.table({"key": ["k"], "score": ["high"]}), path)
    else:
        Path(path).write_bytes({"cut": whole[:-20], "empty": b"", "text": b"no parquet" * 9}[damage])
    assert len(cache.read(path)) == 0


def test_a_folder_that_is_not_there_knows_nothing(tmp_path):
    assert cache.files(str(tmp_path / "none")) == []
    cache.remember(str(tmp_path / "a [b]"), [b"k" * 16], [0.5])
    assert len(cache.files(str(tmp_path / "a [b]"))) == 1
    shutil.rmtree(tmp_path / "a [b]")


def test_devices_have_folders_of_their_own():
    assert cache.folder("c", "f", True) != cache.folder("c", "f", False)
