"""How work is divided: every row, every position, once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.mixture.stage import Source, stage_of
from beam_seed.shards.documents import UnusableTableError, text_size
from beam_seed.shards.inputs import fingerprints
from beam_seed.shards.spill import Spill, read_spills, write_spill
from beam_seed.shards.tables import Measured, Table, make_plan, measure, overlapping, shard_range, tasks
from beam_seed.shards.tokenizer import ShardTokenizer
from beam_seed.shards.write import bucket_bits, buckets_of
from beam_seed.storage import match
from beam_seed.trainer.tokenizer import train_tokenizer


@given(st.integers(1, 40), st.integers(0, 300))
def test_shards_divide_the_positions_equally(shards: int, sequences: int) -> None:
    ranges = [shard_range(shard, shards, sequences) for shard in range(shards)]
    assert [position for first, last in ranges for position in range(first, last)] == list(range(sequences))
    sizes = [last - first for first, last in ranges]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) - min(sizes) <= 1


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 7))
def test_buckets_give_each_position_once(counts: list[int], shards: int) -> None:
    rows = [(bucket, row) for bucket, count in enumerate(counts) for row in range(count)]
    found = [
        (bucket, row)
        for shard in range(shards)
        for bucket, begin, end in overlapping(counts, *shard_range(shard, shards, len(rows)))
        for row in range(begin, end)
    ]
    assert found == rows


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1), st.integers(1, 2000))
def test_buckets_are_in_the_order_of_the_keys(keys: list[int], shards: int) -> None:
    bits = bucket_bits(shards)
    buckets = buckets_of(np.array(sorted(keys), np.uint64), bits).tolist()
    assert buckets == sorted(buckets) == [key >> (64 - bits) for key in sorted(keys)]
    assert 16 * shards <= 1 << bits < 32 * shards


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 200)), max_size=20))
def test_tasks_cover_the_rows(groups: list[tuple[int, int]]) -> None:
    found = list(tasks(Measured(Table(0, "code", "x"), groups, (0, 0), (0, 0)), 100))
    assert [row for task in found for row in range(task.first, task.last)] == list(range(sum(rows for rows, _ in groups)))


def test_a_spill_gives_back_its_rows_by_number(tmp_path: Path) -> None:
    table = pa.table({"value": ["a", "b", "c", "d"]})
    assert write_spill(str(tmp_path / "one"), table, np.array([2, 7, 7, 9])) == [2, 7, 9]
    write_spill(str(tmp_path / "two"), table.slice(0, 1), np.array([2]))
    found = read_spills([str(tmp_path / "one"), str(tmp_path / "two")], [2, 3, 7], table.schema)
    assert [each["value"].to_pylist() for each in found] == [["a", "a"], [], ["b", "c"]]
    spill = Spill(str(tmp_path / "two"))
    assert spill.read(100) == spill.read(0) == []
    spill.close()
    assert [len(each) for each in read_spills([], [1, 2], table.schema)] == [0, 0]


def test_tokens_are_estimated_from_a_sample(tmp_path: Path) -> None:
    texts = [f"line {number}\n" * (number % 40) for number in range(3000)]
    pq.write_table(pa.table({"id": [str(n) for n in range(3000)], "content": texts}), tmp_path / "t.parquet", row_group_size=100)
    tokenizer = ShardTokenizer(train_tokenizer(texts[:99], 400).to_str())
    stage = stage_of({"sources": {"code": {"weight": 1}}})
    measured = measure(Table(0, "code", str(tmp_path / "t.parquet")), stage.sources["code"], tokenizer, 0)
    plan = make_plan([measured], stage, 10_000)
    true = sum(map(len, tokenizer.encode(texts)))
    assert abs(plan.totals["code"] / true - 1) < 0.1
    assert measured.sampled[1] < true / 8
    assert plan.groups == -(-int(plan.totals["code"]) // 10_000)
    with pytest.raises(ValueError, match="source 'code' holds no tokens"):
        make_plan([], stage, 10)


def test_tables_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"content": [1]}), tmp_path / "n.parquet")
    (tmp_path / "no.parquet").write_bytes(b"PAR1")
    for name, message in (("n", "holds int64; expected text"), ("no", "cannot be read")):
        with pytest.raises(UnusableTableError, match=message):
            text_size(str(tmp_path / f"{name}.parquet"), Source())


def test_inputs_are_known_by_footers_run_and_scorer(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "corpora" / "file_level"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"content": ["x"], "scorer": ["abc"]}), folder / "a.parquet")
    one = fingerprints(match(str(folder / "*")))
    assert set(one) == {"tables", "scorer"}
    assert one["scorer"] == "abc"
    (tmp_path / "run" / "manifest.json").write_text("{}")
    other = fingerprints(match(str(folder / "*")))
    assert other == one | {"manifest": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}
    pq.write_table(pa.table({"content": ["y"], "scorer": ["abc"]}), folder / "a.parquet")
    assert fingerprints(match(str(folder / "*")))["tables"] != one["tables"]
