import hashlib
import json
import random
from dataclasses import dataclass
from functools import partial

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.exact_dedup.transforms import DeduplicateExact
from beam_seed.judge import judge_all
from beam_seed.near_dedup.transforms import DeduplicateNear
from beam_seed.outcome import Outcome, filter_documents, merge
from beam_seed.records import Document, Failed, Rejected, document_id, fail, reject

MULTI_PROCESSING = ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]


def document(number, content, stars=None):
    data = content.encode()
    path = f"{number}.txt"
    sha256 = hashlib.sha256(data).hexdigest()
    return Document(document_id("s", "r", path), "s", "r", path, "", content, len(data), sha256, "", stars, None, "", "")


class Judge:
    """Rejects what contains 'bad', fails on 'fail', raises on 'raise', keeps the rest, in capitals."""

    def __call__(self, documents):
        return [self.judge(each) for each in documents]

    def judge(self, document):
        if "raise" in document.content:
            raise RuntimeError(f"cannot read\n{document.path}")
        if "fail" in document.content:
            return fail(document, "words", "unreadable")
        if "bad" in document.content:
            return reject(document, "words", "bad-word", float(document.content.count("bad")), 0.0)
        return document._replace(content=document.content.upper())


@dataclass
class FilterWords(beam.PTransform):
    make_judge: type = Judge

    def expand(self, documents):
        return filter_documents(documents, self.make_judge, "words")


CONTENTS = [
    "",
    "good",
    "bad",
    "bad bad",
    "fail",
    "raise",
    "one two three four five six seven",
    "one two three four five six eight",
    "é" * 20,
]

TRANSFORMS = {"judge": FilterWords, "exact": DeduplicateExact, "near": partial(DeduplicateNear, threshold=0.4)}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS.keys())
@settings(deadline=None, max_examples=5)
@given(st.lists(st.tuples(st.sampled_from(CONTENTS), st.none() | st.integers(0, 2)), min_size=3, max_size=12))
def test_kept_rejected_and_failed_partition_the_input(transform, rows):
    documents = [document(number, content, stars) for number, (content, stars) in enumerate(rows)]
    outcome = documents | transform()
    assert sorted(record.id for part in outcome for record in part) == sorted(each.id for each in documents)
    assert all(record.error for record in outcome.failed)
    assert all(record.rule and json.loads(record.evidence) is not None for record in outcome.rejected)
    by_id = {each.id: each for each in documents}
    for record in [*outcome.rejected, *outcome.failed]:
        assert (record.source, record.repo, record.path, record.size) == tuple(by_id[record.id][at] for at in (1, 2, 3, 6))


def test_each_judgement_goes_to_its_output():
    outcome = [document(number, content) for number, content in enumerate(CONTENTS)] | FilterWords()
    assert isinstance(outcome, Outcome)
    assert sorted(each.content for each in outcome.kept) == sorted(
        each.upper() for each in CONTENTS if each[:3] not in ("bad", "fai", "rai")
    )
    assert sorted((each.path, each.measured) for each in outcome.rejected) == [("2.txt", 1.0), ("3.txt", 2.0)]
    errors = {each.path: each.error for each in outcome.failed}
    assert errors == {"4.txt": "unreadable", "5.txt": "RuntimeError: cannot read 5.txt"}


def test_no_documents():
    assert [] | FilterWords() == Outcome([], [], [])


