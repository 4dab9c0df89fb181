"""Judging documents by their syntax: kept, rejected with its measurement, or failed."""

import json

import pytest

from beam_seed.records import Document, Failed, Rejected, document_id
from beam_seed.syntax.check import SyntaxJudge, check_batch, judge_syntax
from beam_seed.syntax.isolation import ParserProcess
from beam_seed.syntax.limits import LIMITS
from beam_seed.syntax.measure import UNCHECKED, measure


def document(path: str, content: str, language: str) -> Document:
    size = len(content.encode("utf-8", "surrogatepass"))
    return Document(document_id("s", "r", path), "s", "r", path, "", content, size, "", "", None, None, "", language)


GOOD = document("good.py", "x = 1\n", "Python")
BAD = document("bad.py", "x = 1\ny = )\n", "Python")
HANGS = document("hangs.pl", "s#", "Perl")
UNKNOWN = document("grammar.y", ")]}", "Yacc")
TOLERATED = document("macro.c", "/* " + "x" * 500 + " */\nint a b c;\n", "C")


@pytest.fixture(scope="module")
def process():
    with ParserProcess(cpu_seconds=0.3) as process:
        yield process


def test_check_batch_measures_each_document_in_order(process):
    batch = [GOOD, UNKNOWN, BAD, HANGS, GOOD, document("none", "x", "")]
    results = check_batch(batch, process)
    assert results[:3] == [measure(b"x = 1\n", "Python"), UNCHECKED, measure(b"x = 1\ny = )\n", "Python")]
    assert (results[3].id, results[3].stage, results[3].error.split(":")[0]) == (HANGS.id, "syntax", "time-out")
    assert results[4:] == [results[0], UNCHECKED]


def test_kept_rejected_and_failed(process):
    kept, rejected, failed, unchecked, tolerated = judge_syntax([GOOD, BAD, HANGS, UNKNOWN, TOLERATED], process)
    assert kept is GOOD
    assert unchecked is UNKNOWN
    assert tolerated is TOLERATED
    assert isinstance(failed, Failed)
    assert isinstance(rejected, Rejected)
    assert (rejected.id, rejected.stage, rejected.rule, rejected.limit) == (BAD.id, "syntax", "syntax-error", 0.0)
    measured = measure(b"x = 1\ny = )\n", "Python")
    assert rejected.measured == measured.error_share > 0
    assert json.loads(rejected.evidence) == {"grammar": "python", "error_bytes": measured.error_bytes, "first_error": measured.first_error}


def test_limits_decide_and_a_share_at_the_limit_is_kept(process):
    share = measure(TOLERATED.content.encode(), "C", enough=1.0).error_share
    assert 0 < share < LIMITS["C"]
    assert judge_syntax([TOLERATED], process, {**LIMITS, "C": share}) == [TOLERATED]
    (rejected,) = judge_syntax([TOLERATED], process, {**LIMITS, "C": 0.0})
    assert (rejected.rule, rejected.limit) == ("syntax-error", 0.0)
    assert judge_syntax([BAD], process, {**LIMITS, "Python": 1.0}) == [BAD]


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("x = 1  # \ud800\n", None),
        ("\ud800\udfff" * 100, False),
        ("x = 1\n\x00\n", False),
        ("", True),
        ("\n", True),
        ("x = " + "[" * 10_000, False),
        ("# " + "x" * 5_000_000, True),
        ("# \U0001f600 é\n", True),
        ("x = 1\r\ny = 2\r\n", True),
    ],
)
def test_hostile_text_is_judged(content, kept, process):
    (judgement,) = judge_syntax([document("a.py", content, "Python")], process)
    assert judgement.id == document_id("s", "r", "a.py")
    if kept is not None:
        assert (getattr(judgement, "rule", None) is None) == kept
        assert not hasattr(judgement, "error")


def test_the_judge_closes_its_process():
    judge = SyntaxJudge(LIMITS)
    assert judge([GOOD]) == [GOOD]
    child = judge._process._child
    judge.close()
    assert child.poll() is not None
    assert judge([]) == []
