import hashlib
import json
import random

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_seed.exact_dedup.duplicates import find_duplicates
from beam_seed.exact_dedup.transforms import DeduplicateExact, FindExactDuplicates
from beam_seed.members import MEMBERS, address, preference
from beam_seed.outcome import Outcome
from beam_seed.packing import pack_table, unpack_table, unpack_tables
from beam_seed.records import Document, document_id

MULTI_PROCESSING = ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]


def document(path, content, repo="r", stars=None, source="s", created=""):
    data = content.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    identity = document_id(source, repo, path)
    return Document(identity, source, repo, path, "", content, len(data), sha256, "", stars, None, created, "")


def some_documents():
    rng = random.Random(4)
    repositories = [("r0", 5, "2020-01-01"), ("r1", None, ""), ("r2", 5, "2019-01-01"), ("ř3", 0, "")]
    documents = []
    for number in range(60):
        repo, stars, created = rng.choice(repositories)
        documents.append(document(f"{number}.py", f"content {rng.randrange(20)}", repo, stars, created=created))
    return documents


def preferred(document):
    known = document.stars if document.stars is not None else -1
    return (-known, document.created or "9999", document.repo, document.source, document.path)


def by_the_rule(documents):
    """Id of the kept twin of each dropped document, by id."""
    first = {}
    for each in sorted(documents, key=preferred):
        first.setdefault(each.content, each.id)
    return {each.id: first[each.content] for each in documents if first[each.content] != each.id}


def run(documents, **parameters):
    outcome = documents | DeduplicateExact(**parameters)
    assert isinstance(outcome, Outcome)
    return Outcome(*(sorted(each, key=lambda record: record.id) for each in outcome))


def test_lists_go_in_and_come_out():
    documents = some_documents()
    expected = by_the_rule(documents)
    outcome = run(documents)
    assert outcome.failed == []
    assert outcome.kept == sorted((each for each in documents if each.id not in expected), key=lambda each: each.id)
    assert [each.id for each in outcome.rejected] == sorted(expected)


def test_the_evidence_is_complete():
    documents = some_documents()
    known = {each.id: each for each in documents}
    expected = by_the_rule(documents)
    for rejected in run(documents).rejected:
        kept = known[expected[rejected.id]]
        where = {"id": kept.id, "source": kept.source, "repo": kept.repo, "path": kept.path}
        assert json.loads(rejected.evidence) == {"kept": where, "cluster": kept.id}
        assert (rejected.stage, rejected.rule, rejected.measured, rejected.limit) == ("exact_dedup", "exact-duplicate", 1.0, 1.0)
        mine = known[rejected.id]
        assert (rejected.repo, rejected.path, rejected.size) == (mine.repo, mine.path, mine.size)


@pytest.mark.parametrize("partitions", [1, 5])
def test_order_and_partitions_change_nothing(partitions):
    documents = some_documents()
    shuffled = random.Random(partitions).sample(documents, len(documents))
    assert run(shuffled, partitions=partitions) == run(documents)


def test_documents_in_several_batches(monkeypatch):
    monkeypatch.setattr("beam_seed.verdicts.BatchDocuments.MAX_DOCUMENTS", 7)
    documents = some_documents()
    assert {each.id for each in run(documents).rejected} == set(by_the_rule(documents))


def test_no_documents():
    assert run([]) == Outcome([], [], [])


def test_in_two_processes():
    documents = some_documents()
    with beam.Pipeline(options=PipelineOptions(MULTI_PROCESSING)) as pipeline:
        outcome = pipeline | beam.Create(documents) | DeduplicateExact()
        kept = outcome.kept | "Ids of kept" >> beam.Map(lambda each: each.id)
        rejected = outcome.rejected | "Twins" >> beam.Map(lambda each: (each.id, json.loads(each.evidence)["kept"]["id"]))
        expected = by_the_rule(documents)
        assert_that(kept, equal_to([each.id for each in documents if each.id not in expected]), label="kept")
        assert_that(rejected, equal_to(list(expected.items())), label="rejected")
        assert_that(outcome.failed, equal_to([]), label="failed")


def test_a_document_that_was_read_twice_is_named():
    twice = document("a.py", "x")
    with pytest.raises(ValueError, match=r"two documents have the id of r/a\.py from s"):
        run([twice, twice])


def test_windowed_documents_are_refused():
    windowed = beam.Pipeline("FnApiRunner") | beam.Create(some_documents()) | beam.WindowInto(beam.window.FixedWindows(10))
    with pytest.raises(ValueError, match="exact_dedup: the documents are in windows, FixedWindows; expected the global window"):
        _ = windowed | DeduplicateExact()


@pytest.mark.parametrize("transform", [DeduplicateExact, FindExactDuplicates])
def test_no_partitions_are_refused(transform):
    with pytest.raises(ValueError, match="partitions is 0; expected at least 1"):
        transform(partitions=0)


def members_of_shard(shard):
    rng = random.Random(shard)
    digests = [bytes([rng.randrange(15)]) * 32 for _ in range(30)]
    repository = pa.array([preference(rng.randrange(3), "", f"r{shard}", "s")] * 30, pa.string()).dictionary_encode()
    paths = pa.array([str(row) for row in range(30)], pa.string())
    return pa.table([address(shard, np.arange(30)), pa.array(digests, pa.binary(32)), repository, paths], schema=MEMBERS)


@pytest.mark.parametrize("partitions", [1, 3])
def test_verdicts_reach_the_shards_of_their_members(partitions):
    tables = [members_of_shard(shard) for shard in range(4)]
    found = [pack_table(table) for table in tables] | FindExactDuplicates(partitions)
    rows = []
    for key, packed in found:
        verdicts = unpack_table(packed)
        assert {member >> 32 for member in verdicts["member"].to_pylist()} == {key}
        rows += verdicts.to_pylist()
    expected = find_duplicates(unpack_tables(map(pack_table, tables), MEMBERS))
    assert sorted(rows, key=lambda row: row["member"]) == expected.sort_by("member").to_pylist()
