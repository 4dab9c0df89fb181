"""Notebooks as text: what is kept of real shapes of them, and that nothing a stranger writes is more than one error."""

from __future__ import annotations

import ast
import json
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.notebooks import render as notebook
from beam_seed.notebooks.render import NotANotebookError, render
from beam_seed.notebooks.transforms import RenderNotebooks, judge
from beam_seed.records import make_document


def cell(kind: str, source: Any, **more: Any) -> dict[str, Any]:
    return {"cell_type": kind, "source": source, "metadata": {}, **more}


def book(*cells: Any, **more: Any) -> str:
    return json.dumps({"cells": list(cells), "nbformat": 4, "nbformat_minor": 5, "metadata": {}} | more)


OUTPUT = {"output_type": "display_data", "data": {"image/png": "iVBOR" * 1000}}


def test_cells_come_in_order_as_a_program() -> None:
    found = render(book(cell("markdown", ["# Title\n", "\n", "Why."]), cell("code", "x = 1\r\nprint(x)\n", outputs=[OUTPUT, OUTPUT])))
    assert found.text == "# %% [markdown]\n# # Title\n#\n# Why.\n\n# %%\nx = 1\nprint(x)\n"
    assert found[1:] == ("python", 2, 1, 2)
    ast.parse(found.text)


def test_an_old_notebook_has_worksheets_headings_and_inputs() -> None:
    cells = [{"cell_type": "heading", "level": 3, "source": ["Deep"]}, {"cell_type": "code", "input": ["y = 2"], "outputs": []}]
    assert render(json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3})).text == "# %% [markdown]\n# ### Deep\n\n# %%\ny = 2\n"


@pytest.mark.parametrize(
    ("metadata", "mark"),
    [
        ({"kernelspec": {"language": "scala"}}, "//"),
        ({"language_info": {"name": "C++"}}, "//"),
        ({"kernelspec": {"language": "R"}}, "#"),
        ({"kernelspec": 3, "language_info": []}, "#"),
        (None, "#"),
    ],
)
def test_text_is_a_comment_of_the_kernels_language(metadata: Any, mark: str) -> None:
    found = render(book(cell("markdown", "Hi"), cell("code", "f()"), metadata=metadata))
    assert found.text == f"{mark} %% [markdown]\n{mark} Hi\n\n{mark} %%\nf()\n"


def test_images_within_the_text_are_cut_and_empty_cells_left_out() -> None:
    image = f"See ![x](data:image/png;base64,{'A' * 100_000}) and this."
    found = render(book(cell("markdown", image), cell("code", " \n"), cell("raw", "r"), cell("code", "f()"), "no cell", cell("code", 7)))
    assert found.text == "# %% [markdown]\n# See ![x](data:) and this.\n\n# %% [raw]\n# r\n\n# %%\nf()\n"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("", "invalid-json"),
        (book(cell("code", "x"))[:-9], "invalid-json"),
        ("[" * 200_000, "invalid-json"),
        ("<html>404</html>", "invalid-json"),
        ("[]", "not-a-notebook"),
        ("{}", "not-a-notebook"),
        ('{"cells": {"a": 1}}', "not-a-notebook"),
        ('{"worksheets": [{"cells": 3}, 4]}', "no-code"),
        (book(cell("markdown", "only text")), "no-code"),
        (book(*[cell("code", "x")] * (notebook.MAX_CELLS + 1)), "too-many-cells"),
    ],
)
def test_what_is_no_notebook_says_why(content: str, rule: str) -> None:
    with pytest.raises(NotANotebookError) as error:
        render(content)
    assert error.value.rule == rule
    (judgement,) = judge([make_document("r", "a.ipynb", content)])
    assert judgement.rule == rule  # type: ignore[union-attr]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "worksheets", "cell_type", "source", "input", "outputs", "metadata", "kernelspec", "language", "level"]
            ),
            inner | st.sampled_from(["code", "markdown", "heading"]),
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(JSON)
def test_any_json_is_text_or_one_error(value: Any) -> None:
    try:
        found = render(json.dumps(value))
    except NotANotebookError:
        return
    assert found.code_cells >= 1
    assert found.text.count("%%") >= found.cells


@pytest.mark.parametrize("mode", [["--direct_running_mode=multi_processing", "--direct_num_workers=2"], []], ids=["processes", "one"])
def test_each_document_is_in_one_output(mode: list[str]) -> None:
    documents = [make_document("r", f"{n}.ipynb", book(cell("code", f"x = {n}")) if n % 3 else "broken", stars=n) for n in range(9)]
    with TestPipeline(runner="FnApiRunner", options=PipelineOptions(mode)) as pipeline:
        outcome = pipeline | beam.Create(documents) | RenderNotebooks()
        wanted = [(f"{n}.ipynb", f"# %%\nx = {n}\n", "Jupyter Notebook", n, documents[n].id) for n in range(9) if n % 3]
        kept = outcome.kept | "Fields" >> beam.Map(lambda d: (d.path, d.content, d.language, d.stars, d.id))
        assert_that(kept, equal_to(wanted), label="kept")
        rejected = outcome.rejected | "Rules" >> beam.Map(lambda r: (r.path, r.stage, r.rule))
        assert_that(rejected, equal_to([(f"{n}.ipynb", "notebooks", "invalid-json") for n in (0, 3, 6)]), label="rejected")
        assert_that(outcome.failed, equal_to([]), label="failed")
