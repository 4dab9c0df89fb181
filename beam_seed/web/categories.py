"""Categories of pages by form and function: the table of how each is judged and sampled, and the rules that tell a page's category."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from beam_seed import storage

DEFAULT_TABLE = Path(__file__).parent / "categories.yaml"
_RULES = Path(__file__).parent / "category_rules.yaml"

NAMES = ("documentation", "tutorial", "qa", "forum", "tech_blog", "code_hosting", "news", "e_commerce", "reference", "other")


class Policy(NamedTuple):
    """How the pages of one category are judged and sampled."""

    criteria: str  # what an oracle rates its pages by
    drop_lowest: float | None  # share of its scored pages; None where a threshold is given
    threshold: float | None  # score from 0 to 1; None where a share is given
    sampling_rate: float  # of what passes, 0 to 1


class Table(NamedTuple):
    """A categories.yaml."""

    policies: Mapping[str, Policy]  # one for each of NAMES, in that order
    target_mix: Mapping[str, float]  # category -> share of what comes out; empty where sampling rates hold

    def plain(self) -> dict[str, Any]:
        """What decides, as JSON values: criteria only matter to an oracle."""
        limits = {name: [policy.drop_lowest, policy.threshold, policy.sampling_rate] for name, policy in self.policies.items()}
        return {"policies": limits, "target_mix": dict(self.target_mix)}


@functools.lru_cache(maxsize=4)
def load_table(path: str = "") -> Table:
    """The table at ``path``, '' for the one that comes with the package. Raises ValueError that names the category and the field."""
    with storage.open_read(path or str(DEFAULT_TABLE)) as file:
        try:
            value = yaml.safe_load(file)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(
                f"{path} is no YAML ({' '.join(str(error).split())}); expected a table like beam_seed/web/categories.yaml"
            ) from None
    if not isinstance(value, dict) or not isinstance(value.get("categories"), dict):
        raise ValueError(f"{path} has no 'categories'; expected a table like beam_seed/web/categories.yaml")
    if unknown := sorted(set(value) - {"categories", "target_mix"}):
        raise ValueError(f"{path} has {unknown[0]!r}; expected 'categories' and, if wanted, 'target_mix'")
    given = value["categories"]
    if set(given) != set(NAMES):
        odd = sorted(map(str, set(given) ^ set(NAMES)))
        raise ValueError(f"{path}: categories differ from ours in {', '.join(odd)}; expected each of {', '.join(NAMES)}")
    policies = {name: _policy(name, given[name]) for name in NAMES}
    return Table(policies, _target_mix(value.get("target_mix") or {}))


def _policy(name: str, given: Any) -> Policy:
    known = {"criteria", "drop_lowest", "threshold", "sampling_rate", "why"}
    if not isinstance(given, dict) or set(given) - known:
        odd = sorted(map(str, set(given) - known)) if isinstance(given, dict) else given
        raise ValueError(f"category {name}: found {odd}; expected fields among {sorted(known)}")
    if ("drop_lowest" in given) == ("threshold" in given):
        raise ValueError(f"category {name}: expected drop_lowest or threshold, one of them and not both")
    criteria = given.get("criteria")
    if not isinstance(criteria, str) or not criteria.strip():
        raise ValueError(f"category {name}: criteria is {criteria!r}; expected a text that an oracle rates its pages by")
    drop = _number(name, given, "drop_lowest", below_one=True) if "drop_lowest" in given else None
    threshold = _number(name, given, "threshold") if "threshold" in given else None
    return Policy(criteria.strip(), drop, threshold, _number(name, given, "sampling_rate"))


def _number(name: str, given: Mapping[str, Any], field: str, below_one: bool = False) -> float:
    value = given.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1 or (below_one and value == 1):
        raise ValueError(f"category {name}: {field} is {value!r}; expected a number from 0 to {'below ' if below_one else ''}1")
    return float(value)


def _target_mix(given: Any) -> dict[str, float]:
    if not isinstance(given, dict) or set(given) - set(NAMES):
        raise ValueError(f"target_mix is {given}; expected shares of categories among {', '.join(NAMES)}")
    mix = {name: _number(name, given, name) for name in NAMES if name in given}
    if mix and abs(sum(mix.values()) - 1) > 1e-9:
        raise ValueError(f"target_mix sums to {sum(mix.values()):g}; expected 1")
    return mix


def criteria(category: str, path: str = "") -> str:
    """What an oracle rates the pages of a category by, from the table at ``path``. Raises KeyError where there is no such category."""
    return load_table(path).policies[category].criteria


class Found(NamedTuple):
    """A page's category."""

    category: str
    how: str  # 'host', 'markup', 'generator', 'model', 'path' or 'default'


class Rules(NamedTuple):
    """category_rules.yaml, turned round: evidence -> category."""

    hosts: Mapping[str, str]
    first_labels: Mapping[str, str]  # of 'label.*'
    markup: Mapping[str, str]
    generators: Mapping[str, str]
    paths: Mapping[str, str]


@functools.cache
def load_rules() -> Rules:
    """The rules that come with the package. Raises ValueError where two categories claim the same evidence."""
    turned: dict[str, dict[str, str]] = {field: {} for field in Rules._fields}
    for category, own in yaml.safe_load(_RULES.read_text(encoding="utf-8")).items():
        for kind, names in own.items():
            for name in names:
                field, key = ("first_labels", name[:-2]) if kind == "hosts" and name.endswith(".*") else (kind, name)
                if turned[field].setdefault(key, category) != category:
                    raise ValueError(f"{kind} {name!r} is claimed by {turned[field][key]} and {category}; expected one")
    return Rules(**turned)


def strong_rule(host: str, generator: str, markup: str) -> Found | None:
    """The category that host, markup or generator tell, in this order; None where none does."""
    rules = load_rules()
    category = _by_host(host.partition(":")[0], rules)
    if category:
        return Found(category, "host")
    for name in markup.split():
        if name in rules.markup:
            return Found(rules.markup[name], "markup")
    words = generator.split()
    for end in range(len(words), 0, -1):
        if (category := rules.generators.get(" ".join(words[:end]).rstrip(":,"))) is not None:
            return Found(category, "generator")
    return None


def _by_host(host: str, rules: Rules) -> str | None:
    labels = host.split(".")
    for start in range(len(labels)):  # the longest match first
        if (category := rules.hosts.get(".".join(labels[start:]))) is not None:
            return category
    # A first label says what a host is for where there is a domain below it.
    return rules.first_labels.get(labels[0]) if len(labels) > 2 else None


def weak_rule(path: str) -> Found:
    """The category that a segment of the path hints at, the first that does; 'other' where none does."""
    rules = load_rules()
    for segment in path.partition("?")[0].lower().split("/"):
        if segment in rules.paths:
            return Found(rules.paths[segment], "path")
    return Found("other", "default")
