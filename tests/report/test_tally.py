import json
import math
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.curation.job import GITHUB
from beam_seed.records import document_id
from beam_seed.report.accounting import broken, check
from beam_seed.report.columns import hex_prefixes
from beam_seed.report.tally import CLUSTERS, EXCERPT, MEMBERS, SAMPLES, Key, Tally, Total, merge, totals, unit_bins

VARIANTS = GITHUB.variants
unhurried = settings(max_examples=50, deadline=None)  # the machine may be busy

DROPPED = {
    "id": pa.string(),
    "source": pa.string(),
    "repo": pa.string(),
    "path": pa.string(),
    "size": pa.int64(),
    "language": pa.string(),
    "variant": pa.string(),
    "stage": pa.string(),
}
REJECTED = pa.schema({**DROPPED, "rule": pa.string(), "measured": pa.float64(), "limit": pa.float64(), "evidence": pa.string()})
FAILED = pa.schema({**DROPPED, "error": pa.string()})
KEPT = pa.schema(
    {name: DROPPED[name] for name in ("id", "source", "repo", "path", "size", "language")}
    | {"cluster_id": pa.string(), "cluster_size": pa.int32(), "quality": pa.float32()}
)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
who = st.builds(
    lambda source, repo, path, size, language: {
        "id": document_id(source, repo, path), "source": source, "repo": repo, "path": path, "size": size, "language": language
    },
    names, names, names, st.integers(0, 1 << 40), st.sampled_from(["", "C", "Python", "<b>"]),
)  # fmt: skip
numbers = st.one_of(st.none(), st.floats(0, 1), st.floats())
clusters = st.sampled_from([document_id("s", "r", str(number)) for number in range(3)])
variants = st.sampled_from([*VARIANTS, "both"])
stages = st.sampled_from(["read", "rules"])
rules = st.sampled_from(["near-duplicate", "near-duplicate-repository", "x"])
rejected_rows = st.builds(
    lambda who, variant, stage, rule, measured, limit, cluster: {
        **who, "variant": variant, "stage": stage, "rule": rule, "measured": measured, "limit": limit,
        "evidence": json.dumps({"cluster": cluster}),
    },
    who, variants, stages, rules, numbers, numbers, clusters,
)  # fmt: skip
failed_rows = st.builds(
    lambda who, variant, error: {**who, "variant": variant, "stage": "syntax", "error": error},
    who, variants, st.sampled_from(["ValueError: a", "ValueError: b", "no kind at all", ""]),
)  # fmt: skip
# A cluster's size is the same in all of its rows.
kept_rows = st.builds(
    lambda who, cluster, quality: {**who, "cluster_id": cluster, "cluster_size": 1 + int(cluster[0], 16) % 3, "quality": quality},
    who, clusters, st.one_of(st.none(), st.floats(0, 1, width=32), st.floats(width=32)),
)  # fmt: skip
parts = st.lists(
    st.tuples(st.lists(kept_rows, max_size=8), st.lists(rejected_rows, max_size=12), st.lists(failed_rows, max_size=4)), max_size=4
)


def table(rows, schema):
    return pa.Table.from_pylist(rows, schema=schema)


def tallied(kept=(), rejected=(), failed=(), variant="file_level", wanted=None):
    tally = Tally()
    tally.add_kept(variant, table(list(kept), KEPT), variant in GITHUB.repositories)
    tally.add_rejected(table(list(rejected), REJECTED))
    tally.add_failed(table(list(failed), FAILED))
    tally.add_cluster_members(table(list(rejected), REJECTED), wanted or {document_id("s", "r", str(number)) for number in range(3)})
    return tally


def row(number, **more):
    path = f"{number}.py"
    return {"id": document_id("s", "r", path), "source": "s", "repo": "r", "path": path, "size": number, "language": "Python", **more}


def rejection(number, **more):
    return row(number, variant="both", stage="rules", rule="x", measured=None, limit=None, evidence="{}") | more


