"""ROC, reliability, and accuracy against coverage, drawn."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lungscan.evaluation import wording
from lungscan.evaluation.figures import ACCURACY_ANSWERED, ACCURACY_AT_95, ANSWERED, CALIBRATION
from lungscan.evaluation.plot_frame import (
    BLUE,
    GREY,
    LINES,
    ORANGE,
    PERCENT,
    class_colours,
    empty_figure,
)
from lungscan.evaluation.records import Evaluation
from lungscan.report.lettering import visible


def draw_roc(evaluation: Evaluation) -> Figure:
    """One curve per class with its band, and its corner enlarged."""
    figure = empty_figure(3.6, 4.0)
    axes = figure.subplots()
    inset = axes.inset_axes((0.45, 0.36, 0.52, 0.40))
    inset.set(xlim=(0, 0.2), ylim=(0.8, 1.005))
    colours = class_colours(evaluation)
    figures = {found.name: found for found in evaluation.classes}
    for number, curve in enumerate(evaluation.roc):
        found, style = figures[curve.name], LINES[number % len(LINES)]
        label = f"{visible(found.display_name)}: {wording.with_interval(found.auc)}"
        for place in (axes, inset):
            place.fill_between(
                curve.grid, curve.low, curve.high, color=colours[curve.name], alpha=0.15, lw=0
            )
            place.plot(
                curve.false_positive,
                curve.true_positive,
                color=colours[curve.name],
                linestyle=style,
                label=label,
            )
    axes.plot([0, 1], [0, 1], color="#d0d0d0", linewidth=0.6, linestyle=":", zorder=0)
    axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(0, 1), ylim=(0, 1.01))
    axes.set_title("ROC, one class against the rest")
    axes.legend(title="AUC (95 % interval)", title_fontsize=7.5, loc="lower right", fontsize=6.8)
    inset.tick_params(labelsize=6, length=2)
    inset.spines[:].set_visible(True)
    axes.indicate_inset_zoom(inset, edgecolor=GREY, linewidth=0.6)
    return figure


def draw_reliability(evaluation: Evaluation) -> Figure:
    """Confidence against accuracy, above how often each confidence occurs."""
    figure = empty_figure(3.6, 4.0)
    axes, below = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
    bins = evaluation.reliability
    x, y = np.array([(found.confidence, found.accuracy) for found in bins]).T
    limits = np.array([(found.low, found.high) for found in bins]).T
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    axes.vlines(x, *limits, color=BLUE, linewidth=1)
    axes.plot(x, y, "o-", color=BLUE, markersize=3.5, linewidth=0.8)
    least = max(0.0, np.floor(10 * min(x.min(), 1 / len(evaluation.classes))) / 10)
    lowest = np.nanmin([y.min(), *limits.ravel(), least])
    axes.set(ylabel="Accuracy", xlim=(least, 1.01), ylim=(max(0.0, lowest - 0.03), 1.02))
    error = wording.with_interval(evaluation.metric(CALIBRATION))
    axes.set_title("Reliability")
    axes.text(
        0.03, 0.97, f"Expected calibration error\n{error}", transform=axes.transAxes, va="top"
    )
    sure = [answer.confidence or 0.0 for answer in evaluation.answers if answer.judged]
    below.hist(sure, bins=np.linspace(least, 1, 31).tolist(), color=GREY)
    below.set(xlabel="Confidence of the forced choice", ylabel="Fields")
    for place in (axes, below):
        place.xaxis.set_major_formatter(PERCENT())
    axes.yaxis.set_major_formatter(PERCENT())
    return figure


def draw_coverage(evaluation: Evaluation) -> Figure:
    """Accuracy when only the most confident fields are answered, and as the model answers."""
    figure = empty_figure(3.6, 3.6)
    axes = figure.subplots()
    curve = evaluation.coverage
    axes.fill_between(curve.share, curve.low, curve.high, color=BLUE, alpha=0.15, lw=0)
    axes.plot(curve.share, curve.accuracy, color=BLUE, label="most confident fields first")
    at_95 = evaluation.metric(ACCURACY_AT_95)
    axes.plot(0.95, at_95.value, "o", color=BLUE, markersize=5,
              label=f"95 % answered: {wording.with_interval(at_95)}")  # fmt: skip
    answered, right = evaluation.metric(ANSWERED), evaluation.metric(ACCURACY_ANSWERED)
    if answered.value > 0:
        axes.plot(
            answered.value,
            right.value,
            "D",
            color=ORANGE,
            markersize=5,
            label=f"as the model answers, {wording.percent(answered.value)}:\n"
            f"{wording.with_interval(right)}",
        )
    lowest = float(np.nanmin([*curve.low, *curve.accuracy, right.value]))
    axes.set(
        xlabel="Share of fields answered",
        ylabel="Accuracy of the answered",
        xlim=(min(0.5, answered.value - 0.02), 1.005),
        ylim=(max(0.0, lowest - 0.25 * (1 - lowest) - 0.01), 1.004),
    )
    axes.set_title("Accuracy against coverage")
    axes.legend(loc="lower left", fontsize=7)
    axes.xaxis.set_major_formatter(PERCENT())
    axes.yaxis.set_major_formatter(PERCENT())
    return figure
