"""A commit and its context as one document: the question (prompt) and its answer (target).

::

    <[repo]>owner/name
    <[readme]>README.md
    ...
    <[tree]>
    src/
      main.py
    <[file]>src/main.py
    ...
    <[message]>
    Say goodbye, too
    <[paths]>                  the target begins here, see ``target``
    ...
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

from beam_seed.commits.context import Context
from beam_seed.commits.listing import Listing
from beam_seed.commits.paths import quote
from beam_seed.commits.records import CommitRecord
from beam_seed.commits.target import format_target
from beam_seed.commits.tokens import EstimatedTokens, TokenCounter
from beam_seed.special_tokens import CUT, FILE, MESSAGE, README, REPO, TREE, escape

_CUT_LINE = f"{CUT}\n"


@dataclass(frozen=True)
class Budget:
    """The tokens of one sample. Raises ValueError where a limit is negative."""

    prompt: int = 24_576
    target: int = 8_192
    """Together the length of the recipe's long sequences. Apart, so that where a prompt is cut tells nothing of its answer's length: of
    12,084 commits of four projects 1.5 % have longer targets."""
    readme: int = 2_048
    listing: int = 2_048
    file: int = 6_144
    """Of each file: three whole ones, README and listing fill a prompt."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 0:
                raise ValueError(f"{field.name} is {value!r}; expected a number of tokens, 0 leaves the part out")


class Sample(NamedTuple):
    """One sample of code change prediction."""

    prompt: str
    target: str
    prompt_tokens: int
    target_tokens: int
    files: int  # shown of those that were found
    cut: tuple[str, ...]  # parts that are shortened or left out: 'readme', 'listing', or a file's path as quoted


class TooLarge(NamedTuple):
    """The target, or else the message, which are never cut, has more tokens than its part of a sample may have."""

    measured: int
    limit: int


def format_sample(
    record: CommitRecord, context: Context, budget: Budget | None = None, counter: TokenCounter | None = None
) -> Sample | TooLarge:
    """The sample of a commit.

    Repository, message and target are whole. README, directory structure and the files from the best on take what the prompt has left, in
    this order and each up to its own limit: so the file that was found last is cut first, then the others, then the structure, then the
    README. The prompt is a function of repository, message and context; the target has no part in it.
    """
    budget, counter = budget or Budget(), counter or EstimatedTokens()
    target = format_target(record.changes)
    name, message = f"{REPO}{escape(record.repo)}\n", f"{MESSAGE}\n{escape(record.message)}\n"
    target_tokens = counter.count(target)
    if target_tokens > budget.target:
        return TooLarge(target_tokens, budget.target)
    whole = counter.count(name) + counter.count(message)
    if whole > budget.prompt:
        return TooLarge(whole, budget.prompt)
    parts = _Parts(counter, budget.prompt - whole)
    if context.readme is not None:
        parts.add_text(f"{README}{escape(quote(context.readme[0]))}\n", context.readme[1], budget.readme, "readme")
    parts.add_listing(context.listing, budget.listing)
    paths = [quote(found.path) for found in context.files]
    shown = [
        parts.add_text(f"{FILE}{escape(path)}\n", found.content, budget.file, path)
        for path, found in zip(paths, context.files, strict=True)
    ]
    prompt = name + "".join(parts.texts) + message
    return Sample(prompt, target, budget.prompt - parts.left, target_tokens, sum(shown), tuple(parts.cut))


class _Parts:
    """The parts of a prompt that may be cut."""

    def __init__(self, counter: TokenCounter, tokens: int):
        self.left = tokens
        self.texts: list[str] = []
        self.cut: list[str] = []
        self._counter = counter
        self._is_full = False  # nothing follows a part that was cut for want of tokens, even if it would fit

    def add_text(self, head: str, content: str, limit: int, name: str) -> bool:
        """Add as much of a text as fits; whether it is any."""
        room = self._room(head, limit)
        text = escape(content if content.endswith("\n") else content + "\n")
        shown = self._counter.fit(text, room) if room > 0 else ""
        if shown != text:
            self.cut.append(name)
            self._is_full = self._is_full or limit > self.left
            shown = self._counter.fit(text, room - self._counter.count(_CUT_LINE)) if shown else ""
            shown += _CUT_LINE if shown else ""
        if shown:
            self.texts.append(head + shown)
            self.left -= self._counter.count(head + shown)
        return bool(shown)

    def add_listing(self, listing: Listing, limit: int) -> None:
        """Add the listing that tells most of those that fit; where the root alone is too long, its beginning."""
        if not listing.sizes[0]:
            return
        head = f"{TREE}\n"
        room = self._room(head, limit)
        most = self._counter.most_bytes(room)
        every = len(listing.sizes) - 1
        fitting = (levels for levels in range(every, 0, -1) if listing.sizes[levels] <= most)
        levels = next((levels for levels in fitting if self._counter.count(escape(listing.text(levels))) <= room), 0)
        wants_tokens = levels < every and limit > self.left
        shown = self.add_text(head, listing.text(levels), limit, "listing")
        self._is_full = self._is_full or wants_tokens
        if shown and levels < every and "listing" not in self.cut:
            self.cut.append("listing")

    def _room(self, head: str, limit: int) -> int:
        return 0 if self._is_full else min(limit, self.left) - self._counter.count(head)