class TestCounts:
    @unhurried
    @given(st.lists(kept_rows, max_size=20), st.lists(rejected_rows, max_size=20))
    def test_against_plain_python(self, kept, rejected):
        tally = tallied(kept, rejected)
        expected = defaultdict(list)
        for one in kept:
            expected[Key("file_level", "kept", "", "", one["language"])].append((one, one["quality"], None))
        for one in rejected:
            expected[Key(one["variant"], "rejected", one["stage"], one["rule"], one["language"])].append(
                (one, one["measured"], one["limit"])
            )
        assert set(tally.slices) == set(expected)
        for key, rows in expected.items():
            part = tally.slices[key]
            assert part.total == Total(len(rows), sum(o["size"] for o, _, _ in rows), sum(int(o["id"][:8], 16) for o, _, _ in rows))
            assert part.sizes == Counter(o["size"].bit_length() for o, _, _ in rows)
            finite = [m for _, m, _ in rows if m is not None and math.isfinite(m)]
            inside = [m for m in finite if 0 <= m <= 1]
            assert (part.lowest, part.highest) == ((min(finite), max(finite)) if finite else (None, None))
            assert part.unit_files == len(inside)
            if inside:
                assert part.unit_mean == pytest.approx(sum(inside) / len(inside), abs=1e-8)
            limits = [limit for _, _, limit in rows if limit is not None and math.isfinite(limit)]
            assert (part.limit_low, part.limit_high) == ((min(limits), max(limits)) if limits else (None, None))

    def test_both_counts_in_each_variant(self):
        tally = tallied([row(1, cluster_id="c", cluster_size=1, quality=0.5)], [rejection(2), rejection(4, variant="repo_level")])
        assert tally.total("file_level", "rejected").files == 1
        assert tally.total("repo_level", "rejected").bytes == 6
        assert tally.total("file_level").files == 2

    def test_failures_count_by_the_kind_of_error(self):
        errors = ["ValueError: a", "ValueError: b", "json.JSONDecodeError: c", "it broke", "x" * 999]
        tally = tallied(failed=[row(n, variant="both", stage="syntax", error=error) for n, error in enumerate(errors)])
        assert {key.rule: part.files for key, part in tally.slices.items()} == {"ValueError": 2, "json.JSONDecodeError": 1, "error": 2}

    def test_scores_on_an_edge_open_their_bin(self):
        values = np.array([0.0, 0.7, float(np.float32(0.7)), 0.58, 0.999, 1.0])
        assert unit_bins(values).tolist() == [0, 35, 35, 29, 49, 49]

    def test_columns_that_a_corpus_may_lack(self):
        rows = table([row(1, cluster_id="c", cluster_size=2, quality=0.5)], KEPT)
        tally = Tally()
        tally.add_kept("commits", rows.drop_columns(["language", "quality", "cluster_id", "cluster_size"]))
        assert {key: part.files for key, part in tally.slices.items()} == {Key("commits", "kept", "", "", ""): 1}
        assert (tally.clusters, tally.defects) == ({}, {})
        with pytest.raises(ValueError, match="lacks the column 'repo'"):
            tally.add_kept("commits", rows.drop_columns(["repo"]))

    def test_large_strings_and_dictionaries_are_read(self):
        rows = table([rejection(1), rejection(2)], REJECTED)
        other = rows.set_column(0, "id", rows["id"].cast(pa.large_string())).set_column(6, "variant", rows["variant"].dictionary_encode())
        one, two = Tally(), Tally()
        one.add_rejected(rows)
        two.add_rejected(other)
        assert one.to_bytes() == two.to_bytes()

    def test_a_sliced_table_is_read_from_its_start(self):
        rows = table([rejection(n) for n in range(10)], REJECTED).slice(3, 4)
        tally = Tally()
        tally.add_rejected(rows)
        assert next(iter(tally.slices.values())).checksum == sum(int(each[:8], 16) for each in rows["id"].to_pylist())


class TestErrors:
    def test_a_missing_column_is_named_with_those_found(self):
        with pytest.raises(ValueError, match=r"a table of rejected/ lacks the column 'evidence'; found id, source.*limit; expected"):
            Tally().add_rejected(table([rejection(1)], REJECTED).drop_columns(["evidence"]))

    @pytest.mark.parametrize("id_", ["", "abc", "A" * 32, "g" * 32, "ü" * 16])
    def test_an_id_that_is_none(self, id_):
        with pytest.raises(ValueError, match="expected 32 hex digits"):
            Tally().add_rejected(table([rejection(1), rejection(2, id=id_)], REJECTED))

    def test_an_unknown_variant(self):
        with pytest.raises(ValueError, match="found variant 'both'; expected the name of one corpus"):
            Tally().add_kept("both", table([], KEPT))

    @unhurried
    @given(st.lists(st.binary(min_size=16, max_size=16), max_size=9))
    def test_prefixes(self, ids):
        assert hex_prefixes(pa.array([each.hex() for each in ids], pa.string())).tolist() == [int(each.hex()[:8], 16) for each in ids]


