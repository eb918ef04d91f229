"""Curves: ROC, reliability, and accuracy against the share of fields answered."""

from __future__ import annotations

import numpy as np

from lungscan.dataset.resampling import Floats, GroupBootstrap, divide
from lungscan.evaluation.judged import BoolArray, IndexArray, Judged
from lungscan.evaluation.records import Coverage, ReliabilityBin, RocCurve
from lungscan.model.card import Metric

BINS = 10
_SHARES = np.linspace(0.5, 1.0, 51)  # of the fields answered
_GRID = np.linspace(0.0, 1.0, 101)  # false positive rates of a ROC band


class Ranking:
    """Fields from the most to the least confident."""

    def __init__(self, judged: Judged, bootstrap: GroupBootstrap) -> None:
        self._bootstrap = bootstrap
        self._order = np.argsort(-judged.confidence, kind="stable")
        self._right = judged.right[self._order].astype(np.float64)

    def at(self, share: float, name: str, note: str) -> Metric:
        """Accuracy when the most confident ``share`` of the fields is answered."""
        shares = np.array([share])
        return self._bootstrap.metric(
            name, float(self._value(shares)[0]), self._draws(shares)[:, 0], note
        )

    def minus(self, other: Ranking, share: float, name: str, note: str = "") -> Metric:
        """How much better this order is than another's at ``share``: paired, the same resamples.

        Both rank the same fields under the same bootstrap.
        """
        shares = np.array([share])
        value = float((self._value(shares) - other._value(shares))[0])
        draws = (self._draws(shares) - other._draws(shares))[:, 0]
        return self._bootstrap.metric(name, value, draws, note)

    def curve(self) -> Coverage:
        """Accuracy over shares from one half to all."""
        low, high = self._bootstrap.interval(self._draws(_SHARES))
        columns = (_SHARES, self._value(_SHARES), low, high)
        return Coverage(*(column.astype(np.float32) for column in columns))

    def _value(self, shares: Floats) -> Floats:
        values: Floats = _accuracy_at(shares, np.ones((1, len(self._right))), self._right)[0]
        return values

    def _draws(self, shares: Floats) -> Floats:
        parts = self._bootstrap.weights(self._order)
        return np.concatenate([_accuracy_at(shares, weights, self._right) for weights in parts])


def _accuracy_at(shares: Floats, weights: Floats, right: Floats) -> Floats:
    """``(some, n)`` weights of ranked fields to accuracies ``(some, len(shares))``.

    A share is rounded to whole pictures; at least one is answered.
    """
    seen = np.pad(weights.cumsum(1), ((0, 0), (1, 0)))
    good = np.pad((weights * right).cumsum(1), ((0, 0), (1, 0)))
    wanted = np.maximum(1.0, np.rint(shares * seen[:, -1:]))
    rows = zip(wanted, seen, good, strict=True)
    return np.stack([np.interp(some, x, y) / some for some, x, y in rows])


def reliability(
    judged: Judged, bootstrap: GroupBootstrap, name: str
) -> tuple[tuple[ReliabilityBin, ...], Metric]:
    """Confidence against accuracy in bins of equal count, and the expected calibration error.

    The bins are those of the fields at hand in every resample. The error is a mean of absolute
    differences, so chance alone makes it larger, and resamples make it larger still: its interval
    leans upwards.
    """
    parts = np.array_split(np.argsort(judged.confidence, kind="stable"), BINS)
    member = np.zeros((len(judged.truth), len(parts)))
    for column, rows in enumerate(parts):
        member[rows, column] = 1
    right, sure = member * judged.right[:, None], member * judged.confidence[:, None]
    good, count = bootstrap.totals(right), bootstrap.totals(member)
    gaps = np.abs(bootstrap.totals(sure) - good).sum(1) / count.sum(1)
    value = float(np.abs(sure.sum(0) - right.sum(0)).sum() / len(judged.truth))
    low, high = bootstrap.interval(divide(good, count))
    bins = tuple(
        ReliabilityBin(
            float(judged.confidence[rows].mean()),
            float(judged.right[rows].mean()),
            float(low[i]),
            float(high[i]),
            len(rows),
        )
        for i, rows in enumerate(parts)
        if len(rows)
    )
    return bins, bootstrap.metric(name, value, gaps, f"{BINS} bins of equal count, top class")


def roc_curve(judged: Judged, index: int, name: str, bootstrap: GroupBootstrap) -> RocCurve:
    """The curve of class ``index`` against the rest, with a band over groups."""
    order, ends, positive = _thresholds(judged, index)
    false, true = _rates(np.ones((1, len(order))), positive, ends)
    bands = []
    for weights in bootstrap.weights(order):
        rates = zip(*_rates(weights, positive, ends), strict=True)
        bands += [np.interp(_GRID, x, y) for x, y in rates]
    kind = judged.truth == index
    low, high = bootstrap.interval(bootstrap.told(np.array(bands), kind, ~kind))
    columns = (false[0], true[0], _GRID, low, high)
    return RocCurve(name, *(column.astype(np.float32) for column in columns))


def roc_areas(judged: Judged, bootstrap: GroupBootstrap) -> tuple[Floats, Floats]:
    """Area under the curve of each class ``(classes,)``, and of each resample."""
    values, draws = [], []
    for index in range(judged.probs.shape[1]):
        order, ends, positive = _thresholds(judged, index)
        values.append(_area(np.ones((1, len(order))), positive, ends)[0])
        parts = bootstrap.weights(order)
        draws.append(np.concatenate([_area(weights, positive, ends) for weights in parts]))
    return np.array(values), np.stack(draws, 1)


def _thresholds(judged: Judged, index: int) -> tuple[IndexArray, IndexArray, BoolArray]:
    """Fields by falling probability, the last field of each distinct one, and which are true."""
    scores = judged.probs[:, index]
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    return order, ends, judged.truth[order] == index


def _rates(weights: Floats, positive: BoolArray, ends: IndexArray) -> tuple[Floats, Floats]:
    """False and true positive rates ``(some, thresholds + 1)``, from (0, 0) to (1, 1).

    NaN where a resample holds only one kind of field.
    """
    rates = []
    for kind in (~positive, positive):
        counts = (weights * kind).cumsum(1)
        rates.append(np.pad(divide(counts[:, ends], counts[:, -1:]), ((0, 0), (1, 0))))
    return rates[0], rates[1]


def _area(weights: Floats, positive: BoolArray, ends: IndexArray) -> Floats:
    false, true = _rates(weights, positive, ends)
    area: Floats = (np.diff(false, axis=1) * (true[:, 1:] + true[:, :-1]) / 2).sum(1)
    return area
