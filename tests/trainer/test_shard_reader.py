import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import training_shards
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from beam_seed.shards.format import SEQUENCES
from beam_seed.shards.publish import read_manifest
from beam_seed.trainer import reader
from beam_seed.trainer.batches import NO_LABEL, Batches
from beam_seed.trainer.reader import Shards, chain

COUNT, LENGTH = 96, training_shards.LENGTH


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return training_shards.write_shards(tmp_path_factory.mktemp("made") / "shards", COUNT)


@pytest.fixture
def fresh(tmp_path) -> Path:
    return training_shards.write_shards(tmp_path / "shards", 20, per_shard=10)[0]


@pytest.fixture(scope="module")
def rows(made) -> list[dict]:
    """What pyarrow alone says."""
    return pa.concat_tables(pq.read_table(path) for path in sorted((made[0] / "shards").iterdir())).to_pylist()


@settings(max_examples=40, deadline=None)
@given(start=st.integers(0, 2 * COUNT), count=st.integers(0, 2 * COUNT))
def test_any_range_is_what_the_files_hold(made, rows, start, count):
    found = list(Shards(str(made[0])).read(start, start + count))
    expected = [rows[position % COUNT] for position in range(start, start + count)]
    assert [row.tobytes() for part in found for row in part.ids] == [row["id"] for row in expected]
    assert [row.tolist() for part in found for row in part.tokens] == [row["tokens"] for row in expected]
    lengths = [[piece["length"] for piece in row["pieces"]] for row in expected]
    assert [pieces.tolist() for part in found for pieces in part.pieces] == lengths


def test_only_the_row_groups_that_are_needed_are_read_and_each_once(made, monkeypatch):
    read, original = [], pq.ParquetFile.read_row_group

    def counted(file, group, **given):
        read.append(group)
        return original(file, group, **given)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    shards = Shards(str(made[0]))
    for start in range(70, 80):  # second file, from its row 30; seven rows a group; the third begins at 80
        list(shards.read(start, start + 1))
    assert read == [4, 5]


def parts(folder, start, batch, ranks, stop=COUNT):
    """The steps, each put together from its ranks' parts."""
    every = [list(Batches(str(folder), start, stop, batch, rank, ranks)) for rank in range(ranks)]
    return [[each.tobytes() for part in step for each in part.ids.numpy()] for step in zip(*every, strict=True)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, COUNT + 9), st.sampled_from([(4, 1), (4, 2), (12, 3), (16, 4), (128, 2)]))
def test_every_sequence_is_in_one_part_of_one_step_whatever_the_ranks(made, start, shape):
    batch, ranks = shape
    steps = parts(made[0], start, batch, ranks, COUNT + 10)
    everything = [training_shards.ids(COUNT)[position % COUNT] for position in range(start, COUNT + 10)]
    assert [each for step in steps for each in step][: len(everything)] == everything
    filled_up = [each for step in steps for each in step][len(everything) :]
    assert filled_up == [bytes(16)] * len(filled_up)
    assert len(filled_up) < batch
    assert all(len(step) == batch for step in steps)


def test_going_on_with_other_ranks_in_the_middle_of_a_row_group(made):
    whole = parts(made[0], 0, 12, 1)
    assert parts(made[0], 0, 12, 2)[:3] + parts(made[0], 36, 12, 3) == whole


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_of_a_loader_keep_the_order(made, workers):
    dataset = Batches(str(made[0]), 5, COUNT, 8, 1, 2)
    expected, found = list(dataset), list(DataLoader(dataset, batch_size=None, num_workers=workers))
    assert len(expected) == len(found) == 12
    assert all((a == b).all() for one, other in zip(expected, found, strict=True) for a, b in zip(one, other, strict=True))


def test_positions_and_labels_by_the_pieces(made):
    step = next(iter(Batches(str(made[0]), 0, COUNT, 32)))
    assert any(len(pieces) > 2 for pieces in made[1][:32])
    for row, pieces in enumerate(made[1][:32]):
        text = sum(map(len, pieces))
        positions = [n for piece in pieces for n in range(len(piece))] + list(range(LENGTH - text))
        labels = [token if n else NO_LABEL for piece in pieces for n, token in enumerate(piece)] + [NO_LABEL] * (LENGTH - text)
        assert step.positions[row].tolist() == positions
        assert step.labels[row].tolist() == labels
        assert step.text[row] == text
        assert step.squares[row] == sum(len(piece) ** 2 for piece in pieces)


def test_rows_after_the_last_sequence_have_no_labels(made):
    last = list(Batches(str(made[0]), 90, COUNT, 8))[-1]
    assert (last.labels[6:] == NO_LABEL).all()
    assert last.text.tolist()[6:] == last.squares.tolist()[6:] == [0, 0]


def damage(folder: Path, change, told: bool = True) -> None:
    """Change the second shard; the manifest then tells of the new file, or still of the old."""
    path = folder / "shards" / "00001.parquet"
    path.write_bytes(change(path.read_bytes()))
    if told:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["shards"][1] |= {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps(manifest))


def rewritten(change):
    def rewrite(content: bytes) -> bytes:
        table = change(pq.read_table(pa.BufferReader(content)))
        out = pa.BufferOutputStream()
        pq.write_table(table, out)
        return out.getvalue().to_pybytes()

    return rewrite


def with_rows(**columns):
    return rewritten(lambda table: pa.Table.from_pylist([row | columns for row in table.to_pylist()], SEQUENCES))