class TestSamples:
    def test_the_smallest_ids_of_each_rule(self):
        rows = [rejection(number, rule=f"rule-{number % 3}") for number in range(100)]
        tally = tallied(rejected=rows)
        for rule in range(3):
            expected = sorted(one["id"] for one in rows if one["rule"] == f"rule-{rule}")[:SAMPLES]
            assert [one["id"] for one in tally.samples[Key("both", "rejected", "rules", f"rule-{rule}", "")]] == expected

    def test_fields_and_excerpts(self):
        rows = table([rejection(1, measured=math.inf, limit=3.0, evidence='{"a": 1}')], REJECTED)
        tally = Tally()
        tally.add_rejected(rows.append_column("content", pa.array(["é" * 9999])))
        ((sample,),) = tally.samples.values()
        assert sample["excerpt"] == "é" * EXCERPT
        assert (sample["measured"], sample["limit"], sample["evidence"]) == (None, 3.0, '{"a": 1}')
        assert "content" not in sample

    def test_excerpts_given_later_leave_other_tallies_alone(self):
        tally = tallied(rejected=[rejection(1)])
        merged = merge([tally])
        before = tally.to_bytes()
        merged.add_excerpts(dict.fromkeys(merged.sample_ids(), "text"))
        assert tally.to_bytes() == before
        assert [sample["excerpt"] for held in merged.samples.values() for sample in held] == ["text"]


class TestClusters:
    def test_the_largest_whatever_the_partition(self):
        sizes = [1 + (number * 7) % 29 for number in range(200)]
        rows = [row(number, cluster_size=size, quality=None) for number, size in enumerate(sizes)]
        rows = [one | {"cluster_id": one["id"]} for one in rows]
        expected = sorted(rows, key=lambda one: (-one["cluster_size"], one["id"]))[:CLUSTERS]
        merged = merge(tallied(rows[start : start + 17]) for start in range(0, 200, 17))
        assert [one["cluster_id"] for one in merged.clusters["file_level"]] == [one["id"] for one in expected]

    def test_a_repository_is_one_cluster_of_its_files(self):
        repository = document_id("s", "r", "")
        rows = [row(number, cluster_id=repository, cluster_size=3, quality=None) for number in range(50)]
        merged = merge([tallied(rows[:20], variant="repo_level"), tallied(rows[20:], variant="repo_level")])
        (held,) = merged.clusters["repo_level"]
        assert (held["repo"], held["path"], held["files"], held["size"]) == ("r", "", 50, sum(range(50)))

    def test_members_are_those_whose_evidence_names_the_cluster(self):
        cluster, other = document_id("s", "r", "a"), document_id("s", "r", "b")
        forged = json.dumps({"kept": {"path": f'"cluster": "{cluster}"'}, "cluster": other})
        rows = [rejection(n, evidence=json.dumps({"cluster": cluster, "kept": {}}, sort_keys=True)) for n in range(30)]
        tally = tallied(rejected=[*rows, rejection(99, evidence=forged), rejection(98, evidence="{}")], wanted={cluster})
        assert list(tally.members) == [("both", cluster)]
        assert [one["id"] for one in tally.members["both", cluster]] == sorted(one["id"] for one in rows)[:MEMBERS]

    def test_a_copy_of_a_dropped_file_is_as_similar_as_that_file(self):
        cluster = document_id("s", "r", "a")
        told = {"cluster": cluster, "kept": {}, "via": {"repo": "r", "similarity_to_kept": 0.75}}
        rows = [
            rejection(1, measured=1.0, evidence=json.dumps(told)),
            rejection(2, measured=0.9, evidence=json.dumps({"cluster": cluster})),
        ]
        tally = tallied(rejected=rows, wanted={cluster})
        assert {one["path"]: one["measured"] for one in tally.members["both", cluster]} == {"1.py": 0.75, "2.py": 0.9}

    def test_members_of_a_cluster_of_repositories_are_repositories(self):
        cluster = document_id("s", "kept", "")
        rows = [
            rejection(n, repo=f"repo-{n % 3}", rule="near-duplicate-repository", measured=0.8, evidence=json.dumps({"cluster": cluster}))
            for n in range(30)
        ]
        merged = merge([tallied(rejected=rows[:11], wanted={cluster}), tallied(rejected=rows[11:], wanted={cluster})])
        held = merged.members["both", cluster]
        assert sorted((one["repo"], one["path"], one["files"]) for one in held) == [(f"repo-{n}", "", 10) for n in range(3)]
        assert sum(one["size"] for one in held) == sum(range(30))


