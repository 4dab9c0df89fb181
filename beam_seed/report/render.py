"""report.json as one self-contained page: no scripts, nothing fetched, everything from the input escaped."""

from __future__ import annotations

from functools import cache

import jinja2

from beam_seed.report.charts import candidate_curve, candidate_probability, histogram, unit_histogram
from beam_seed.report.schema import Report
from beam_seed.report.text import byte_count, counted, evidence, measure, percent, seconds, visible, words

_VARIANT_NAMES = {"file_level": "File level", "repo_level": "Repository level", "both": "Both"}


def render(report: Report) -> str:
    """The page for ``report``; equal reports give equal pages."""
    return template().render(visible(report))


@cache
def template(package: str = "beam_seed.report", name: str = "template.html") -> jinja2.Template:
    """The template ``name`` of ``package``, with the filters of all our pages; it may include this package's style.css."""
    environment = jinja2.Environment(
        autoescape=True,  # paths and contents come from strangers
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(each, "") for each in dict.fromkeys((package, "beam_seed.report"))]),
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
    return environment.get_template(name)


def number(value: float) -> str:
    return f"{value:,}"


def variant_name(value: str) -> str:
    return _VARIANT_NAMES.get(value, words(value[:1].upper() + value[1:]))
