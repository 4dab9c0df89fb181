"""The table of sources: the shipped one is whole, and what is wrong with another is said by its source and field."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from beam_seed.high_quality.sources import DEFAULT_TABLE, load_sources
from beam_seed.languages.registry import LANGUAGES
from beam_seed.notebooks.render import LANGUAGE


def test_the_shipped_table_has_the_recipes_sources_and_known_languages() -> None:
    sources = {source.name: source for source in load_sources()}
    assert list(sources) == ["languages", "algorithms", "applications", "notebooks", "general"]
    known = {entry.name for entry in LANGUAGES} | {LANGUAGE}
    for source in sources.values():
        assert set(source.pool.languages) | set(source.pool.languages_not) <= known
        assert source.about
        assert source.seed_size == 100_000
    assert sources["notebooks"].bare_comment_share == 0.05
    assert sources["general"].plain()["negatives"] == {"random": 1.0, "bare": 0.5, "low": 0.5}


def write(folder: Path, change: dict | str, where: str = "s") -> str:
    path = folder / "sources.yaml"
    own = {"pool": {"languages": ["Python"]}, "seed": {"quality_top": 0.2}}
    value = change if isinstance(change, str) else yaml.safe_dump({"sources": {where: own | change}})
    path.write_text(value)
    return str(path)


def test_what_a_table_does_not_say_is_as_shipped(tmp_path: Path) -> None:
    (source,) = load_sources(write(tmp_path, {"recall": 0.5}))
    shipped = yaml.safe_load(DEFAULT_TABLE.read_text())["defaults"]
    assert source.recall == 0.5
    assert source.max_share == shipped["max_share"]
    assert source.seed.quality_top == 0.2
    assert source.shares == {0.2, shipped["low_below_top"], shipped["found_quality_top"]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"recal": 0.5}, "'recal'"),
        ({"recall": 2}, "recall is 2"),
        ({"recall": 0}, "recall is 0"),
        ({"seed_size": 0}, "seed_size is 0"),
        ({"seed": {}}, "seed is {}"),
        ({"seed": {"quality": 1}}, "'quality'"),
        ({"seed": {"quality_top": "much"}}, "quality_top is 'much'"),
        ({"seed": {"paths": ["("]}}, "no regular expression"),
        ({"pool": {"languages": [3]}}, "languages has 3"),
        ({"negatives": {"random": 0, "bare": 1, "low": 1}}, "random is 0"),
        ({"negatives": {"random": 1}}, "lacks 'bare'"),
        ("a: [", "no YAML"),
        ("[]", "no 'sources'"),
        ("sources: {}", "no 'sources'"),
        ("sources: {x: 3}", "source x is 3"),
        ("sources: {x: {}}\nmore: 1", "'more'"),
        ("sources: {X: {pool: {languages: [C]}, seed: {quality_top: 1}}}", "'X'"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(tmp_path: Path, change: dict | str, told: str) -> None:
    with pytest.raises(ValueError, match=r"sources\.yaml") as error:
        load_sources(write(tmp_path, change))
    assert told in str(error.value)