class TestMerge:
    @unhurried
    @given(parts, st.randoms(use_true_random=False))
    def test_order_and_partition_do_not_matter(self, given_parts, random):
        # A document is in one part only, as a run's shards divide them; then every sum and sample is the same.
        seen, distinct = set(), []
        for part in given_parts:
            distinct.append([[one for one in rows if one["id"] not in seen and not seen.add(one["id"])] for rows in part])
        whole = tallied(*([one for part in distinct for one in part[kind]] for kind in range(3)))
        shuffled = [Tally.from_bytes(tallied(*part).to_bytes()) for part in distinct]
        random.shuffle(shuffled)
        merged = merge([*shuffled[:1], merge(shuffled[1:]), Tally()])
        assert merged.to_bytes() == whole.to_bytes()

    def test_merge_leaves_its_arguments(self):
        one, two = tallied(rejected=[rejection(1)]), tallied(rejected=[rejection(2)])
        before = one.to_bytes(), two.to_bytes()
        merge([one, two])
        assert (one.to_bytes(), two.to_bytes()) == before


class TestAccounting:
    def run(self, kept, rejected, failed=()):
        tally = Tally()
        for variant in VARIANTS:
            tally.add_kept(variant, table([row(n, cluster_id="c", cluster_size=1, quality=None) for n in kept], KEPT))
        tally.add_rejected(table([rejection(n) for n in rejected], REJECTED))
        tally.add_failed(table([row(n, variant="both", stage="syntax", error="E: x") for n in failed], FAILED))
        return tally

    def read(self, *ids):
        return totals(table([rejection(n) for n in ids], REJECTED))

    def test_closed_books(self):
        found = check(self.run([1, 2], [3], [4]), self.read(1, 2, 3, 4), VARIANTS)
        assert broken(found) == ""
        assert len(found) == 7
        assert found[0].detail == "2 + 1 + 1 = 4"

    def test_nothing_read(self):
        assert broken(check(Tally(), Total(), VARIANTS)) == ""
        assert broken(check(self.run([], []), self.read(), VARIANTS)) == ""

    def test_a_lost_file(self):
        assert "file_level: kept + rejected + failed = read (files) (1 + 1 + 0 ≠ 3)" in broken(
            check(self.run([1], [2]), self.read(1, 2, 3), VARIANTS)
        )

    def test_a_file_counted_twice_in_place_of_another_of_its_size(self):
        tally, read = self.run([1], [2]), self.read(1, 2)
        swapped = Total(read.files, read.bytes, read.checksum + 1)
        names = [name for name, holds, _ in check(tally, swapped, VARIANTS) if not holds]
        assert names == [f"{variant}: kept + rejected + failed = read (check-sum of ids)" for variant in VARIANTS]

    @pytest.mark.parametrize(
        ("change", "defect"),
        [
            ({"rule": ""}, "rejected row without rule: 1"),
            ({"rule": None}, "rejected row without rule: 1"),
            ({"stage": ""}, "rejected row without stage: 1"),
            ({"variant": "neither"}, "rejected row of an unknown variant: 1"),
        ],
    )
    def test_defective_rows_break_an_invariant(self, change, defect):
        tally = tallied(rejected=[rejection(1), rejection(2, **change)])
        assert defect in broken(check(tally, self.read(1, 2), VARIANTS))

    def test_a_kept_row_of_an_unknown_variant_breaks_an_invariant(self):
        tally = tallied([row(1, cluster_id="c", cluster_size=1, quality=None)], variant="third_level")
        assert "kept row of an unknown variant: 1" in broken(check(tally, self.read(), VARIANTS))

    def test_one_variant(self):
        tally = tallied([row(1, cluster_id="c", cluster_size=1, quality=None)], [rejection(2, variant="commits")], variant="commits")
        found = check(tally, self.read(1, 2), ("commits",))
        assert broken(found) == ""
        assert [name.split(":")[0] for name, _, _ in found[:3]] == ["commits"] * 3
        assert "rejected row of an unknown variant: 1" in broken(check(tally, self.read(1, 2), ("web",)))

    def test_a_kept_row_without_provenance(self):
        tally = tallied([row(1, cluster_id="c", cluster_size=1, quality=None) | {"source": ""}])
        assert tally.defects == {"kept row without source": 1}
