"""Heuristics: the few pages that need no model to be dropped. Seed-Coder (arXiv 2506.03524, 3.3) names one, fewer than ten words."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from beam_seed.records import Rejected
from beam_seed.web.records import Page, reject_page

STAGE = "heuristics"


class Limits(NamedTuple):
    """What a page must keep to. Zero-word, link and damage limits are shares or counts of its main content."""

    min_words: int = 10  # the paper's
    # Tables of contents, tag clouds and directories are above it; prose with many references is below a half.
    max_link_share: float = 0.85
    # One character in a hundred is damage that a reader sees in every paragraph; a stray one in a right page is no reason.
    max_damaged_share: float = 0.01
    # Error pages say little else; an article about an error says more.
    error_page_words: int = 120


# Whole titles, or their beginning or end where a site's name is added. A number needs what makes it an error's.
_CODE = r"(?:400|401|403|404|410|429|500|502|503|504)"
_ERROR_TITLE = re.compile(
    rf"^\W*(?:error\W*{_CODE}\b|{_CODE}(?:\W*$|\s*[-–—|:]"
    r"|\s+(?:error|bad|not|page|file|forbidden|unauthorized|gone|too many|internal|service)\b)"
    r"|(?:page|file|document|object) (?:was )?not found\b|not found\b|forbidden\W*$|access denied\b|bad gateway\b"
    r"|service (?:temporarily )?unavailable\b|internal server error\b|just a moment\b|attention required\b|are you (?:a )?(?:human|robot)\b"
    r"|security check\b|checking your browser\b|domain (?:for sale|parked)\b)"
    r"|\b(?:404|page not found|access denied|domain for sale)\W*$",
    re.IGNORECASE,
)


def judge_page(page: Page, limits: Limits) -> Page | Rejected:
    """The page itself, or the first rule it breaks.

    too-few-words: under ten words of main content. error-page: a title of an HTTP error, a robot check or a parked domain, and hardly any
    words. damaged-text: replacement characters. mostly-links: links are most of the text.
    """
    if page.words < limits.min_words:
        return reject_page(page, STAGE, "too-few-words", page.words, limits.min_words)
    if page.words < limits.error_page_words and _ERROR_TITLE.search(page.title):
        told = json.dumps({"title": page.title[:200]}, ensure_ascii=False)
        return reject_page(page, STAGE, "error-page", page.words, limits.error_page_words, told)
    damaged = page.content.count("�") / len(page.content)
    if damaged > limits.max_damaged_share:
        return reject_page(page, STAGE, "damaged-text", damaged, limits.max_damaged_share, json.dumps({"charset": page.charset}))
    # A page of code is not told by its links, whatever surrounds the code.
    if page.link_share > limits.max_link_share and not page.code_blocks:
        return reject_page(page, STAGE, "mostly-links", page.link_share, limits.max_link_share)
    return page
