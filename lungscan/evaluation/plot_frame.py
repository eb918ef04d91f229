"""The frame that all figures of an evaluation share: size, style, colours, foot."""

from __future__ import annotations

import io
import textwrap
from functools import partial
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lungscan.evaluation import wording
from lungscan.evaluation.records import Evaluation, Protocol, Seen
from lungscan.report.legend import class_rgb
from lungscan.report.lettering import visible

DPI = 300
GREY, INK, RED, BLUE, ORANGE = "#6b6b6b", "#1a1a1a", "#b3261e", "#0072b2", "#d55e00"
PERCENT = partial(PercentFormatter, 1, 0, symbol=" %")
LINES = ("-", "--", "-.", ":")
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.4,
    "text.parse_math": False,  # a $ in a name is a $
}


def empty_figure(width: float, height: float) -> Figure:
    """An empty figure, inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def as_png(figure: Figure, evaluation: Evaluation) -> bytes:
    """The figure with its foot, as PNG without a date, so that equal figures are equal bytes."""
    width = int(figure.get_figwidth() * 21)
    data, model = evaluation.data, evaluation.model
    foot = visible(
        f"{model.name} {model.version} on {wording.protocol_line(data)}. {evaluation.use}"
    )
    figure.supxlabel("\n".join(textwrap.wrap(foot, width)), fontsize=6, color=GREY)
    spoiled = data.protocol is Protocol.LEAKING or data.seen is Seen.YES
    if spoiled:
        text = "\n".join(textwrap.wrap(visible(evaluation.warnings[0]), int(width * 0.8)))
        figure.suptitle(text, fontsize=7, color=RED, weight="bold")
    stored = io.BytesIO()
    figure.savefig(stored, format="png", dpi=DPI, metadata={"Software": None})
    return stored.getvalue()


def class_colours(evaluation: Evaluation) -> dict[str, tuple[float, float, float]]:
    """The colour of each class, as the card says."""
    rgb = class_rgb(evaluation.model)
    return {
        name: (red / 255, green / 255, blue / 255)
        for name, (red, green, blue) in zip(evaluation.model.class_names, rgb, strict=True)
    }
