"""From tiles to one answer: named rules, each with its reason.

*tumour-aware* (default). A slide is mostly not tumour, so an average over all tissue would call a
small carcinoma benign. Tumour area is measured first; the subtype is asked of tumour tiles only;
benign is said only when the tumour area stays below a limit that lone false alarms do not reach.

*tumour-aware of slices*. A CT series is mostly not tumour either, and its tiles are slices, each of
which shows the whole chest, so areas say nothing. A nodule of a centimetre shows in several
neighbouring slices, a false alarm mostly in one, and the worst of hundreds of slices is bad in any
chest. So three neighbours must name tumour together; the class is asked of them.

*mean*. The average probability over all tissue. For fields that a person has already chosen, and
for comparing with programs that average.

*majority*. The class with the largest area. Easy to explain, blind to small tumours.

The order of tiles never matters, and a tile counts by the tissue it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lungscan.modalities.table import modality_of
from lungscan.model.card import ModelCard
from lungscan.options import RULE_NAMES, require_choice
from lungscan.types import FloatArray, MaskArray, TileCounts, TileScores, TileState

NEIGHBOURS = 3  # slices that must agree
AREA_UNIT = 0.0125  # mm² of one tile at 0.5 µm/px and 224 px, for images without a scale


@dataclass(frozen=True)
class Evidence:
    """The tiles of a case in one table; row i of each array is tile i."""

    probs: FloatArray  # (n, classes)
    weight: FloatArray  # (n,) tissue the tile stands for: mm², or a guess of it without a scale
    state: tuple[TileState, ...]
    measured: bool  # whether ``weight`` is in true mm²
    appearance: FloatArray | None = None  # (n,); None where the model cannot tell

    def where(self, *states: TileState) -> MaskArray:
        """Rows in one of ``states``."""
        return np.array([state in states for state in self.state], np.bool_)

    def share(self, rows: MaskArray, among: MaskArray) -> float:
        """Tissue in ``rows`` as a share of the tissue in ``among``; 0 where there is none."""
        total = total_weight(self.weight[among])
        return total_weight(self.weight[rows]) / total if total > 0 else 0.0


@dataclass(frozen=True)
class Answer:
    """What a rule says of the tiles it was given."""

    index: int  # class
    confidence: float
    probs: tuple[float, ...]
    flags: tuple[str, ...] = ()


Rule = Callable[[FloatArray, FloatArray, ModelCard], Answer]


def total_weight(weight: FloatArray) -> float:
    """The sum in double precision, so that the order of tiles does not show in it."""
    return float(weight.sum(dtype=np.float64))


def gather(
    scores: Sequence[TileScores], tissue_mm2: Sequence[float | None], classes: int
) -> Evidence:
    """Join the tiles of a case's files.

    Each file's tissue area is dealt to its tiles by the tissue in each, so overlapping tiles do not
    count tissue twice.
    """
    measured = all(area is not None for area in tissue_mm2)
    weights = []
    for part, area in zip(scores, tissue_mm2, strict=True):
        size = part.boxes[:, 2].astype(np.float64) * part.boxes[:, 3]
        tissue = part.tissue_fraction * size
        total = tissue.sum()
        whole = area if measured and area is not None else AREA_UNIT * len(tissue)
        weights.append(tissue / total * whole if total > 0 else np.zeros(len(tissue)))
    return Evidence(
        np.concatenate([s.probs for s in scores]) if scores else np.zeros((0, classes), np.float32),
        np.concatenate(weights).astype(np.float32) if weights else np.zeros(0, np.float32),
        tuple(state for s in scores for state in s.state),
        measured,
        _appearance(scores),
    )


def _appearance(scores: Sequence[TileScores]) -> FloatArray | None:
    """The column of all files; None where the model does not fill it."""
    parts = [s.appearance for s in scores if len(s.state)]
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known and len(known) == len(parts) else None


def count(evidence: Evidence) -> TileCounts:
    """How many tiles ended in which state."""
    numbers = {state: evidence.state.count(state) for state in TileState}
    return TileCounts(
        total=len(evidence.state),
        used=numbers[TileState.USED],
        failed=numbers[TileState.FAILED],
        blurred=numbers[TileState.BLURRED],
        pen=numbers[TileState.PEN],
        blank=numbers[TileState.BLANK],
        unscanned=numbers[TileState.UNSCANNED],
        novel=numbers[TileState.NOVEL],
        other_stain=None if evidence.appearance is None else numbers[TileState.OTHER_STAIN],
    )


def class_areas(evidence: Evidence, rows: MaskArray, classes: int) -> FloatArray:
    """Tissue per class over ``rows``, by each tile's likeliest class; in the weights' unit."""
    best = evidence.probs[rows].argmax(1)
    areas: FloatArray = np.bincount(best, evidence.weight[rows], classes).astype(np.float32)
    return areas


def tumour_aware(probs: FloatArray, weight: FloatArray, card: ModelCard) -> Answer:
    """Tumour when its area passes the limit, then the subtype from tumour tiles; else benign."""
    tumour = np.array(card.tumour)
    if not tumour.any() or tumour.all():
        return mean_probability(probs, weight, card)
    rows = tumour[probs.argmax(1)]  # as the map shows the tile
    total, area = total_weight(weight), total_weight(weight[rows])
    limit = min(max(card.tumour_limit_mm2, card.tumour_limit_share * total), total / 2)
    if area > limit:
        mean = _mean(probs[rows], weight[rows])
        index = int(np.argmax(np.where(tumour, mean, -1)))
        return Answer(index, float(mean[index]), _tuple(mean))
    mean = _mean(probs, weight)
    index = int(np.argmax(np.where(tumour, -1, mean)))
    flags = ("tumour_area_below_limit",) if area > 0 else ()
    return Answer(index, float(mean[index]), _tuple(mean), flags)


def tumour_in_neighbours(probs: FloatArray, weight: FloatArray, card: ModelCard) -> Answer:
    """Tumour when the mean of some three neighbouring slices names it; else the likeliest other.

    Rows are slices in the order in which they lie; of fewer than three all count together.
    """
    tumour = np.array(card.tumour)
    if not tumour.any() or tumour.all():
        return mean_probability(probs, weight, card)
    span = min(NEIGHBOURS, len(probs))
    means = np.stack(
        [probs[start : start + span].mean(0) for start in range(len(probs) - span + 1)]
    )
    named = tumour[means.argmax(1)]
    if named.any():
        suspicion = np.where(named, means[:, tumour].sum(1), -1)
        mean = means[int(suspicion.argmax())]
        index = int(np.argmax(np.where(tumour, mean, -1)))
        return Answer(index, float(mean[index]), _tuple(mean))
    mean = _mean(probs, weight)
    index = int(np.argmax(np.where(tumour, -1, mean)))
    flags = ("lone_suspicious_slice",) if tumour[probs.argmax(1)].any() else ()
    return Answer(index, float(mean[index]), _tuple(mean), flags)


def mean_probability(probs: FloatArray, weight: FloatArray, _card: ModelCard) -> Answer:
    """The likeliest class of the average tile."""
    mean = _mean(probs, weight)
    index = int(mean.argmax())
    return Answer(index, float(mean[index]), _tuple(mean))


def majority_of_tiles(probs: FloatArray, weight: FloatArray, _card: ModelCard) -> Answer:
    """The class with the largest area; its confidence is the mean probability over that area."""
    best = probs.argmax(1)
    index = int(np.bincount(best, weight, probs.shape[1]).argmax())
    rows = best == index
    return Answer(
        index, float(_mean(probs[rows], weight[rows])[index]), _tuple(_mean(probs, weight))
    )


RULES: dict[str, Rule] = {
    "tumour-aware": tumour_aware,
    "mean": mean_probability,
    "majority": majority_of_tiles,
}


def rule_named(name: str, modality: str | None = None) -> Rule:
    """The rule of that name, as a model's ``modality`` understands it.

    Raises:
        UsageProblem: there is no such rule.
    """
    require_choice("--rule", name, RULE_NAMES)
    by_slices = modality_of(modality).tumour_by == "neighbours"
    return tumour_in_neighbours if by_slices and name == "tumour-aware" else RULES[name]


def _mean(probs: FloatArray, weight: FloatArray) -> FloatArray:
    """Average over tissue, in double precision."""
    heavy = weight.astype(np.float64)
    mean: FloatArray = (probs * heavy[:, None]).sum(0) / heavy.sum()
    return mean


def _tuple(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
