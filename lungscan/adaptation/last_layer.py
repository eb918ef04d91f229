"""With labels: the last layer, the temperature and the least confidence, from a few fields a class.

The last layer is a logistic regression that is held to the weights it had (ridge towards them);
how firmly is chosen by cross-validation over groups, from "not moved at all" on. Classes without a
field of their own keep their outputs: only the weights of the others move, and only against each
other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.training.calibrate import LEAST_CONFIDENCE, log_softmax, softmax
from lungscan.types import FloatArray

Float64Array = NDArray[np.float64]
LabelArray = NDArray[np.int64]

# How firmly the weights are held, by the features' mean square.
HOLDS = (np.inf, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
STEPS = 200
INNER_FOLDS = 5
RIGHT = 0.9  # of the answered fields out of fold: they are answered by layers of fewer fields
TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5.0), 161))
LEAST_ANSWERED = 0.5  # a stricter limit would answer too few for it to be known


@dataclass(frozen=True)
class Layer:
    """The last layer of the lung classes, and the temperature behind it."""

    weight: FloatArray  # (c, d)
    bias: FloatArray  # (c,)
    temperature: float

    def logits(self, features: FloatArray) -> FloatArray:
        """Outputs ``(n, c)`` before the temperature."""
        result: FloatArray = features @ self.weight.T + self.bias
        return result


@dataclass(frozen=True)
class Squares:
    """Squares with their classes; those of one field stand together."""

    features: FloatArray  # (t, d)
    labels: LabelArray  # (t,)
    fields: LabelArray  # (t,) which field, 0 to n - 1
    groups: LabelArray  # (t,) which group

    def take(self, rows: NDArray[np.bool_]) -> Squares:
        """Some of them."""
        return Squares(self.features[rows], self.labels[rows], self.fields[rows], self.groups[rows])


@dataclass(frozen=True)
class Fitted:
    """What labels taught."""

    layer: Layer
    confidence: float  # below it a field is "too uncertain"
    hold: float  # one of ``HOLDS``


def fit_head(squares: Squares, source: Layer, seed: int) -> Fitted:
    """Fit layer, temperature and limit; the last two, and the hold, on answers out of fold.

    Args:
        squares: of labelled fields.
        source: the layer as it was.
        seed: of the deal to folds.
    """
    folds = deal(squares, INNER_FOLDS, seed)
    best: tuple[float, float, float, FloatArray] | None = None
    for hold in HOLDS:
        logits = np.empty((len(squares.labels), len(source.bias)), np.float32)
        for fold in range(INNER_FOLDS):
            held = folds == fold
            if held.any():
                layer = _moved(squares.take(~held), source, hold)
                logits[held] = layer.logits(squares.features[held])
        temperature = _temperature(logits, squares)
        loss = _loss(logits / temperature, squares)
        if best is None or loss < best[0]:
            best = (loss, hold, temperature, logits)
    assert best is not None  # noqa: S101  HOLDS is not empty
    _, hold, temperature, logits = best
    layer = _moved(squares, source, hold)
    limit = _limit(logits, temperature, squares)
    return Fitted(Layer(layer.weight, layer.bias, temperature), limit, hold)


def deal(squares: Squares, folds: int, seed: int) -> LabelArray:
    """The fold of each square: whole groups, each class dealt by itself."""
    rng = np.random.default_rng(seed)
    fold_of = np.zeros(int(squares.groups.max(initial=0)) + 1, np.int64)
    turn = 0
    for label in np.unique(squares.labels):
        groups = np.unique(squares.groups[squares.labels == label])
        for group in rng.permutation(groups):
            fold_of[group] = turn % folds
            turn += 1
    return fold_of[squares.groups]


def _moved(squares: Squares, source: Layer, hold: float) -> Layer:
    """The layer after accelerated gradient descent on the penalised cross-entropy (Nesterov)."""
    present = np.unique(squares.labels)
    if not np.isfinite(hold) or len(present) < 2:
        return source
    x = np.concatenate([squares.features, np.ones((len(squares.features), 1))], 1)
    x = x.astype(np.float64)
    share = 1 / np.bincount(squares.fields)[squares.fields]
    share /= share.sum()
    scale = float((share[:, None] * x * x).sum())  # bounds the curvature, and makes ``hold`` a pure
    penalty = hold * scale / len(squares.features)  # number
    target = (squares.labels[:, None] == present).astype(np.float64)
    start = np.concatenate([source.weight, source.bias[:, None]], 1)[present].astype(np.float64)
    here, ahead, rate = start, start, 1 / (scale / 2 + penalty)
    for step in range(STEPS):
        outputs = x @ ahead.T / source.temperature
        probs = np.exp(log_softmax(outputs.astype(np.float32))).astype(np.float64)
        slope = ((probs - target) * share[:, None]).T @ x / source.temperature
        before, here = here, ahead - rate * (slope + penalty * (ahead - start))
        ahead = here + step / (step + 3) * (here - before)
    weight, bias = source.weight.copy(), source.bias.copy()
    weight[present], bias[present] = here[:, :-1], here[:, -1]
    return Layer(weight, bias, source.temperature)


def _loss(logits: FloatArray, squares: Squares) -> float:
    """Mean over fields of their squares' mean loss."""
    losses = -log_softmax(logits)[np.arange(len(logits)), squares.labels]
    return float(np.mean(by_field(losses[:, None], squares.fields)))


def _temperature(logits: FloatArray, squares: Squares) -> float:
    """The temperature under which the fields' own answers are likeliest.

    As few fields may all be right, which would make any confidence likely: n fields count as if one
    more had been right and one wrong (Platt 1999, for two classes).
    """
    labels = _labels_of_fields(squares)
    n, classes = len(labels), logits.shape[1]
    targets = np.full((n, classes), 1 / (n + 2) / max(classes - 1, 1))
    targets[np.arange(n), labels] = (n + 1) / (n + 2)
    losses = [
        -(targets * np.log(np.maximum(_means(logits, value, squares), 1e-12))).sum(1).mean()
        for value in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(losses))])


def _limit(logits: FloatArray, temperature: float, squares: Squares) -> float:
    """The least confidence from which ``RIGHT`` of the answered fields are right."""
    means = _means(logits, temperature, squares)
    sure, right = means.max(1), means.argmax(1) == _labels_of_fields(squares)
    order = np.argsort(-sure, kind="stable")
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    least = int(np.ceil(LEAST_ANSWERED * len(order)))
    good = [count for count in range(least, len(order) + 1) if shares[count - 1] >= RIGHT]
    count = max(good) if good else least
    return float(max(LEAST_CONFIDENCE, np.floor(1000 * sure[order[count - 1]]) / 1000))


def _means(logits: FloatArray, temperature: float, squares: Squares) -> Float64Array:
    """Probabilities of fields ``(n, c)``, each the mean of its squares."""
    return by_field(softmax(logits, temperature), squares.fields)


def _labels_of_fields(squares: Squares) -> LabelArray:
    labels = by_field(squares.labels[:, None].astype(np.float64), squares.fields)[:, 0]
    return labels.round().astype(np.int64)


def by_field(values: NDArray[np.generic], fields: LabelArray) -> Float64Array:
    """Means ``(n, k)`` of squares' values ``(t, k)``, field by field."""
    names, member = np.unique(fields, return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, member, values.astype(np.float64))
    return sums / np.bincount(member)[:, None]


def of_names(names: Sequence[str]) -> LabelArray:
    """Numbers for names, in the order of the names."""
    _, numbers = np.unique(np.array(names, dtype=object), return_inverse=True)
    return numbers.astype(np.int64)
