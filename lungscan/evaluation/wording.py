"""The sentences that every output of an evaluation shares, and numbers as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from lungscan.evaluation.judged import Judged
from lungscan.evaluation.records import DataNote, FieldAnswer, Protocol, Seen
from lungscan.inputs.names import show
from lungscan.model import shares
from lungscan.model.card import Metric, ModelCard

LEAKING = "LEAKING SPLIT"
FEW = "FEW GROUPS"
FEW_NAMES = 5
FEW_GROUPS = 10  # below it an interval by bootstrap over groups is narrower than it should be


def warnings(data: DataNote, card: ModelCard, skipped: Sequence[FieldAnswer]) -> tuple[str, ...]:
    """What spoils the figures or narrows what they say, worst first."""
    sentences = []
    if data.protocol is Protocol.LEAKING:
        sentences.append(
            f"{LEAKING}: {data.leaking_groups:,} of the {data.groups:,} groups judged also stand "
            f"in another part of {data.split}, so the same tissue was there to learn from. "
            "These figures are no measure of unseen tissue."
        )
    if data.seen is Seen.YES:
        sentences.append(
            f"NOT HELD OUT: {card.name} was trained on these very pictures (same SHA-256), and "
            f"{data.seen_groups:,} of the {data.groups:,} groups judged are not among the test "
            "groups that it held out. These figures are no measure of unseen tissue."
        )
    if data.protocol is Protocol.WHOLE:
        sentences.append(
            "No split file was given: every field of the folder was judged, whatever the model was "
            "trained on."
        )
    if not data.grouped:
        sentences.append(
            "No groups are known: each picture counts as a group of its own. Where pictures show "
            "the same tissue, the intervals are too narrow, and a leak cannot be seen."
        )
    if skipped:
        sentences.append(_skipped(skipped))
    return tuple(sentences)


def few_groups(judged: Judged, class_names: Sequence[str]) -> tuple[str, ...]:
    """A warning where a class stands in so few groups that intervals say too little."""
    found = {
        name: len({judged.groups[row] for row in np.flatnonzero(judged.truth == index)})
        for index, name in enumerate(class_names)
    }
    few = [f"{name} {count}" for name, count in found.items() if 0 < count < FEW_GROUPS]
    if not few:
        return ()
    return (
        f"{FEW}: of class {', '.join(few)}. From fewer than {FEW_GROUPS} groups an interval "
        "comes out narrower than the doubt is, and of a single one there is none. Judge more "
        "groups before you rely on these figures.",
    )


def notes(
    data: DataNote, cards: Sequence[ModelCard], draws: int, mpp: float | None
) -> tuple[str, ...]:
    """How the figures of one or two models are meant."""
    sentences = [
        "Accuracy over all fields is that of the forced choice: the class that the model names "
        "when it must, refusals included. A field without any tissue to judge counts as wrong.",
        f"Intervals are 95 %, by bootstrap over {data.groups:,} groups ({draws:,} draws). Where "
        "every answer is right the interval has no width; that is a limit of the method, and the "
        "true figure may lie below.",
        _scale(cards, mpp),
    ]
    if data.protocol is Protocol.GROUPED:
        sentences.append(f"No group judged stands in another part of {data.split}.")
    if data.protocol is Protocol.FOLDS:
        sentences.append(
            "Each field was judged once, by a network whose training held its group out, with "
            "temperature and limits from the answers of the other folds."
        )
    elif data.seen is Seen.NO:
        who = "The model's card names" if len(cards) == 1 else "The cards of both models name"
        sentences.append(
            f"{who} this very data (same SHA-256), and every group judged is a test group there."
        )
    elif data.seen is Seen.UNKNOWN:
        who = "The model's card" if len(cards) == 1 else "The card of at least one of the models"
        sentences.append(
            f"{who} names other training data than this folder, so it cannot tell whether its "
            "model has seen any of these fields."
        )
    return tuple(sentences)


def protocol_line(data: DataNote) -> str:
    """What was judged, for the head of tables and the foot of figures."""
    part = f", part {data.part} of {data.split}" if data.part else f", {data.split}"
    where = data.folder + (part if data.split else "")
    word = LEAKING if data.protocol is Protocol.LEAKING else data.protocol.value
    seen = "" if data.seen is Seen.UNKNOWN else f", {data.seen.value}"
    return f"{where}: {data.fields:,} fields in {data.groups:,} groups ({word}{seen})"


def percent(value: float) -> str:
    """A share with one decimal; a dash where there is none."""
    return "–" if math.isnan(value) else shares.percent(value)


def decimal(value: float) -> str:
    """Three decimals; a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def with_interval(metric: Metric) -> str:
    """``93.3 % (88.5 to 97.3)``; Brier score and AUC are no shares and stand as decimals."""
    if is_share(metric):
        return _ranged(metric, percent(metric.value), 100, ".1f")
    return _ranged(metric, decimal(metric.value), 1, ".3f")


def points(metric: Metric) -> str:
    """A difference of shares in points, with its sign: ``−1.2 (−3.0 to 0.4)``."""
    text = _ranged(metric, f"{100 * metric.value:+.1f}", 100, "+.1f")
    return re.sub(r"[+-](0\.0\b)", r"\1", text).replace("-", "−")


def is_share(metric: Metric) -> bool:
    """Whether the figure is a share of fields, written in per cent."""
    return not any(word in metric.name for word in ("AUC", "Brier", "F1", "precision", "recall"))


def _ranged(metric: Metric, value: str, factor: int, form: str) -> str:
    low, high = metric.low, metric.high
    if low is None or high is None or math.isnan(metric.value) or math.isnan(low):
        return value
    return f"{value} ({factor * low:{form}} to {factor * high:{form}})"


def spacing(card: ModelCard) -> str:
    """The scale at which a model looks; of CT some thousand µm/px."""
    um_px = card.spacing_um_px
    return f"{um_px:,.0f} µm/px" if um_px >= 100 else f"{um_px:.3g} µm/px"


def _scale(cards: Sequence[ModelCard], mpp: float | None) -> str:
    if mpp is not None:
        return f"Fields that state no scale are taken to have {mpp:g} µm/px (--mpp)."
    scales = " and ".join(dict.fromkeys(spacing(card) for card in cards))
    whose = "the model's" if len(cards) == 1 else "the models'"
    return (
        f"Fields that state no scale are taken whole, at {whose} {scales}; those that state one "
        "are tiled, as in classification."
    )


def _skipped(answers: Sequence[FieldAnswer]) -> str:
    names = ", ".join(show(answer.file) for answer in answers[:FEW_NAMES])
    more = f" and {len(answers) - FEW_NAMES:,} more" if len(answers) > FEW_NAMES else ""
    fields = "field" if len(answers) == 1 else "fields"
    return (
        f"{len(answers):,} {fields} could not be read and count in no figure ({names}{more}); "
        "predictions.csv says why."
    )
