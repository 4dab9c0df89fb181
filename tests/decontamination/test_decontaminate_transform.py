"""The transform on documents, against a plain-Python account of what shares ten words with what."""

from __future__ import annotations

import json
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_seed.decontamination import judge
from beam_seed.decontamination.benchmarks import BenchmarkError
from beam_seed.decontamination.index import Ids, Index, Limits
from beam_seed.decontamination.judge import Overlap, overlaps
from beam_seed.decontamination.transforms import Decontaminate
from beam_seed.records import Document, make_document

PROMPT = "def close(numbers, limit):\n    '''Check if in given list of numbers, are any two closer to each other than the limit.'''\n"
HEADER = "this text stands at the top of every file that the foundation has ever published"


@pytest.fixture
def benchmark(tmp_path: Path) -> str:
    items = [{"task_id": "T/0", "prompt": PROMPT, "answer": "    return 1\n"}, {"task_id": "T/1", "prompt": HEADER + " " + "one two " * 30}]
    (tmp_path / "bench.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    return str(tmp_path / "bench.jsonl")


def documents() -> list[Document]:
    clean = [make_document(f"r{n}", "clean.py", f"def clean{n}():\n    return {n}\n") for n in range(5)]
    licensed = [make_document(f"r{n}", "licensed.py", f"# {HEADER.upper()}\nx = {n}\n") for n in range(5)]
    copies = [make_document(f"r{n}", "copy.py", f"y = {n}\n" + PROMPT.replace("\n", "\n\t# ").title()) for n in range(5)]
    return [*clean, *licensed, *copies, make_document("r0", "empty.py", "")]


def names(records: list) -> list[tuple[str, str]]:
    return sorted((record.repo, record.path) for record in records)


def test_boilerplate_is_kept_and_copies_never_are(benchmark: str) -> None:
    kept, rejected, failed = documents() | Decontaminate([benchmark], Limits(common=4))
    assert names(rejected) == [(f"r{n}", "copy.py") for n in range(5)]
    assert names(kept + rejected) == names(documents())
    assert failed == []
    assert json.loads(rejected[0].evidence)["hits"] == [
        {"benchmark": "bench", "item": "T/0", "ngram": "def close numbers limit check if in given list of", "ngrams": 12}
    ]
    assert (rejected[0].stage, rejected[0].rule, rejected[0].measured, rejected[0].limit) == ("decontamination", "benchmark-overlap", 12, 0)


def test_a_template_of_many_items_tells_of_the_benchmark_not_of_its_items(tmp_path: Path) -> None:
    template = "Write a self contained function in Python that solves this problem: "
    items = [{"id": f"T/{n}", "prompt": template + " ".join(f"word{n}_{k}" for k in range(20))} for n in range(11)]
    (tmp_path / "bench.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    both = [make_document("a", "x", template), make_document("b", "x", items[3]["prompt"])]
    rejected = (both | Decontaminate([str(tmp_path / "bench.jsonl")])).rejected
    told = {record.repo: json.loads(record.evidence)["hits"] for record in rejected}
    shared = {"benchmark": "bench", "items": 11, "ngram": "write a self contained function in python that solves this", "ngrams": 2}
    assert told["a"] == [shared]
    assert [hit.get("item") for hit in told["b"]] == ["T/3", None]
    counts = {"bench": (11, 11), "other": (2, 1)}
    assert overlaps(counts, [record.evidence for record in rejected]) == [Overlap("bench", 11, 11, 1, 2), Overlap("other", 2, 1, 0, 0)]


@pytest.mark.parametrize("common", [5, 0])
def test_what_few_have_is_no_boilerplate(benchmark: str, common: int) -> None:
    kept, rejected, _ = documents() | Decontaminate([benchmark], Limits(common=common))
    assert names(rejected) == sorted((f"r{n}", path) for n in range(5) for path in ("copy.py", "licensed.py"))
    assert len(kept) == 6


def test_a_document_that_cannot_be_searched_fails_alone(benchmark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def search(batch: list[Document], index: Index) -> list[Ids]:
        if any(document.path == "broken.py" for document in batch):
            raise RuntimeError("cannot be searched")
        return whole_search(batch, index)

    whole_search = judge.search
    monkeypatch.setattr(judge, "search", search)
    kept, rejected, failed = [*documents(), make_document("r9", "broken.py", "x")] | Decontaminate([benchmark])
    assert [(record.path, record.stage, record.error) for record in failed] == [
        ("broken.py", "decontamination", "RuntimeError: cannot be searched")
    ]
    assert len(kept) + len(rejected) == len(documents())


def test_across_processes(benchmark: str) -> None:
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    with beam.Pipeline(options=options) as pipeline:
        outcome = pipeline | beam.Create(documents()) | Decontaminate([benchmark], Limits(common=4))
        assert_that(outcome.rejected | beam.Map(lambda r: (r.repo, r.path)), equal_to([(f"r{n}", "copy.py") for n in range(5)]))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"words": 0}, "1 to 32"),
        ({"shortest": 11}, "1 to the 10"),
        ({"letters": 11}, "0 to its 10"),
        ({"common": -1}, "none is"),
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Limits(**wrong)


def test_benchmarks_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="no file at"):
        Decontaminate([str(tmp_path / "none.jsonl")])
    with pytest.raises(ValueError, match="expected a list"):
        Decontaminate([])