@pytest.mark.parametrize(
    ("change", "told", "message"),
    [
        (lambda content: content[:-100], False, r"00001\.parquet has \d+ bytes; expected the \d+ of the manifest"),
        (lambda content: content[:-100], True, r"00001\.parquet cannot be read"),
        (lambda content: content[:200] + bytes(400) + content[600:], True, r"00001\.parquet cannot be read"),
        (lambda content: b"", True, r"00001\.parquet cannot be read"),
        (rewritten(lambda table: table.slice(0, 9)), True, r"00001\.parquet has 9 sequences; expected the 10"),
        (rewritten(lambda table: table.drop(["pieces"])), True, r"00001\.parquet has no columns pieces"),
        (with_rows(tokens=[1] * 47), True, r"00001\.parquet has a sequence of 47 tokens; expected 48"),
        (with_rows(tokens=[1] * 47 + [269]), True, r"00001\.parquet has the token 269; expected 0 to 268"),
        (with_rows(tokens=[-1] * 48), True, r"00001\.parquet has the token -1; expected 0 to 268"),
    ],
)
def test_a_damaged_shard_is_told_by_name(fresh, change, told, message):
    damage(fresh, change, told)
    shards = Shards(str(fresh))
    assert len(list(shards.read(0, 10))) == 2
    with pytest.raises(ValueError, match=message):
        list(shards.read(8, 12))


def test_pieces_that_do_not_fit(fresh):
    def longer(table):
        rows = table.to_pylist()
        rows[0]["pieces"][0]["length"] += LENGTH
        return pa.Table.from_pylist(rows, SEQUENCES)

    damage(fresh, rewritten(longer))
    with pytest.raises(ValueError, match=r"00001\.parquet has pieces that do not fit"):
        list(Shards(str(fresh)).read(10, 11))


def test_sequences_that_a_takedown_emptied(fresh):
    damage(fresh, with_rows(tokens=[0] * LENGTH, pieces=[]))
    step = next(iter(Batches(str(fresh), 8, 12, 4)))
    assert step.text.tolist()[2:] == [0, 0]
    assert (step.labels[2:] == NO_LABEL).all()
    assert [row.tobytes() for row in step.ids.numpy()] == training_shards.ids(20)[8:12]


def test_a_shard_that_is_missing_or_another(fresh):
    damage(fresh, lambda content: content[:500] + bytes([content[500] ^ 1]) + content[501:], told=False)
    with pytest.raises(ValueError, match=r"00001\.parquet has SHA-256 .*copy it again"):
        Shards(str(fresh)).verify()
    (fresh / "shards" / "00001.parquet").unlink()
    with pytest.raises(ValueError, match=r"00001\.parquet cannot be read .*No such file"):
        list(Shards(str(fresh)).read(10, 11))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "its format is 'other'"),
        ({"sequences": 21}, "says 21 sequences and its shards have 20"),
        ({"sequences": 0, "shards": []}, "one at least"),
        ({"shards": [{"path": 1}]}, "describes no shards"),
    ],
)
def test_a_manifest_that_is_none(fresh, change, message):
    path = fresh / "manifest.json"
    for text, told in ((json.dumps(json.loads(path.read_text()) | change), message), ("{cut off", r"manifest\.json describes no shards")):
        path.write_text(text)
        for read in (Shards, read_manifest):  # the trainer and the jobs say the same
            with pytest.raises(ValueError, match=told):
                read(str(fresh))
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"manifest\.json"):
        Shards(str(fresh))


def test_another_tokenizer(fresh):
    assert Shards(str(fresh)).tokenizer() == (fresh / "tokenizer" / "tokenizer.json").read_bytes()
    (fresh / "tokenizer" / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer\.json is another than the manifest's"):
        Shards(str(fresh)).tokenizer()


def test_the_command_reads_all_and_tells_the_digest_of_the_ids(made, capsys):
    reader.main([f"--shards={made[0]}", "--verify", "--batch=7"])
    told = json.loads(capsys.readouterr().out)
    assert (told["sequences"], told["tokens"]) == (COUNT, COUNT * LENGTH)
    assert told["text"] == sum(len(piece) for pieces in made[1] for piece in pieces)
    digest = bytes(32)
    for each in training_shards.ids(COUNT):
        digest = hashlib.sha256(digest + each).digest()
    assert told["digest"] == digest.hex() == chain(chain(bytes(32), training_shards.ids(COUNT)[:7]), training_shards.ids(COUNT)[7:]).hex()
    reader.main([f"--shards={made[0]}", "--start=90", "--sequences=10", "--batch=4"])
    assert json.loads(capsys.readouterr().out)["sequences"] == 6


def test_shards_in_a_bucket(made, rows, emulated_bucket):
    from google.cloud import storage

    bucket = storage.Client().bucket("bucket")
    for path in made[0].rglob("*.*"):
        bucket.blob(f"deep/er/{path.relative_to(made[0])}").upload_from_string(path.read_bytes())
    shards = Shards(f"{emulated_bucket}/deep/er/")
    shards.verify()
    found = np.concatenate([part.tokens for part in shards.read(35, 90)])
    assert found.tolist() == [row["tokens"] for row in rows[35:90]]
    with pytest.raises(FileNotFoundError, match=r"gs://bucket/none/manifest\.json is not there"):
        Shards(f"{emulated_bucket}/none")


def test_a_reader_needs_no_beam():
    told = "import sys, beam_seed.trainer.reader; print([name for name in sys.modules if name.split('.')[0] in ('apache_beam', 'torch')])"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.strip() == "[]"
