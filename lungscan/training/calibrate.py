"""Honest probabilities and honest limits, fitted on answers about tissue that was not learnt."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.model.appearance import Appearance
from lungscan.model.novelty import Float64Array, Novelty, fit_distance
from lungscan.types import FloatArray

LabelArray = NDArray[np.int64]

DIRECTIONS = 48  # of the training features; the rest counts as residual
LUNG_SHARE = 0.99  # of the lung validation fields lie below the lower mark of a novelty limit
CHANGED_SHARE = 0.95  # and of the same stained and scanned as elsewhere
FOREIGN_SHARE = 0.05  # of the counter-examples of validation lie below the upper mark
RIGHT_SHARE = 0.95  # of the answered fields of another stain, as far as a model judges them
LEAST_FIELDS = 20  # from which that share is believed
UNCERTAIN_SHARE = 0.05  # of the fields that judge: these are too uncertain (decision 65)
LEAST_CONFIDENCE = 0.5  # a label that is likelier wrong than right is never given


def fit_temperature(logits: FloatArray, labels: LabelArray) -> float:
    """The temperature that gives validation labels the highest likelihood (Guo et al. 2017).

    Searched on a fine logarithmic grid from 0.2 to 5: one parameter needs no optimiser. Where the
    lowest one is the best, as where few fields are all right, any confidence would be likely; then
    n fields count as if one more had been right and one wrong (Platt 1999, for two classes).
    """
    grid = np.exp(np.linspace(np.log(0.2), np.log(5.0), 801))
    rows = np.arange(len(labels))
    best = int(np.argmin([-log_softmax(logits / value)[rows, labels].mean() for value in grid]))
    if best == 0:
        n, classes = logits.shape
        shares = np.full((n, classes), 1 / (n + 2) / max(classes - 1, 1))
        shares[rows, labels] = (n + 1) / (n + 2)
        best = int(np.argmin([-(shares * log_softmax(logits / value)).sum() for value in grid]))
    return float(grid[best])


def log_softmax(logits: FloatArray) -> FloatArray:
    """Logarithm of the softmax, row by row."""
    shifted = logits - logits.max(1, keepdims=True)
    result: FloatArray = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return result


def softmax(logits: FloatArray, temperature: float) -> FloatArray:
    """Calibrated probabilities."""
    result: FloatArray = np.exp(log_softmax(logits / temperature))
    return result


@dataclass(frozen=True)
class Outputs:
    """What a network says of a set of fields."""

    logits: FloatArray  # (n, classes + 1)
    features: FloatArray  # (n, d)

    def __add__(self, other: Outputs) -> Outputs:
        """Both sets, one after the other."""
        return Outputs(
            np.concatenate([self.logits, other.logits]),
            np.concatenate([self.features, other.features]),
        )


def fit_novelty(
    train: Outputs,
    train_labels: LabelArray,
    validation: Outputs,
    foreign: Outputs | None,
    weight: FloatArray,
    bias: FloatArray,
    changed: Outputs | None = None,
    appearance: Appearance | None = None,
) -> Novelty:
    """Fit the distance on the training fields and set both limits on the validation groups.

    Args:
        train, validation: outputs for lung fields.
        foreign: outputs for the validation groups of the counter-examples, if there are any.
        weight, bias: the network's last layer.
        changed: outputs for the validation fields as other laboratories stain and scan; these are
            no more novel than ``validation``.
        appearance: what tells those apart, if anything does.
    """
    parts = fit_distance(train.features, train_labels, DIRECTIONS)
    free = Novelty(
        **parts,
        output_weight=weight,
        output_bias=bias,
        limits=np.ones(2, np.float32),
        appearance=appearance,
    )
    lung = measures(free, validation.features)
    others = None if foreign is None else measures(free, foreign.features)
    limits = novelty_limits(lung, others)
    if changed is not None:
        marks = np.quantile(measures(free, changed.features), CHANGED_SHARE, axis=0)
        limits = np.maximum(limits, marks.astype(np.float32))
    return dataclasses.replace(free, limits=limits)


def measures(novelty: Novelty, features: FloatArray) -> Float64Array:
    """What the limits of novelty are limits of: ``(n, d)`` features to ``(n, 2)`` measures."""
    return np.stack([novelty.foreign_probability(features), novelty.distance(features)], 1)


def novelty_limits(lung: Float64Array, foreign: Float64Array | None) -> FloatArray:
    """A limit for each measure.

    Args:
        lung: ``(n, 2)`` measures of lung fields that the network has not seen.
        foreign: ``(m, 2)`` measures of unseen counter-examples, if there are any.
    """
    columns = range(lung.shape[1])
    limits = [_limit(lung[:, k], None if foreign is None else foreign[:, k]) for k in columns]
    return np.array(limits, np.float32)


def _limit(lung: Float64Array, foreign: Float64Array | None) -> float:
    """A limit between lung and foreign: the geometric mean of a high and a low quantile.

    Where the two overlap, or nothing foreign is known, lung's quantile alone.
    """
    low = float(np.quantile(lung, LUNG_SHARE))
    if foreign is None:
        return low
    return max(low, float(np.sqrt(low * np.quantile(foreign, FOREIGN_SHARE))))


def trusted_reach(
    distances: Float64Array, right: NDArray[np.bool_], appearance: Appearance
) -> Appearance:
    """How far from the training's look a field may be judged: as far as answers hold there.

    Args:
        distances: ``(n,)`` of own unseen fields, stained and scanned anew, that would be answered.
        right: whether the answer is right ``(n,)``.
        appearance: its second limit is drawn in to the farthest distance up to which
            ``RIGHT_SHARE`` of the fields beyond the first are right; to the first where none is.
    """
    near, far = (float(limit) for limit in appearance.limits)
    beyond = (distances > near) & (distances <= far)
    order = np.argsort(distances[beyond], kind="stable")
    shares = np.cumsum(right[beyond][order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(shares >= RIGHT_SHARE)
    good = good[good >= LEAST_FIELDS - 1]
    reach = near
    if len(good):
        last = int(good[-1])
        reach = far if last == len(order) - 1 else float(distances[beyond][order][last])
    return dataclasses.replace(appearance, limits=np.array([near, reach], np.float32))


def confidence_limit(probs: FloatArray) -> float:
    """The confidence below which a field is "too uncertain"."""
    return max(LEAST_CONFIDENCE, float(np.quantile(probs.max(1), UNCERTAIN_SHARE)))
