"""The evaluation's figures as SVG that takes its colours and fonts from the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Colours of the report's style sheet by name, so that dark mode changes the figures too.
_INK, _SOFT, _LINE, _KEPT, _DROPPED = "#1c1d1f", "#5d6168", "#e2e2dc", "#2f6db3", "#d9a25f"
_NAMES = {_INK: "--ink", _SOFT: "--soft", _LINE: "--line", _KEPT: "--kept", _DROPPED: "--dropped"}

_SIZE = (4.6, 3.4)  # inches: letters are still 9 pixels high where a phone shows the figure 330 pixels wide

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "evaluation",  # ids by content, else they are random and no two pages are equal
    "font.size": 9,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "text.color": _SOFT,
    "grid.color": _LINE,
}


def box_plot(boxes: Sequence[Mapping[str, Any]]) -> str:
    """Predictions by the oracle's rating, with the number of files below each box; the line is where they would be equal."""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes("the oracle's rating, and number of files", "prediction")
        axes.plot([0, 10], [0, 10], color=_SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.bxp(
            [{**box, "label": f"{box['rating']}\n{box['files']:,}"} for box in boxes],
            positions=[box["rating"] for box in boxes],
            widths=0.6,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": _KEPT, "edgecolor": _KEPT, "alpha": 0.55},
            medianprops={"color": _INK, "linewidth": 1.6},
            whiskerprops={"color": _KEPT},
            capprops={"color": _KEPT},
        )
        axes.set(xlim=(-0.6, 10.6), ylim=(-0.2, 10.2), yticks=range(0, 11, 2))
        return _svg(figure)


def curve_plot(curve: Sequence[Mapping[str, float]]) -> str:
    """Share of files and of bytes that a threshold keeps."""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes("threshold", "share kept")
        thresholds = [point["threshold"] for point in curve]
        for name, colour in (("files", _KEPT), ("bytes", _DROPPED)):
            axes.plot(thresholds, [point[name] for point in curve], color=colour, linewidth=1.8, label=name)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(frameon=False, loc="upper right")
        return _svg(figure)


def _axes(across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=across, ylabel=up)
    axes.grid(axis="y", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    for pattern, instead in _FOR_A_PAGE:
        text = re.sub(pattern, instead, text, flags=re.DOTALL)
    for colour, name in _NAMES.items():
        text = text.replace(colour, f"var({name})")
    return text


# What a file of its own needs and a part of a page must not have: prologue, style sheet, a size, fonts, ids that nothing refers to.
_FOR_A_PAGE = (
    (r"^.*?<svg", "<svg"),
    (r"<(metadata|style).*?</\1>", ""),
    (r'(?<=<svg) |(?<= )(?:width|height)="[\d.]+pt" ', " "),
    (r"font-family:[^;\"]*;?", ""),
    (r'<g id="[^"]*"', "<g"),
)
