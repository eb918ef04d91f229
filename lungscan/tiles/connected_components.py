"""The connected pieces of a mask, held as horizontal runs.

A mask has far fewer runs than pixels, and whatever is asked of its pieces (their area, frame, what
they touch) is answered from the runs. Pixels are drawn only when a mask is wanted again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.types import MaskArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """Horizontal runs of a mask (height, width), from left to right and top to bottom."""

    shape: tuple[int, int]
    row: IntArray  # (runs,)
    left: IntArray
    right: IntArray  # exclusive

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int((self.right - self.left).sum())

    def where(self, chosen: NDArray[np.bool_]) -> Runs:
        """The runs for which ``chosen`` (runs,) is True."""
        return Runs(self.shape, self.row[chosen], self.left[chosen], self.right[chosen])

    def bounds(self) -> IntArray:
        """Start, end, start, end, ... in the mask's pixels counted row by row."""
        row = self.row * self.shape[1]
        return np.stack([row + self.left, row + self.right], axis=1).ravel()

    def moved(self, down: int, right: int, shape: tuple[int, int]) -> Runs:
        """The same runs in a mask of another shape."""
        return Runs(shape, self.row + down, self.left + right, self.right + right)

    def draw(self) -> MaskArray:
        """The mask again."""
        height, width = self.shape
        bounds = np.concatenate(([0], self.bounds(), [height * width]))
        inside = np.arange(len(bounds) - 1) % 2 == 1
        return np.repeat(inside, np.diff(bounds)).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Pieces:
    """The connected pieces of a mask. Entry i of each (n,) array is piece i."""

    runs: Runs
    piece: IntArray  # (runs,) the piece each run belongs to
    area: IntArray  # pixels
    left: IntArray
    top: IntArray
    right: IntArray  # exclusive
    bottom: IntArray  # exclusive

    def only(self, chosen: NDArray[np.bool_]) -> Pieces:
        """The pieces for which ``chosen`` (n,) is True, numbered anew."""
        if chosen.all():
            return self
        number = np.cumsum(chosen) - 1
        kept = chosen[self.piece]
        frames = (self.area, self.left, self.top, self.right, self.bottom)
        return Pieces(
            self.runs.where(kept), number[self.piece[kept]], *(values[chosen] for values in frames)
        )

    def keep(self, chosen: NDArray[np.bool_]) -> MaskArray:
        """Mask of the pieces for which ``chosen`` (n,) is True."""
        return self.runs.where(chosen[self.piece]).draw()

    def draw(self) -> MaskArray:
        """Mask of all pieces."""
        return self.runs.draw()

    def each(self, chosen: NDArray[np.bool_]) -> Iterator[tuple[int, Runs]]:
        """The chosen pieces with their number, each in its own frame."""
        order = np.argsort(self.piece, kind="stable") if chosen.any() else self.piece
        ends = np.cumsum(np.bincount(self.piece, minlength=len(self.area)))
        for i in np.flatnonzero(chosen):
            mine = order[ends[i - 1] if i else 0 : ends[i]]
            shape = int(self.bottom[i] - self.top[i]), int(self.right[i] - self.left[i])
            rows, left, right = self.runs.row, self.runs.left, self.runs.right
            part = Runs(
                shape, rows[mine] - self.top[i], left[mine] - self.left[i],
                right[mine] - self.left[i],
            )  # fmt: skip
            yield int(i), part

    def sums(self, values: NDArray[np.int64]) -> IntArray:
        """Of values of the runs (runs,), the sum over each piece: (n,)."""
        total = np.bincount(self.piece, weights=values, minlength=len(self.area))
        return total.astype(np.int64)


def sum_in(runs: Runs, values: NDArray[np.bool_] | NDArray[np.uint8]) -> IntArray:
    """Sum of ``values`` (height, width) over each run (runs,); of a mask, how many are True."""
    before = np.concatenate(([0], np.cumsum(np.ravel(values), dtype=np.int64)))
    bounds = runs.bounds()
    return np.asarray(before[bounds[1::2]] - before[bounds[::2]])


def find_pieces(mask: MaskArray, *, diagonal: bool = True) -> Pieces:
    """Label connected pieces of a mask; ``diagonal`` lets pixels touch at a corner."""
    return join_runs(find_runs(mask), diagonal=diagonal)


def join_runs(runs: Runs, *, diagonal: bool = True) -> Pieces:
    """Label connected pieces of a mask that is given as its runs."""
    pitch = runs.shape[1] + 1
    # Counted with one empty column a row, so that no run reaches into the next row.
    starts, ends = runs.row * pitch + runs.left, runs.row * pitch + runs.right
    first, second = _touching_runs(starts, ends, pitch, int(diagonal))
    piece = _join(len(starts), first, second)
    count = int(piece.max(initial=-1)) + 1
    return Pieces(
        runs=runs,
        piece=piece,
        area=np.bincount(piece, weights=ends - starts, minlength=count).astype(np.int64),
        left=_least(runs.left, piece, count),
        top=_least(runs.row, piece, count),
        right=-_least(-runs.right, piece, count),
        bottom=-_least(-runs.row - 1, piece, count),
    )


def weld(parts: Sequence[Runs], *counts: Sequence[IntArray]) -> tuple[Runs, list[IntArray]]:
    """Runs of one mask found part by part, in order, those that meet end to end as one.

    ``counts`` are values of each part's runs, added where runs become one. The parts may not
    overlap.
    """
    row, left, right = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("row", "left", "right")
    )
    order = np.lexsort((left, row))
    row, left, right = row[order], left[order], right[order]
    new = np.ones(len(row), np.bool_)
    new[1:] = (row[1:] != row[:-1]) | (left[1:] != right[:-1])
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(row)) - 1
    added = [
        np.add.reduceat(np.concatenate(values)[order], first) if len(first) else row
        for values in counts
    ]
    return Runs(parts[0].shape, row[first], left[first], right[last[: len(first)]]), added


def find_runs(mask: MaskArray) -> Runs:
    """The horizontal runs of True pixels."""
    height, width = mask.shape
    changes = np.empty((height, width + 1), np.bool_)
    changes[:, 0], changes[:, -1] = mask[:, 0], mask[:, -1]
    np.not_equal(mask[:, 1:], mask[:, :-1], out=changes[:, 1:-1])
    places = np.flatnonzero(changes)
    row, left = np.divmod(places[::2], width + 1)
    return Runs((height, width), row, left, left + (places[1::2] - places[::2]))


def _touching_runs(
    starts: IntArray, ends: IntArray, pitch: int, reach: int
) -> tuple[IntArray, IntArray]:
    """Pairs (upper run, lower run) that meet in neighbouring rows."""
    lowest = np.searchsorted(ends, starts + pitch - reach, side="right")
    highest = np.searchsorted(starts, ends + pitch + reach, side="left")
    count = np.maximum(highest - lowest, 0)
    upper = np.repeat(np.arange(len(starts)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return upper, np.repeat(lowest, count) + within


def _join(count: int, first: IntArray, second: IntArray) -> IntArray:
    """Give each of ``count`` items the number of its group (0, 1, ...); pairs connect them."""
    root = np.arange(count)
    while True:
        a, b = root[first], root[second]
        apart = a != b
        if not apart.any():
            number = np.cumsum(root == np.arange(count)) - 1
            return np.asarray(number[root])
        first, second, a, b = first[apart], second[apart], a[apart], b[apart]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while (root != (shorter := root[root])).any():
            root = shorter


def _least(values: IntArray, piece: IntArray, count: int) -> IntArray:
    out = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(out, piece, values)
    return out
