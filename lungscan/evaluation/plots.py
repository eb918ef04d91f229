"""Figures as PNG: confusion, ROC, reliability, coverage, robustness. Needs matplotlib.

Classes bear the card's colours, a line style and a label each, so colour never speaks alone.
Every figure says what it was measured on and that it is for research only.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lungscan.evaluation.plot_curves import draw_coverage, draw_reliability, draw_roc
from lungscan.evaluation.plot_frame import (
    BLUE,
    INK,
    ORANGE,
    PERCENT,
    STYLE,
    as_png,
    empty_figure,
)
from lungscan.evaluation.records import CountArray, Evaluation, ShiftFigures
from lungscan.model.card import Metric
from lungscan.model.shares import percent
from lungscan.report.lettering import visible


def draw_figures(evaluation: Evaluation) -> dict[str, bytes]:
    """PNG files by name."""
    makers: dict[str, Callable[[Evaluation], Figure]] = {
        "confusion.png": draw_confusion,
        "roc.png": draw_roc,
        "reliability.png": draw_reliability,
        "coverage.png": draw_coverage,
    }
    if not evaluation.roc:
        del makers["roc.png"]  # a single class has no curve
    if evaluation.robustness:
        makers["robustness.png"] = draw_robustness
    with mpl.rc_context(STYLE):
        return {name: as_png(make(evaluation), evaluation) for name, make in makers.items()}


def draw_confusion(evaluation: Evaluation) -> Figure:
    """Two tables of counts: forced choice, and with a column for no result."""
    names = [_narrow(name) for name in evaluation.model.display_names]
    classes = len(names)
    figure = empty_figure(2.6 + 1.5 * classes, 1.7 + 0.5 * classes)
    ratios = [classes, classes + 1]
    left, right = figure.subplots(1, 2, width_ratios=ratios)
    counts = evaluation.confusion
    _heat(left, counts.forced, names, names, "All fields, forced choice")
    _heat(right, counts.answered, names, [*names, "No result"], "As the model answers")
    left.set_ylabel("True class")
    right.set_yticklabels([])
    return figure


def _heat(axes: Axes, counts: CountArray, rows: list[str], columns: list[str], title: str) -> None:
    """Counts with the share of the row, which also sets the shade."""
    shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for (y, x), number in np.ndenumerate(counts):
        share = float(shares[y, x])
        text = f"{number:,}\n{percent(share)}" if number else "0"
        shade = "white" if share > 0.6 else INK
        axes.text(x, y, text, ha="center", va="center", color=shade, fontsize=7.5)
    axes.set_xticks(range(len(columns)), columns, fontsize=7)
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if len(columns) > len(rows):
        axes.axvline(len(rows) - 0.5, color="white", linewidth=3)
    axes.set_title(title)
    axes.set_xlabel("Model output")


def _narrow(name: str) -> str:
    """A display name on short lines."""
    return "\n".join(textwrap.wrap(visible(name), 14))


def draw_robustness(evaluation: Evaluation) -> Figure:
    """Three figures under each change, beside the field as it is."""
    shifts = evaluation.robustness
    figure = empty_figure(6.4, 1.3 + 0.23 * len(shifts))
    panels = figure.subplots(1, 3, sharey=True, gridspec_kw={"wspace": 0.12})
    clean = evaluation.metrics[:3]  # accuracy, answered, accuracy of the answered
    titles = ("Accuracy, forced choice", "Share answered", "Accuracy of the answered")
    for panel, title, metric, pick in zip(panels, titles, clean, _PICKS, strict=True):
        _dots(panel, [pick(shift) for shift in shifts], metric)
        panel.set_title(title)
    panels[0].set_yticks(range(len(shifts)), [f"{s.kind} {s.amount}" for s in shifts])
    panels[0].set_ylim(len(shifts) - 0.5, -0.5)
    for panel in panels:
        for row in range(1, len(shifts)):
            if shifts[row].kind != shifts[row - 1].kind:
                panel.axhline(row - 0.5, color="#dddddd", linewidth=0.6)
    return figure


_PICKS: tuple[Callable[[ShiftFigures], Metric], ...] = (
    lambda shift: shift.accuracy,
    lambda shift: shift.answered,
    lambda shift: shift.accuracy_answered,
)


def _dots(axes: Axes, metrics: list[Metric], clean: Metric) -> None:
    """A dot with its interval for each change; the dashed line is the field as it is."""
    rows = np.arange(len(metrics))
    low, value, high = (
        np.array([getattr(metric, name) for metric in metrics], np.float64)
        for name in ("low", "value", "high")
    )
    axes.axvline(clean.value, color=ORANGE, linewidth=0.9, linestyle="--")
    if clean.low is not None and clean.high is not None:
        axes.axvspan(clean.low, clean.high, color=ORANGE, alpha=0.12, linewidth=0)
    axes.hlines(rows, low, high, color=BLUE, linewidth=1)
    axes.plot(value, rows, "o", color=BLUE, markersize=3.5)
    axes.set_xlim(right=1.01)
    axes.xaxis.set_major_formatter(PERCENT())
    axes.tick_params(axis="y", length=0)
