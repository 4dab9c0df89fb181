import apache_beam as beam
import pytest
from apache_beam.ml.inference.base import ModelMetadata
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_seed.quality import transforms
from beam_seed.quality.package import InputFormat, write_card
from beam_seed.quality.scorer import Scorer
from beam_seed.quality.transforms import ScoreQuality


@pytest.fixture
def keyed(make_document):
    return [(f"key {n}", make_document("ab\n" * (n % 23) + str(n), path=f"{n}.py")) for n in range(60)]


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory, make_scorer):
    """A scorer whose output is NaN for every text with a '!', and that has no tokens for an empty text."""
    from safetensors.torch import load_file, save_file
    from tokenizers import Tokenizer, processors

    directory = make_scorer(tmp_path_factory.mktemp("poisoned"))
    weights = load_file(directory / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.post_processor = processors.ByteLevel()
    tokenizer.save(str(directory / "tokenizer.json"))
    weights["model.embed_tokens.weight"][tokenizer.token_to_id("!")] = float("nan")
    save_file(weights, directory / "model.safetensors", {"format": "pt"})
    write_card(directory, InputFormat("", 60, 48))
    return str(directory)


def test_every_key_has_the_score_of_its_document(scorer_directory, keyed):
    result = keyed | ScoreQuality(str(scorer_directory), batch_tokens=200)
    expected = Scorer.load(str(scorer_directory), batch_tokens=200).score([document for _, document in keyed])
    assert dict(result.scores) == {key: float(score) for (key, _), score in zip(keyed, expected, strict=True)}
    assert len(result.scores) == len(keyed)
    assert result.failed == []


def test_full_buffers_change_nothing(scorer_directory, keyed, monkeypatch):
    whole = keyed | ScoreQuality(str(scorer_directory), batch_tokens=200)
    monkeypatch.setattr(transforms._EncodeAndBatch, "MAX_WAITING", 7)
    assert sorted((keyed | "Again" >> ScoreQuality(str(scorer_directory), batch_tokens=200)).scores) == sorted(whole.scores)


def test_reshuffles_around_an_accelerator_change_nothing(scorer_directory, keyed, monkeypatch):
    whole = keyed | ScoreQuality(str(scorer_directory), batch_tokens=200)
    handler = transforms.ScorerHandler
    monkeypatch.setattr(
        transforms, "ScorerHandler", lambda scorer, tokens, processes, accelerator, copies: handler(scorer, tokens, processes, False)
    )
    with_accelerator = ScoreQuality(str(scorer_directory), batch_tokens=200, accelerator="type:nvidia-l4;count:1")
    assert sorted((keyed | "Again" >> with_accelerator).scores) == sorted(whole.scores)


def test_an_accelerator_that_is_not_there_is_an_error(scorer_directory, keyed):
    with pytest.raises(Exception, match="no CUDA device"):
        keyed | ScoreQuality(str(scorer_directory), batch_tokens=200, accelerator="type:nvidia-l4;count:1")


def test_culprits_fail_and_their_neighbours_do_not(poisoned, keyed, make_document):
    bad = [("nan", make_document("wow!", path="nan.py")), ("empty", make_document("", path="empty.py"))]
    result = [*keyed[:30], *bad, *keyed[30:]] | ScoreQuality(poisoned, batch_tokens=2000, max_failed_share=0.05)
    assert {key for key, _ in result.scores} == {key for key, _ in keyed}
    failed = dict(result.failed)
    assert {key: record.path for key, record in failed.items()} == {"nan": "nan.py", "empty": "empty.py"}
    assert "finite" in failed["nan"].error
    assert "no tokens" in failed["empty"].error
    assert {record.stage for record in failed.values()} == {"quality"}


def test_too_many_failures_fail_the_job(poisoned, keyed, make_document):
    with pytest.raises(Exception, match=r"1 of 61 documents could not be scored; expected at most the share 0.01"):
        [*keyed, ("nan", make_document("!"))] | ScoreQuality(poisoned, batch_tokens=2000)


def scored_with_update(first, second, keyed):
    with beam.Pipeline("FnApiRunner") as pipeline:
        updates = pipeline | "Update" >> beam.Create([ModelMetadata(model_id=str(second), model_name="second")])
        documents = pipeline | beam.Create(keyed)
        scores = (documents | ScoreQuality(str(first), batch_tokens=200, updates=updates)).scores
        expected = Scorer.load(str(second), batch_tokens=200).score([document for _, document in keyed])
        assert_that(scores, equal_to([(key, float(score)) for (key, _), score in zip(keyed, expected, strict=True)]))


def test_a_side_input_updates_the_model(scorer_directory, make_scorer, keyed, tmp_path):
    scored_with_update(scorer_directory, make_scorer(tmp_path, seed=1), keyed)


def test_an_update_that_reads_documents_otherwise_is_refused(scorer_directory, make_scorer, keyed, tmp_path):
    other = make_scorer(tmp_path, seed=1)
    write_card(other, InputFormat("{path} ", 60, 48))
    with pytest.raises(Exception, match="reads documents in another way"):
        scored_with_update(scorer_directory, other, keyed)


def test_copies_are_for_accelerators():
    handler = transforms.ScorerHandler
    assert handler("", 512, 1, True, 3).model_copies() == 3
    assert handler("", 512, 1, True, 3).share_model_across_processes()
    assert not handler("", 512, 1, False, 3).share_model_across_processes()


def test_empty_input(scorer_directory):
    assert [] | ScoreQuality(str(scorer_directory), batch_tokens=64) == ([], [])


def test_windows_are_refused(scorer_directory, keyed):
    windowed = beam.Pipeline("FnApiRunner") | beam.Create(keyed) | beam.WindowInto(beam.transforms.window.FixedWindows(60))
    with pytest.raises(ValueError, match="expected the global window"):
        windowed | ScoreQuality(str(scorer_directory))


@pytest.mark.parametrize(
    "parameters", [{"max_failed_share": 1.5}, {"max_failed_share": float("nan")}, {"batch_tokens": 0}, {"model_copies": 0}]
)
def test_bad_parameters(parameters):
    with pytest.raises(ValueError, match="expected"):
        ScoreQuality(**parameters)


def test_across_processes(scorer_directory, keyed):
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    expected = Scorer.load(str(scorer_directory), batch_tokens=200).score([document for _, document in keyed])
    with beam.Pipeline(options=options) as pipeline:
        result = pipeline | beam.Create(keyed) | ScoreQuality(str(scorer_directory), batch_tokens=200)
        assert_that(result.scores, equal_to([(key, float(score)) for (key, _), score in zip(keyed, expected, strict=True)]))
        assert_that(result.failed, equal_to([]), "Assert nothing failed")
