"""Which columns of a table hold what: the names in use among published code datasets, and the ones a user gives instead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

NEEDED = ("content", "repo", "path")


class ColumnMap(NamedTuple):
    """Per field of a document the columns that may hold it, the first one present wins.

    The defaults are the names of The Stack v1 and v2, CodeParrot, StarCoderData and BigQuery's GitHub tables.
    """

    content: tuple[str, ...] = ("content", "text", "code")
    repo: tuple[str, ...] = ("max_stars_repo_name", "repo_name", "repository_name", "repo", "repository")
    path: tuple[str, ...] = ("max_stars_repo_path", "path", "file_path", "filepath", "filename")
    revision: tuple[str, ...] = ("max_stars_repo_head_hexsha", "revision_id", "revision", "commit", "commit_id")
    license: tuple[str, ...] = ("max_stars_repo_licenses", "detected_licenses", "licenses", "license")
    stars: tuple[str, ...] = ("max_stars_count", "star_events_count", "stars", "stargazers_count", "star_count")
    forks: tuple[str, ...] = ("max_forks_count", "fork_events_count", "forks", "forks_count")
    created: tuple[str, ...] = ("gha_created_at", "created_at", "created")

    @classmethod
    def parse(cls, text: str) -> ColumnMap:
        """The defaults with the columns of ``--columns=content=text,repo=project``. Raises ValueError on anything else.

        >>> ColumnMap.parse("content=body").content
        ('body',)
        """
        columns = cls()
        for pair in filter(None, (pair.strip() for pair in text.split(","))):
            field, _, column = (part.strip() for part in pair.partition("="))
            if field not in cls._fields or not column:
                raise ValueError(f"--columns: {pair!r} is not FIELD=COLUMN with a field of {', '.join(cls._fields)}")
            columns = columns._replace(**{field: (column,)})
        return columns

    def found(self, names: Iterable[str]) -> dict[str, str]:
        """Field -> the column that holds it, of those present."""
        present = set(names)
        chosen = {field: next((name for name in candidates if name in present), "") for field, candidates in self._asdict().items()}
        return {field: name for field, name in chosen.items() if name}

    def resolve(self, names: Iterable[str]) -> dict[str, str]:
        """``found``. Raises ValueError, listing the columns there are, where a field every document needs is not among them."""
        listed = list(names)
        found = self.found(listed)
        missing = [field for field in NEEDED if field not in found]
        if missing:
            tried = "; ".join(f"{field}: none of {', '.join(getattr(self, field))}" for field in missing)
            raise ValueError(
                f"missing columns ({tried}); found {', '.join(listed) or 'none'}; name them with --columns={missing[0]}=COLUMN"
            )
        return found
