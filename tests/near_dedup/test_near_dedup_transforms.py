import hashlib
import json
import random

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_seed.members import address, preference
from beam_seed.near_dedup.candidates import candidate_table, judge
from beam_seed.near_dedup.lsh import Bands, band_hashes, optimal_bands
from beam_seed.near_dedup.minhash import sign
from beam_seed.near_dedup.shingles import shingle, unique_sorted
from beam_seed.near_dedup.transforms import ClusterCandidates, DeduplicateNear, VerifyCandidates, document_bytes, lookup_clusters
from beam_seed.outcome import Outcome
from beam_seed.packing import pack_columns, pack_table, unpack_columns, unpack_table
from beam_seed.records import Document, document_id

MULTI_PROCESSING = ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]


def document(path, content, repo="r", stars=None):
    data = content.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    return Document(document_id("s", repo, path), "s", repo, path, "", content, len(data), sha256, "", stars, None, "", "")


def some_documents(count=50, seed=1):
    rng = random.Random(seed)
    originals = [[f"w{rng.randrange(500)}" for _ in range(80)] for _ in range(5)]
    documents = [document("empty.txt", "", "r0", 9), document("blank.txt", " \n", "r1", 9), document("tiny.txt", "a b")]
    for number in range(count):
        words = list(rng.choice(originals))
        for _ in range(rng.choice([0, 1, 2, 4, 8])):
            words[rng.randrange(len(words))] = f"ü{rng.randrange(500)}"
        stars = rng.choice([None, 0, 7])
        documents.append(document(f"{number}.txt", " ".join(words), f"r{stars}", stars))
    return documents


def tokens_of(document):
    words = document.content.split()
    return {tuple(words[start : start + 5]) for start in range(max(len(words) - 4, 1))} if words else set()


def by_the_rule(documents, threshold):
    """Similarity of each dropped document to its most similar kept one, by id; all kept ones compared, buckets or not."""
    kept, dropped = [], {}
    for each in sorted(documents, key=lambda each: (-(-1 if each.stars is None else each.stars), each.repo, each.path)):
        mine = tokens_of(each)
        similarities = [len(mine & tokens_of(other)) / len(mine | tokens_of(other)) for other in kept if mine and tokens_of(other)]
        if max(similarities, default=0.0) >= threshold:
            dropped[each.id] = max(similarities)
        else:
            kept.append(each)
    return dropped


def run(documents, **parameters):
    outcome = documents | DeduplicateNear(**parameters)
    assert isinstance(outcome, Outcome)
    return Outcome(*(sorted(each, key=lambda record: record.id) for each in outcome))


def test_lists_go_in_and_come_out():
    documents = some_documents()
    dropped = by_the_rule(documents, 0.7)
    assert 10 < len(dropped) < len(documents) - 10
    outcome = run(documents)
    assert [each.id for each in outcome.rejected] == sorted(dropped)
    assert outcome.kept == sorted((each for each in documents if each.id not in dropped), key=lambda each: each.id)
    assert outcome.failed == []


def test_the_evidence_is_complete_and_true():
    documents = some_documents()
    known = {each.id: each for each in documents}
    outcome = run(documents, threshold=0.6)
    kept_ids = {each.id for each in outcome.kept}
    for rejected in outcome.rejected:
        evidence = json.loads(rejected.evidence)
        kept = known[evidence["kept"]["id"]]
        assert kept.id in kept_ids
        assert evidence == {"kept": {"id": kept.id, "source": kept.source, "repo": kept.repo, "path": kept.path}, "cluster": kept.id}
        mine, other = tokens_of(known[rejected.id]), tokens_of(kept)
        assert rejected.measured == len(mine & other) / len(mine | other) >= rejected.limit == 0.6
        assert (rejected.stage, rejected.rule) == ("near_dedup", "near-duplicate")


def test_order_and_batches_change_nothing(monkeypatch):
    documents = some_documents()
    expected = run(documents)
    monkeypatch.setattr("beam_seed.verdicts.BatchDocuments.MAX_DOCUMENTS", 6)
    assert run(random.Random(3).sample(documents, len(documents))) == expected


def test_documents_without_tokens_are_kept():
    documents = [document(f"{number}.txt", " " * number) for number in range(4)]
    assert len(run(documents).kept) == 4


def test_no_documents():
    assert run([]) == Outcome([], [], [])


def test_in_two_processes():
    documents = some_documents()
    dropped = by_the_rule(documents, 0.7)
    with beam.Pipeline(options=PipelineOptions(MULTI_PROCESSING)) as pipeline:
        outcome = pipeline | beam.Create(documents) | DeduplicateNear()
        assert_that(outcome.rejected | "Rejected" >> beam.Map(lambda each: each.id), equal_to(list(dropped)), label="rejected")
        kept = [each.id for each in documents if each.id not in dropped]
        assert_that(outcome.kept | "Kept" >> beam.Map(lambda each: each.id), equal_to(kept), label="kept")


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.1, 7, float("nan")])
def test_thresholds_that_mean_nothing_are_refused(threshold):
    with pytest.raises(ValueError, match=r"threshold is .*; expected a Jaccard similarity between 0 and 1"):
        DeduplicateNear(threshold=threshold)


def test_too_few_permutations_are_refused():
    with pytest.raises(ValueError, match="num_perm is 1; expected at least 2"):
        DeduplicateNear(num_perm=1)


def test_windowed_documents_are_refused():
    windowed = beam.Pipeline("FnApiRunner") | beam.Create(some_documents(3)) | beam.WindowInto(beam.window.FixedWindows(10))
    with pytest.raises(ValueError, match="near_dedup: the documents are in windows, FixedWindows; expected the global window"):
        _ = windowed | DeduplicateNear()


