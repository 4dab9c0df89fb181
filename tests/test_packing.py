import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.members import MEMBERS, VERDICTS
from beam_seed.near_dedup.candidates import CANDIDATES
from beam_seed.packing import pack_columns, pack_table, split_by, unpack_columns, unpack_table, unpack_tables

U64 = st.integers(0, 2**64 - 1)


@given(st.lists(st.tuples(U64, U64, U64), max_size=9), st.lists(st.tuples(U64, U64, U64), max_size=3))
def test_columns_come_back(first, second):
    packed = [pack_columns(np.array(rows, dtype=np.uint64).reshape(-1, 3)) for rows in (first, [], second)]
    columns = unpack_columns(packed, 3)
    assert columns.dtype == np.uint64
    assert columns.shape == (len(first) + len(second), 3)
    assert [tuple(row) for row in columns.tolist()] == first + second


def test_columns_are_little_endian_whatever_they_were():
    column = np.array([1, 2**40], dtype=">u8")[::-1]
    assert pack_columns(column) == (2**40).to_bytes(8, "little") + (1).to_bytes(8, "little")


def test_columns_of_nothing():
    assert unpack_columns([], 22).shape == (0, 22)


@pytest.mark.parametrize("schema", [MEMBERS, VERDICTS, CANDIDATES])
def test_empty_tables(schema):
    assert unpack_tables([], schema) == schema.empty_table()
    assert unpack_table(pack_table(schema.empty_table())) == schema.empty_table()
    assert unpack_tables([pack_table(schema.empty_table())] * 2, schema).schema == schema


def table_of(words):
    return pa.table({"word": pa.array(words, pa.string()).dictionary_encode(), "number": pa.array(range(len(words)), pa.int64())})


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "", "é", None]), max_size=6), max_size=4))
def test_tables_with_unlike_dictionaries_become_one(batches):
    table = unpack_tables([pack_table(table_of(words)) for words in batches], table_of([]).schema)
    assert table["word"].to_pylist() == [word for words in batches for word in words]
    assert table["number"].to_pylist() == [number for words in batches for number in range(len(words))]
    assert table.schema == table_of([]).schema
    assert table["word"].num_chunks <= 1


def test_a_part_carries_only_its_own_words():
    table = table_of([f"{'x' * 100}{number}" for number in range(1000)])
    part = table.take([5])
    assert unpack_table(pack_table(part)).to_pylist() == part.to_pylist()
    assert len(pack_table(part)) < 2000 < len(pack_table(table))


def test_a_dictionary_of_many_chunks_is_packed():
    table = pa.concat_tables([table_of(["a", "b"]), table_of(["c", "a"]), table_of([])])
    assert unpack_table(pack_table(table))["word"].to_pylist() == ["a", "b", "c", "a"]


@given(st.lists(st.one_of(st.integers(0, 3), U64), max_size=20))
def test_split_by_is_a_stable_grouping(keys):
    groups = list(split_by(np.array(keys, dtype=np.uint64)))
    assert [key for key, _ in groups] == sorted(set(keys))
    for key, rows in groups:
        assert type(key) is int
        assert rows.tolist() == [row for row, each in enumerate(keys) if each == key]
