"""Mixtures: factors give the shares asked for, copies are a function of the document alone, stages say what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.draws import draws
from beam_seed.mixture.plan import copies, solve_factors
from beam_seed.mixture.stage import load_stage, presets, stage_of


def stage(tokens: float | None = None, max_epochs: float = 1.0, **sources: dict):
    return stage_of({"sources": sources, "max_epochs": max_epochs} | ({"tokens": tokens} if tokens else {}))


def test_weights_share_a_total() -> None:
    mixed = stage(1000, a={"weight": 3}, b={"weight": 1}, c={"tokens": 200}, d={"epochs": 2})
    factors = solve_factors(mixed, {"a": 300, "b": 50, "c": 400, "d": 100})
    # c takes 200, d 200; 600 are left: 450 of a, 150 of b.
    assert factors == pytest.approx({"a": 1.5, "b": 3.0, "c": 0.5, "d": 2.0})


def test_without_a_total_the_scarcest_source_decides() -> None:
    mixed = stage(max_epochs=4, a={"weight": 0.5}, b={"weight": 0.5})
    assert solve_factors(mixed, {"a": 1000, "b": 100}) == pytest.approx({"a": 0.4, "b": 4.0})


@given(st.dictionaries(st.sampled_from("abcd"), st.tuples(st.floats(0.01, 9), st.floats(1, 1e12)), min_size=1))
def test_shares_are_the_weights(sources: dict) -> None:
    factors = solve_factors(
        stage(max_epochs=2, **{name: {"weight": weight} for name, (weight, _) in sources.items()}),
        {name: total for name, (_, total) in sources.items()},
    )
    taken = {name: factors[name] * total for name, (_, total) in sources.items()}
    weights = sum(weight for weight, _ in sources.values())
    for name, (weight, _) in sources.items():
        assert taken[name] / sum(taken.values()) == pytest.approx(weight / weights)
    assert max(factors.values()) == pytest.approx(2) or max(factors.values()) < 2 + 1e-9
    assert any(factor == pytest.approx(2) for factor in factors.values())


@pytest.mark.parametrize(
    ("tokens", "totals", "message"),
    [(100, {"a": 10, "b": 0}, "source 'b' holds no tokens"), (100, {"a": 10, "b": 50}, "expected more, for the weights")],
)
def test_what_cannot_be_mixed_is_told(tokens: float, totals: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        solve_factors(stage(tokens, a={"weight": 1}, b={"epochs": 3}), totals)


def test_copies_are_what_the_factor_says_and_never_fewer_for_more() -> None:
    names = [str(number) for number in range(5000)]
    for factor in (0.0, 0.25, 1.0, 2.6):
        counts = [copies(7, "code", name, factor) for name in names]
        assert set(counts) <= {int(factor), int(factor) + 1}
        assert abs(sum(counts) / len(counts) - factor) < 0.03
    for name in names[:300]:
        own = [copies(7, "code", name, factor / 10) for factor in range(30)]
        assert own == sorted(own)
    assert [copies(7, "code", name, 0.5) for name in names] != [copies(8, "code", name, 0.5) for name in names]
    assert [copies(7, "code", name, 0.5) for name in names] != [copies(7, "web", name, 0.5) for name in names]


def test_draws_are_even_and_independent_of_purpose() -> None:
    assert draws(1, "a", "x", 2) == draws(1, "a", "x", 2)
    assert len({draws(seed, purpose, *names) for seed in (1, 2) for purpose in "ab" for names in (("x", 2), ("x", 3), ("x",))}) == 12
    found = [draws(0, "t", number).below(3, 10) for number in range(5000)]
    assert {*found} == set(range(10))
    assert min(found.count(digit) for digit in range(10)) > 400


def test_presets_name_the_recipes_phases() -> None:
    assert presets() == ["continued-32k", "continued-8k", "regular"]
    regular = load_stage("regular", {"code": ["c"], "web": ["w"]})
    assert (regular.fim_rate, regular.sequence_length, [*regular.sources]) == (0.5, 8192, ["code", "web"])
    for name, length in (("continued-8k", 8192), ("continued-32k", 32768)):
        sources = ["code", "web", "repositories", "commits", "high_quality", "long_context"]
        found = load_stage(name, {each: ["x"] for each in sources})
        assert (found.fim_rate, found.sequence_length, [*found.sources]) == (0.1, length, sources)
        assert sum(source.weight or 0 for source in found.sources.values()) == pytest.approx(1)


def test_a_stage_is_read_from_a_file_with_inputs_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("sequence_length: 128\nsources:\n  a: {input: x, tokens: 2e9}\n  b: {epochs: 0.5, text: [p, t], formatted: true}\n")
    found = load_stage(str(path), {"b": ["y", "z"]})
    assert found.sources["a"].input == ("x",)
    assert found.sources["a"].tokens == 2_000_000_000
    assert found.sources["b"].input == ("y", "z")
    assert found.sources["b"].text == ("p", "t")
    assert stage_of(found.to_json()) == found
    assert [*load_stage(str(path), without=["b"]).sources] == ["a"]
    with pytest.raises(ValueError, match="'b' has no input; give --source=b=PATH"):
        load_stage(str(path))
    with pytest.raises(ValueError, match="no source 'c'; found a, b"):
        load_stage(str(path), {"c": ["y"]})
    with pytest.raises(ValueError, match="every source is left out"):
        load_stage(str(path), without=["a", "b"])


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([], "holds list; expected keys"),
        ({}, "sources is None; expected a name"),
        ({"sources": {"a": {"epochs": 1}}, "seqence_length": 8}, "'seqence_length'; expected 'sequence_length'?"),
        ({"sources": {"a": {"epochs": 1}}, "sequence_length": 1}, "sequence_length is 1; expected 2 tokens or more"),
        ({"sources": {"a": {"epochs": 1}}, "fim_rate": 1.5}, "fim_rate is 1.5; expected a share"),
        ({"sources": {"a": {"epochs": 1}}, "seed": "x"}, "seed is 'x'; expected a whole number"),
        ({"sources": {"a": {"epochs": 1}}, "tokens": 10}, "no source has a weight"),
        ({"sources": {"a": 3}}, r"sources.a is 3; expected keys"),
        ({"sources": {"a b": {"epochs": 1}}}, "called 'a b'; expected letters"),
        ({"sources": {"a": {}}}, "sources.a has none of them; expected exactly one of weight, tokens, epochs"),
        ({"sources": {"a": {"weight": 1, "epochs": 1}}}, "has weight and epochs; expected exactly one"),
        ({"sources": {"a": {"weight": 0}}}, "sources.a.weight is 0.0; expected a number above 0"),
        ({"sources": {"a": {"weight": float("nan")}}}, "expected a number"),
        ({"sources": {"a": {"tokens": 1.5}}}, "expected a whole number"),
        ({"sources": {"a": {"weight": 1, "formatted": "yes"}}}, "formatted is 'yes'; expected true or false"),
        ({"sources": {"a": {"weight": 1, "text": []}}}, "text is empty"),
        ({"sources": {"a": {"weight": 1, "text": [1]}}}, "expected a text or a list"),
        ({"sources": {"a": {"weight": 1, "columns": {"url": "x"}}}}, "columns has 'url': 'x'; expected names of columns"),
        ({"sources": {"a": {"weight": 1, "columns": 4}}}, "columns is 4; expected a mapping"),
    ],
)
def test_errors_name_the_key_what_was_found_and_what_is_expected(found: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stage_of(found)


def test_files_that_are_no_stages(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("a: [")
    with pytest.raises(ValueError, match="is no YAML"):
        load_stage(str(tmp_path / "s.yaml"))
    with pytest.raises(ValueError, match="no stage 'regulr'; expected one of continued-32k"):
        load_stage("regulr")
    with pytest.raises(OSError, match=r"t\.yaml"):
        load_stage(str(tmp_path / "t.yaml"))
