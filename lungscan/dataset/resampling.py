"""Bootstrap over groups: pictures of one group show the same tissue, so whole groups are drawn.

The same draws serve every figure of an evaluation, so differences between figures are paired. A
single group, drawn again and again, is always itself: of fewer than two there is no interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lungscan.model.card import Metric

Floats = NDArray[np.float64]

LEAST_GROUPS = 2  # of an interval
_CELLS = 4_000_000  # numbers held at once


class GroupBootstrap:
    """``draws`` resamples of the groups of n pictures, with replacement.

    Args:
        groups: the group of each picture.
        seed: of the draws; the same seed and groups give the same draws.
        draws: how many.
    """

    def __init__(self, groups: Sequence[str], seed: int = 0, draws: int = 2000) -> None:
        names, member = np.unique(np.array(groups, dtype=object), return_inverse=True)
        self._member: NDArray[np.intp] = member
        self.groups = len(names)
        self.pictures = len(groups)
        self.draws = draws
        rng = np.random.default_rng(seed)
        self._times = np.empty((draws, self.groups), np.uint16)  # how often each group is drawn
        for row in self._times:
            chosen = rng.integers(0, self.groups, self.groups)
            row[:] = np.bincount(chosen, minlength=self.groups)

    def totals(self, values: NDArray[np.generic]) -> Floats:
        """Sums over each resample: ``(n, k)`` in, ``(draws, k)`` out."""
        table = values.astype(np.float64).reshape(self.pictures, -1)
        sums = np.zeros((self.groups, table.shape[1]))
        np.add.at(sums, self._member, table)
        return np.concatenate([times @ sums for times in self._chunks()])

    def weights(self, rows: NDArray[np.intp]) -> Iterator[Floats]:
        """How often each picture of ``rows`` stands in each resample, some resamples at a time.

        Yields ``(some, len(rows))``; together all draws, in order.
        """
        member = self._member[rows]
        for times in self._chunks(len(rows)):
            yield times[:, member]

    def mean(self, name: str, values: NDArray[np.generic], note: str = "") -> Metric:
        """The mean over all pictures."""
        return self.ratio(name, values, np.ones(self.pictures), note)

    def ratio(
        self, name: str, part: NDArray[np.generic], whole: NDArray[np.generic], note: str = ""
    ) -> Metric:
        """Sum of ``part`` over sum of ``whole``, each ``(n,)``; NaN where ``whole`` sums to 0.

        The pictures and groups that it is of are those where ``whole`` is above 0.
        """
        sums = self.totals(np.stack([part, whole], 1).astype(np.float64))
        counted = whole.astype(np.float64) > 0
        value = divide(part.sum(dtype=np.float64), whole.sum(dtype=np.float64))
        draws = self.told(divide(sums[:, 0], sums[:, 1]), counted)
        return self.metric(name, float(value), draws, note, counted)

    def metric(
        self,
        name: str,
        value: float,
        draws: Floats,
        note: str = "",
        counted: NDArray[np.bool_] | None = None,
    ) -> Metric:
        """A figure with the interval that its ``(draws,)`` values span; NaN among them are void.

        None stands for the ends of an interval that nothing is known of. ``counted`` are the
        pictures ``(n,)`` that the figure is of; None: all.
        """
        low, high = (None if np.isnan(end) else float(end) for end in self.interval(draws))
        if counted is None:
            return Metric(name, value, low, high, self.pictures, self.groups, note)
        pictures, groups = int(counted.sum()), self.groups_of(counted)
        return Metric(name, value, low, high, pictures, groups, note)

    def interval(self, draws: Floats) -> tuple[Floats, Floats]:
        """As ``interval``; NaN of fewer than two groups."""
        return interval(draws if self.groups >= LEAST_GROUPS else np.full_like(draws, np.nan))

    def told(self, draws: Floats, *kinds: NDArray[np.bool_]) -> Floats:
        """``draws`` of a figure that rests on pictures of several ``kinds``, each ``(n,)``.

        All void where a kind stands in fewer than two groups: resamples show nothing of how that
        kind varies.
        """
        enough = all(self.groups_of(kind) >= LEAST_GROUPS for kind in kinds)
        return draws if enough else np.full_like(draws, np.nan)

    def groups_of(self, pictures: NDArray[np.bool_]) -> int:
        """How many groups some pictures ``(n,)`` stand in."""
        return len(np.unique(self._member[pictures]))

    def _chunks(self, width: int = 1) -> Iterator[Floats]:
        step = max(1, _CELLS // max(1, width, self.groups))
        for start in range(0, self.draws, step):
            yield self._times[start : start + step].astype(np.float64)


def interval(draws: Floats) -> tuple[Floats, Floats]:
    """2.5 % and 97.5 % quantile over the first axis; NaN where no draw has a value."""
    table = draws.reshape(len(draws), -1)
    low, high = np.full((2, table.shape[1]), np.nan)
    for column in range(table.shape[1]):
        known = table[:, column][~np.isnan(table[:, column])]
        if len(known):
            low[column], high[column] = np.quantile(known, [0.025, 0.975])
    shape = draws.shape[1:]
    return low.reshape(shape), high.reshape(shape)


def divide(part: Floats | np.float64, whole: Floats | np.float64) -> Floats:
    """``part / whole``, NaN where ``whole`` is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    result: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)
    return result
