"""The same tiles answered by two models: which answers and which refusals changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lungscan.compression.records import Agreement
from lungscan.dataset.labelled_tiles import LabelledTiles
from lungscan.dataset.resampling import GroupBootstrap
from lungscan.model.card import Metric, ModelCard
from lungscan.model.novelty import Novelty
from lungscan.runtimes import Runtime
from lungscan.types import FloatArray, MaskArray, RgbBatch
from lungscan.workers import Workers

LOST = "accuracy lost by int8"  # ``lungscan benchmark`` looks for it


@dataclass(frozen=True)
class Answers:
    """What a model says of n tiles."""

    probs: FloatArray  # (n, classes)
    features: FloatArray  # (n, d)
    answered: MaskArray  # (n,) neither novel nor too uncertain


@dataclass(frozen=True)
class Judged:
    """A model's answers for the tiles that count, and for the counter-examples."""

    known: Answers
    foreign: Answers
    device: str = ""  # runtime, device and precision that answered


def answer(
    runtime: Runtime, card: ModelCard, novelty: Novelty, pixels: RgbBatch, threads: int
) -> Answers:
    """Answer tiles as a scan does, one caller for each thread; of no tiles, no answers."""
    size = runtime.batch_size
    batches = [pixels[at : at + size] for at in range(0, len(pixels), size)]
    with Workers(threads) as workers, workers.in_order(runtime.predict, batches) as found:
        parts = list(found)
    classes, width = len(card.class_names), novelty.centre.shape[0]
    probs = _joined([p for p, _ in parts], classes)
    features = _joined([f for _, f in parts], width)
    return judged(probs, features, card, novelty)


def judged(probs: FloatArray, features: FloatArray, card: ModelCard, novelty: Novelty) -> Answers:
    """What a network put out, with the verdict of the card's limits."""
    answered = novelty.score(features) <= card.novelty_threshold
    return Answers(probs, features, answered & (probs.max(1) >= card.confidence_threshold))


def compare(before: Judged, after: Judged, tiles: LabelledTiles) -> Agreement:
    """Count what changed."""
    right_before, right_after = (
        judged.known.probs.argmax(1) == tiles.labels for judged in (before, after)
    )
    return Agreement(
        tiles=len(tiles.labels),
        groups=len(set(tiles.groups)),
        accuracy_before=float(right_before.mean()),
        accuracy_after=float(right_after.mean()),
        became_wrong=int((right_before & ~right_after).sum()),
        became_right=int((right_after & ~right_before).sum()),
        answered_before=float(before.known.answered.mean()),
        answered_after=float(after.known.answered.mean()),
        refusals_changed=int((before.known.answered != after.known.answered).sum()),
        foreign=len(before.foreign.answered),
        foreign_answered_before=int(before.foreign.answered.sum()),
        foreign_answered_after=int(after.foreign.answered.sum()),
        device=after.device,
        pictures=tiles.pictures,
    )


def figures(before: Judged, after: Judged, tiles: LabelledTiles) -> tuple[Metric, ...]:
    """Accuracy before and after, what was lost, and the refusals that changed, with intervals."""
    right = [judged.known.probs.argmax(1) == tiles.labels for judged in (before, after)]
    gain = right[0].astype(np.float64) - right[1]
    changed = before.known.answered != after.known.answered
    bootstrap, note = GroupBootstrap(tiles.groups), "validation part, while compressing"
    return (
        bootstrap.mean("accuracy before int8", right[0], f"fp32; {note}"),
        bootstrap.mean("accuracy int8", right[1], note),
        bootstrap.mean(LOST, gain, f"paired; {note}"),
        bootstrap.mean("refusals changed by int8", changed, note),
    )


def most_lost(agreement: Agreement, lost: Metric) -> float:
    """How much accuracy may be lost on other fields, as a share: a 95 % limit.

    The upper end of the interval over groups; and where nothing or little changed, what so many
    pictures cannot exclude: of n that stay right, 1 - 0.05^(1/n) may still be lost (Hanley and
    Lippman-Hand 1983, "if nothing goes wrong").
    """
    unseen: float = 1 - 0.05 ** (1 / agreement.looked_at)
    return max(unseen, lost.value if lost.high is None else lost.high)


def _joined(parts: Sequence[FloatArray], width: int) -> FloatArray:
    return np.concatenate(parts) if parts else np.empty((0, width), np.float32)
