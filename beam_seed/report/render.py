"""report.json as one self-contained page: no scripts, nothing fetched, everything from the input escaped."""

from __future__ import annotations

import json
import math
import re
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

from beam_seed.report.charts import candidate_curve, candidate_probability, histogram, unit_histogram
from beam_seed.report.schema import Report

# Unprintable in HTML, or able to make a text look like another one: control characters, lone surrogates, and the marks that
# change the direction of text (https://trojansource.codes).
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u206f\ufeff\ud800-\udfff]")

_VARIANT_NAMES = {"file_level": "File level", "repo_level": "Repository level", "both": "Both"}


def render(report: Report) -> str:
    """The page for ``report``; equal reports give equal pages."""
    return _template().render(visible(report))


def visible(value: Any) -> Any:
    """``value`` with every invisible or unpaired character in its strings written as an escape, such as ``\\u202e``."""
    if isinstance(value, str):
        return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", value.replace("\r\n", "\n"))
    if isinstance(value, dict):
        return {visible(name): visible(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [visible(each) for each in value]
    return value


@cache
def _template() -> jinja2.Template:
    folder = files(__package__)
    environment = jinja2.Environment(
        autoescape=True,  # paths and contents come from strangers
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
    )
    environment.filters.update(
        number=number,
        counted=counted,
        bytes=byte_count,
        percent=percent,
        seconds=seconds,
        measure=measure,
        evidence=evidence,
        variant=variant_name,
        words=words,
    )
    environment.globals.update(
        histogram=histogram, unit_histogram=unit_histogram, candidate_curve=candidate_curve, candidate_probability=candidate_probability
    )
    return environment.get_template("template.html")


def number(value: float) -> str:
    return f"{value:,}"


def counted(value: int, noun: str) -> str:
    """'1 file', '2,000 files'."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def byte_count(value: float) -> str:
    """Bytes in decimal units: '1.23 MB'."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} B" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.4g} TB"


def percent(part: float, whole: float) -> str:
    """'12.3 %'; '–' of nothing. Never rounds something to nothing, nor a part to the whole."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if part and share < 0.1:
        return "<0.1 %"
    if part < whole and share >= 99.95:
        return ">99.9 %"
    return f"{share:.1f} %" if part not in (0, whole) else f"{share:.0f} %"


def seconds(value: float) -> str:
    """'0.42 s', '12 s', '2 min 28 s', '3 h 5 min'."""
    if value < 10:
        return f"{value:.2g} s"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def measure(value: float | None) -> str:
    """A measured value or limit with at most four significant digits; counts in full; '–' where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def variant_name(value: str) -> str:
    return _VARIANT_NAMES.get(value, value)


def words(value: str) -> str:
    """A stage's or rule's name as words."""
    return value.replace("_", " ").replace("-", " ")


def evidence(text: str) -> list[tuple[str, str]]:
    """A rejection's evidence as (name, value); the text itself where it is no JSON object."""
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return [("", text)] if text else []
    return [(str(name), visible(_told(value))) for name, value in sorted(told.items()) if name != "cluster"]


def _told(value: Any) -> str:
    if isinstance(value, dict) and "repo" in value:
        return "/".join(str(value[name]) for name in ("repo", "path") if value.get(name))
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
