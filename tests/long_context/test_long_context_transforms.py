import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_seed.long_context import transforms
from beam_seed.long_context.format import parse_sequence
from beam_seed.long_context.transforms import AssembleRepositories
from beam_seed.records import make_document

DOCUMENTS = [
    make_document("one", "a.py", "import b\n", language="Python"),
    make_document("one", "b.py", "", language="Python"),
    make_document("two", "x.js", "require('./y')", language="JavaScript"),
    make_document("two", "y.js", "", language="JavaScript"),
]
ORDER = {"one": ["b.py", "a.py"], "two": ["y.js", "x.js"]}


def repositories():
    return [(repo, [document for document in DOCUMENTS if document.repo == repo]) for repo in ("one", "two")]


def paths(sequence):
    repo, files = parse_sequence(sequence.content)
    return repo, [path for path, _ in files]


def test_repositories_become_sequences():
    made = [*repositories(), ("none", [])] | AssembleRepositories()
    assert dict(map(paths, made.sequences)) == ORDER
    assert made.failed == []


def test_a_budget_cuts():
    made = repositories() | AssembleRepositories(budget=8)
    assert sorted((sequence.repo, sequence.part, sequence.parts) for sequence in made.sequences) == [
        ("one", 0, 2),
        ("one", 1, 2),
        ("two", 0, 2),
        ("two", 1, 2),
    ]


def test_a_repository_that_cannot_be_assembled_fails_alone(monkeypatch):
    whole = transforms.assemble

    def broken(repo, *rest):
        if repo == "one":
            raise RuntimeError("no\nway")
        return whole(repo, *rest)

    monkeypatch.setattr(transforms, "assemble", broken)
    made = repositories() | AssembleRepositories()
    assert [paths(sequence)[0] for sequence in made.sequences] == ["two"]
    assert [(failed.repo, failed.path, failed.stage, failed.error) for failed in made.failed] == [
        ("one", "", "assembly", "RuntimeError: no way")
    ]


def test_in_several_processes():
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    with beam.Pipeline(options=options) as pipeline:
        grouped = pipeline | beam.Create(DOCUMENTS) | beam.GroupBy(lambda document: document.repo)
        made = grouped | AssembleRepositories()
        assert_that(made.sequences | beam.Map(paths), equal_to(list(ORDER.items())))


@pytest.mark.parametrize("wrong", [{"order": "up"}, {"budget": 0}, {"tokenizer": "/nowhere/tokenizer.json"}])
def test_parameters_are_checked_when_it_is_built(wrong):
    with pytest.raises(ValueError, match="expected"):
        AssembleRepositories(**wrong)
