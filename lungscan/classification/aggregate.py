"""From tiles to one answer: named rules, each with its reason.

*tumour-aware* (default). A slide is mostly not tumour, so an average over all tissue would call a
small carcinoma benign. Tumour area is measured first; the subtype is asked of tumour tiles only;
benign is said only when the tumour area stays below a limit that lone false alarms do not reach.
Where there is so little tissue that tumour below that limit is a good part of it, nothing is said.

*tumour-aware of slices*. A CT series is mostly not tumour either, and its tiles are slices, each of
which shows the whole chest, so areas say nothing. A nodule of a centimetre shows in several
neighbouring slices, a false alarm mostly in one, and the worst of hundreds of slices is bad in any
chest. So three neighbours must name tumour together; the class is asked of them.

*mean*. The average probability over all tissue. For fields that a person has already chosen, and
for comparing with programs that average.

*majority*. The class with the largest area. Easy to explain, blind to small tumours.

The last two say where they passed over tumour.

The order of tiles never matters, and a tile counts by the tissue it stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lungscan.modalities.table import modality_of
from lungscan.model.card import ModelCard
from lungscan.options import RULE_NAMES, require_choice
from lungscan.types import FloatArray, MaskArray, TileCounts, TileScores, TileState

PlaceArray = NDArray[np.int64]

NEIGHBOURS = 3  # slices that must agree
IN_DOUBT = 0.15  # share of the tissue from which tumour forbids "benign", however small its area
AREA_UNIT = 0.0125  # mm² of one tile at 0.5 µm/px and 224 px, for images without a scale


@dataclass(frozen=True)
class Evidence:
    """The tiles of a case in one table; row i of each array is tile i."""

    probs: FloatArray  # (n, classes)
    weight: FloatArray  # (n,) tissue the tile stands for: mm², or a guess of it without a scale
    state: tuple[TileState, ...]
    measured: bool  # whether ``weight`` is in true mm²
    appearance: FloatArray | None = None  # (n,); None where the model cannot tell
    place: PlaceArray | None = None  # (n,) of slices: neighbours differ by 1; None: in this order

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
    some_tumour: float = 0.0  # share of the tissue, where it forbids an answer that is no tumour


class Rule(Protocol):
    """From the tiles that count to an answer."""

    def __call__(
        self,
        probs: FloatArray,  # (n, classes)
        weight: FloatArray,  # (n,)
        card: ModelCard,
        place: PlaceArray | None = None,  # (n,), as in ``Evidence``
        /,
    ) -> Answer:
        """Name a class."""


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
        _places(scores),
    )


def _places(scores: Sequence[TileScores]) -> PlaceArray:
    """Where each tile lies among the slices of its file, and the files behind one another.

    Slices stand in a row of squares. Between two series is a gap; single slices that make a case
    together are neighbours in the order of their files.
    """
    parts, start = [np.zeros(0, np.int64)], 0
    for part in scores:
        place = part.boxes[:, 0].astype(np.int64) // np.maximum(part.boxes[:, 2], 1)
        parts.append(start + place - place.min(initial=0))
        start = int(parts[-1].max(initial=start)) + (1 if len(place) == 1 else 2)
    return np.concatenate(parts)


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


def tumour_aware(
    probs: FloatArray, weight: FloatArray, card: ModelCard, _place: PlaceArray | None = None, /
) -> Answer:
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
    some = area / total if area >= IN_DOUBT * total > 0 else 0.0
    return Answer(index, float(mean[index]), _tuple(mean), flags, some)


def tumour_in_neighbours(
    probs: FloatArray, weight: FloatArray, card: ModelCard, place: PlaceArray | None = None, /
) -> Answer:
    """Tumour when the mean of some three neighbouring slices names it; else the likeliest other.

    Where no three lie beside each other, because there are fewer or because those between are not
    used, all count together.
    """
    tumour = np.array(card.tumour)
    if not tumour.any() or tumour.all():
        return mean_probability(probs, weight, card)
    means = _neighbours(probs, place)
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


def _neighbours(probs: FloatArray, place: PlaceArray | None) -> FloatArray:
    """Means (m, classes) of all three slices that lie beside each other."""
    place = np.arange(len(probs)) if place is None else place
    order = np.argsort(place, kind="stable")
    probs, place = probs[order], place[order]
    starts = np.arange(max(0, len(probs) - NEIGHBOURS + 1))
    starts = starts[place[starts + NEIGHBOURS - 1] - place[starts] == NEIGHBOURS - 1]
    if not len(starts):
        together: FloatArray = probs.mean(0, keepdims=True)
        return together
    means: FloatArray = np.stack([probs[at : at + NEIGHBOURS].mean(0) for at in starts])
    return means


def mean_probability(
    probs: FloatArray, weight: FloatArray, card: ModelCard, _place: PlaceArray | None = None, /
) -> Answer:
    """The likeliest class of the average tile."""
    mean = _mean(probs, weight)
    index = int(mean.argmax())
    return Answer(index, float(mean[index]), _tuple(mean), _outvoted(index, probs, weight, card))


def majority_of_tiles(
    probs: FloatArray, weight: FloatArray, card: ModelCard, _place: PlaceArray | None = None, /
) -> Answer:
    """The class with the largest area; all probabilities are the means over that area."""
    best = probs.argmax(1)
    index = int(np.bincount(best, weight, probs.shape[1]).argmax())
    rows = best == index
    mean = _mean(probs[rows], weight[rows])
    return Answer(index, float(mean[index]), _tuple(mean), _outvoted(index, probs, weight, card))


def _outvoted(
    index: int, probs: FloatArray, weight: FloatArray, card: ModelCard
) -> tuple[str, ...]:
    """The flag of an answer that is no tumour, where some of the tissue looks like tumour."""
    tumour = np.array(card.tumour)
    passed_over = not tumour[index] and weight[tumour[probs.argmax(1)]].any()
    return ("tumour_outvoted",) if passed_over else ()


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
