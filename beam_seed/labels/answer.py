"""Reading the rating out of an answer. The answer's author may have copied from the file, and the file may want to be copied.

Guaranteed, whatever the answer and whatever the file: a rating form that is copied out of the file is never the rating.

- An answer that ends as it was asked to, with the seal and then ``Rating: [[X]]``, is taken at its word: the file cannot hold the seal.
- In any other answer quotations are taken out first (the text between the file's marks, copies of the whole file, fenced blocks, lines
  that begin with '>', a ``<think>`` block), then the last form counts, but only if no such form with that number stands in the file.

What is not a number from 0 to 10 in the form that counts is no rating, whatever other forms there are.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from beam_seed.labels.prompt import Prompt

# ASCII only: a digit or letter of another script that looks alike is none. Asterisks are Markdown's bold.
_FORM = re.compile(r"\*{0,2}rating\*{0,2}:\*{0,2}[ \t]*\[\[([^\[\]\n]*)\]\]", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2})?")
_THINKING = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_FENCED = re.compile(r"^[ \t]{0,3}(```+|~~~+).*?(^[ \t]{0,3}\1`*~*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_QUOTED_LINE = re.compile(r"^[ \t]{0,3}>.*$", re.MULTILINE)


class MalformedAnswerError(ValueError):
    """An answer without a rating."""


class Reading(NamedTuple):
    """What an answer says."""

    rating: float  # 0 to 10
    explanation: str  # the answer's text without the rating


def read_answer(answer: str, prompt: Prompt) -> Reading:
    """The rating in ``answer`` to ``prompt``. Raises MalformedAnswerError."""
    sealed = _after_seal(answer, prompt.seal)
    if sealed is not None:
        explanation, form = sealed
        return Reading(_number(form), explanation)
    own = _without_quotations(answer, prompt)
    forms = list(_FORM.finditer(own))
    if not forms:
        raise MalformedAnswerError("the answer has no rating outside of quotations; expected 'Rating: [[X]]'")
    rating = _number(forms[-1])
    if rating in set(_numbers(prompt.shown)):
        raise MalformedAnswerError(f"the answer has the rating {rating:g} without the seal, and the file holds that form: it may be copied")
    return Reading(rating, own[: forms[-1].start()].strip())


def _after_seal(answer: str, seal: str) -> tuple[str, re.Match[str]] | None:
    """The text before the last line with the seal, and the form that is all of the next line with text; None without seal or form."""
    before, found, after = answer.rpartition(seal)
    line = next((line.strip() for line in after.split("\n")[1:] if line.strip()), "")
    form = _FORM.fullmatch(line.removesuffix("**")) if found else None
    return (before.rpartition("\n")[0].strip(), form) if form else None


def _without_quotations(answer: str, prompt: Prompt) -> str:
    own = _THINKING.sub("\n", answer)
    marked = re.compile(rf"(?:begin\s+)?{prompt.mark}.*?(?:end\s+{prompt.mark}|\Z)", re.DOTALL)
    own = marked.sub("\n", own)
    if whole := prompt.shown.strip():
        own = own.replace(whole, "\n")
    return _QUOTED_LINE.sub("", _FENCED.sub("\n", own))


def _number(form: re.Match[str]) -> float:
    text = form[1].strip(" ")
    if not _NUMBER.fullmatch(text) or float(text) > 10:
        raise MalformedAnswerError(f"the answer's rating is {form[0][:80]!r}; expected a number from 0 to 10")
    return float(text)


def _numbers(text: str) -> list[float]:
    """The numbers of all forms in a text."""
    return [float(found) for form in _FORM.finditer(text) if _NUMBER.fullmatch(found := form[1].strip(" "))]