def test_windows_and_timestamps_are_kept():
    documents = [document(number, random.Random(number).choice(CONTENTS)) for number in range(40)]
    with beam.Pipeline("FnApiRunner") as pipeline:
        timed = pipeline | beam.Create(list(enumerate(documents))) | beam.MapTuple(lambda at, each: beam.window.TimestampedValue(each, at))
        outcome = timed | beam.WindowInto(beam.window.FixedWindows(10)) | FilterWords()

        def when(record, timestamp=beam.DoFn.TimestampParam, window=beam.DoFn.WindowParam):
            return record.path, int(timestamp), int(window.start)

        records = outcome | beam.Flatten() | beam.Map(when)
        expected = [(each.path, at, at // 10 * 10) for at, each in enumerate(documents)]
        assert_that(records | "Global" >> beam.WindowInto(beam.window.GlobalWindows()), equal_to(expected))


def test_an_element_in_two_windows_stays_in_both():
    with beam.Pipeline("FnApiRunner") as pipeline:
        timed = pipeline | beam.Create([beam.window.TimestampedValue(document(0, "good"), 7)])
        kept = (timed | beam.WindowInto(beam.window.SlidingWindows(10, 5)) | FilterWords()).kept
        starts = kept | beam.Map(lambda _, window=beam.DoFn.WindowParam: int(window.start))
        assert_that(starts | "Global" >> beam.WindowInto(beam.window.GlobalWindows()), equal_to([0, 5]))


def test_batches_are_bounded(monkeypatch):
    sizes = []

    class Counting(Judge):
        def __call__(self, documents):
            sizes.append((len(documents), sum(each.size for each in documents[:-1])))
            return super().__call__(documents)

    monkeypatch.setattr("beam_seed.outcome._JudgeDocuments.MAX_DOCUMENTS", 4)
    monkeypatch.setattr("beam_seed.outcome._JudgeDocuments.MAX_BYTES", 100)
    documents = [document(number, "g" * (60 if number > 15 else 1)) for number in range(30)]
    # Called by hand: what a runner pickles would not see the list.
    from beam_seed.outcome import _JudgeDocuments

    worker = _JudgeDocuments(Counting, "words")
    worker.setup()
    worker.start_bundle()
    values = [value for each in documents for value in worker.process(each, 0, None)] + list(worker.finish_bundle())
    assert [value.value.path for value in values] == [each.path for each in documents]
    assert max(count for count, _ in sizes) == 4
    assert max(size for _, size in sizes) < 100


class WrongLength(Judge):
    def __call__(self, documents):
        return super().__call__(documents)[1:]


def test_a_judge_of_the_wrong_length_fails_the_pipeline():
    with pytest.raises(ValueError, match="the judge of stage 'words' returned 1 judgements for 2 documents; expected one each"):
        _ = [document(0, "a"), document(1, "b")] | FilterWords(WrongLength)


def test_a_judge_that_raises_is_asked_again_one_by_one():
    documents = [document(number, content) for number, content in enumerate(CONTENTS)]
    judgements = judge_all(Judge(), documents, "words")
    assert [each.id for each in judgements] == [each.id for each in documents]
    kinds = [type(each) for each in judgements]
    assert kinds[2:6] == [Rejected, Rejected, Failed, Failed]


def test_a_wrong_length_after_a_raise_is_an_error_too():
    def judge(documents):
        if len(documents) > 1:
            raise RuntimeError
        return []

    with pytest.raises(ValueError, match="returned 0 judgements for 1 documents"):
        judge_all(judge, [document(0, "a"), document(1, "b")], "words")


def test_interrupts_are_not_swallowed():
    def judge(documents):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge_all(judge, [document(0, "a")], "words")


class Closing(Judge):
    def __init__(self, path):
        self.path = path

    def close(self):
        with open(self.path, "a") as out:
            out.write("closed\n")


def test_the_judge_is_closed(tmp_path):
    kept = ([document(0, "a")] | FilterWords(partial(Closing, str(tmp_path / "log")))).kept
    assert len(kept) == 1
    assert set((tmp_path / "log").read_text().split()) == {"closed"}


class Unmakeable:
    def __init__(self):
        raise OSError("no model there")


def test_a_judge_that_cannot_be_made_fails_the_pipeline():
    with pytest.raises(OSError, match="no model there"):
        _ = [document(0, "a")] | FilterWords(Unmakeable)


def test_in_two_processes():
    documents = [document(number, content) for number, content in enumerate(CONTENTS * 5)]
    with beam.Pipeline(options=PipelineOptions(MULTI_PROCESSING)) as pipeline:
        created = pipeline | beam.Create(documents)
        first = created | "Words" >> FilterWords()
        second = first.kept | "Exact" >> DeduplicateExact()
        outcome = merge([first, second], second.kept)
        counts = {"kept": 5, "rejected": 30, "failed": 10}
        for (name, count), part in zip(counts.items(), outcome, strict=True):
            assert_that(part | f"Count {name}" >> beam.combiners.Count.Globally(), equal_to([count]), label=name)