def test_lone_surrogates_are_three_bytes():
    assert document_bytes("a\ud800") == b"a\xed\xa0\x80"


BANDS = Bands(3, 2)


def clusters_of(signed, rounds=3, **parameters):
    found = [pack_columns(np.array(rows, dtype=np.uint64)) for rows in signed] | ClusterCandidates(BANDS, rounds=rounds, **parameters)
    named = {}
    for key, packed in found:
        for node, root in unpack_columns([packed], 2).tolist():
            assert node >> 32 == key
            assert node not in named
            named[node] = root
    return named


FAR = 9 << 32
SIGNED = [
    [[1, 10, 20, 30], [2, 10, 21, 31], [3, 13, 21, 33], [4, 20, 10, 34]],  # 1-2-3 by bands 0 and 1; 4 shares numbers, but no band
    [[FAR, 13, 99, 98], [FAR + 1, 77, 66, 55], [5, 50, 51, 52], [6, 50, 51, 52]],
]


@pytest.mark.parametrize("partitions", [1, 3, 16])
def test_members_that_share_a_bucket_are_clustered(partitions):
    assert clusters_of(SIGNED, partitions=partitions) == {1: 1, 2: 1, 3: 1, FAR: 1, 5: 5, 6: 5}
    assert clusters_of([SIGNED[1][::-1], SIGNED[0][::-1]], partitions=partitions) == clusters_of(SIGNED, partitions=partitions)


def test_the_index_of_published_corpora_joins_new_members_only():
    partitions = 4
    published = [int(each) for each in address(0, np.arange(3), dataset=2)]
    entries = [(0, 13, published[0]), (0, 88, published[1]), (0, 88, published[2]), (1, 20, published[1])]
    index = [
        (band * partitions + value % partitions, pack_columns(np.array([[value, each]], dtype=np.uint64))) for band, value, each in entries
    ]
    with beam.Pipeline("FnApiRunner") as pipeline:
        signed = pipeline | "Signed" >> beam.Create([pack_columns(np.array(rows, dtype=np.uint64)) for rows in SIGNED])
        entries = pipeline | "Index" >> beam.Create(index)
        found = signed | ClusterCandidates(BANDS, partitions=partitions, rounds=3, index=entries)
        rows = found | beam.FlatMap(lambda each: [tuple(row) for row in np.frombuffer(each[1], dtype="<u8").reshape(-1, 2).tolist()])
        joined = {1, 2, 3, FAR, published[0], published[1]}
        assert_that(rows, equal_to([(node, 1) for node in joined] + [(5, 5), (6, 5)]))


def test_no_signatures():
    assert clusters_of([np.empty((0, 4))]) == {}


def test_too_few_rounds_fail_the_pipeline():
    chain = [[number, 1000 + number // 2, 5000 + (number + 1) // 2, 9000 + number] for number in range(60)]
    assert set(clusters_of([chain], rounds=8).values()) == {0}
    with pytest.raises(RuntimeError, match="raise the number of rounds"):
        clusters_of([chain], rounds=1)


def candidates_by_part(parts):
    texts = [each.content.encode() for each in some_documents(30)[3:]]
    sets = unique_sorted(shingle(texts))
    cluster = np.full(len(texts), 4 << 32, dtype=np.uint64)
    addresses = np.concatenate([address(4, np.arange(20)), address(5, np.arange(len(texts) - 20))])
    names = [preference(number % 3, "", "r", "s") for number in range(len(texts))]
    table = candidate_table(cluster, addresses, np.ones(len(texts), dtype=np.int64), names, [str(n) for n in range(len(texts))], sets)
    return table, [(0, pack_table(table.take(rows))) for rows in np.array_split(np.arange(len(texts))[::-1], parts)]


@pytest.mark.parametrize("parts", [1, 4])
def test_verification_sends_verdicts_to_the_shards_of_their_members(parts):
    bands = optimal_bands(0.7, 128)
    table, packed = candidates_by_part(parts)
    rows = []
    for key, verdicts in packed | VerifyCandidates(0.7, bands):
        rows += unpack_table(verdicts).to_pylist()
        assert {member >> 32 for member in unpack_table(verdicts)["member"].to_pylist()} == {key}
    expected = judge(table, 0.7, bands).sort_by("member").to_pylist()
    assert len(expected) > 5
    assert sorted(rows, key=lambda row: row["member"]) == expected


def test_verification_loads_what_was_spilled():
    spilled = dict(enumerate(packed for _, packed in candidates_by_part(3)[1]))
    references = [(0, str(number).encode()) for number in spilled]
    loaded = references | VerifyCandidates(0.7, optimal_bands(0.7, 128), load=lambda reference: spilled[int(reference)])
    assert len(loaded) == 2


def test_clusters_are_looked_up():
    packed = [pack_columns(np.array([[9, 1], [4, 4]], dtype=np.uint64)), pack_columns(np.array([[2**64 - 1, 3]], dtype=np.uint64))]
    clusters, found = lookup_clusters(np.array([4, 5, 9, 2**64 - 1, 0], dtype=np.uint64), packed)
    assert found.tolist() == [True, False, True, True, False]
    assert clusters[found].tolist() == [4, 1, 3]
    assert lookup_clusters(np.array([4], dtype=np.uint64), [])[1].tolist() == [False]


def test_signatures_of_documents_use_only_the_permutations_of_the_bands():
    bands = optimal_bands(0.7, 128)
    assert band_hashes(sign(shingle([b"a b c d e f"]), bands.num_perm), bands).shape == (1, 21)
