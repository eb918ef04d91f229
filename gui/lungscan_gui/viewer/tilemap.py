"""What is known of the tiles of one image, as a map that fills while they are scored. No Qt.

The map is a small raster over the tiles, four cells a side in each, so that neighbouring and
overlapping tiles fall on whole cells; where tiles overlap their probabilities are averaged, as the
report's map does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lungscan.types import BoxArray, FloatArray, TileScores, TileState

PER_TILE = 4  # cells along a tile's side
STATES = tuple(TileState)
PENDING = -1  # the state of a tile that is not scored yet

IntArray = NDArray[np.int64]
Cells = tuple[IntArray, IntArray]  # rows, columns


@dataclass(frozen=True, slots=True)
class MapLook:
    """What of a map is shown. It never changes an answer."""

    shown: tuple[bool, ...]  # per class
    threshold: float = 0.0  # of the best class's probability, 0 to 1
    opacity: float = 0.5
    visible: bool = True
    filled: bool = True  # False: outlines alone


@dataclass
class TileMap:
    """All tiles of one file, scored or not."""

    boxes: BoxArray  # (n, 4) level-0 pixels
    classes: int
    probs: FloatArray = field(init=False)  # (n, classes), NaN where nothing is known
    state: NDArray[np.int8] = field(init=False)  # (n,) index into STATES, or PENDING
    total: FloatArray = field(init=False)  # (rows, columns, classes) sums over used tiles
    used: NDArray[np.int16] = field(init=False)  # (rows, columns) how many
    winner: NDArray[np.int8] = field(init=False)  # likeliest class; -1 where no used tile lies
    best: FloatArray = field(init=False)  # its probability
    other: NDArray[np.int8] = field(init=False)  # 0 none, 1 pending, 2 left out, 3 not readable

    def __post_init__(self) -> None:
        """An empty map."""
        n = len(self.boxes)
        self.probs = np.full((n, self.classes), np.nan, np.float32)
        self.state = np.full(n, PENDING, np.int8)
        first = self.boxes[:, :2].min(0) if n else np.zeros(2)
        side = self.boxes[0, 2:] if n else np.ones(2)
        self.origin = (float(first[0]), float(first[1]))
        self.step = (float(side[0]) / PER_TILE, float(side[1]) / PER_TILE)
        lengths = [
            int(np.rint((self.boxes[:, axis].max() - first[axis]) / self.step[axis])) + PER_TILE
            if n
            else 0
            for axis in (1, 0)
        ]
        self.total = np.zeros((*lengths, self.classes), np.float32)
        self.used = np.zeros(lengths, np.int16)
        self.winner = np.full(lengths, -1, np.int8)
        self.best = np.zeros(lengths, np.float32)
        self.other = np.zeros(lengths, np.int8)
        self._spread(np.arange(n), lambda at, _rows: self._mark(at, 1))

    @property
    def overlapping(self) -> bool:
        """Whether tiles share tissue by design, so that they cannot be drawn side by side."""
        return bool((self.used > 1).mean() > 0.5) if self.used.any() else False

    def put(self, first: int, probs: FloatArray, states: tuple[TileState, ...]) -> slice:
        """Take scored tiles in; returns the rows of cells that changed."""
        rows = np.arange(first, first + len(states))
        self.probs[rows] = probs
        self.state[rows] = [STATES.index(state) for state in states]
        used = rows[self.state[rows] == STATES.index(TileState.USED)]
        failed = rows[self.state[rows] == STATES.index(TileState.FAILED)]
        rest = np.setdiff1d(rows, np.concatenate((used, failed)))
        self._spread(used, self._add)
        self._spread(rest, lambda at, _rows: self._mark(at, 2))
        self._spread(failed, lambda at, _rows: self._mark(at, 3))
        if not len(rows):
            return slice(0, 0)
        tops = self._cells(rows)[:, 1]
        changed = slice(int(tops.min()), int(tops.max()) + PER_TILE)
        self._decide(changed)
        return changed

    def shown_classes(
        self, look: MapLook, rows: slice = slice(None), columns: slice = slice(None)
    ) -> NDArray[np.int8]:
        """The class of each cell as ``look`` wants it shown; -1 where none is."""
        winner, best = self.winner[rows, columns], self.best[rows, columns]
        lookup = np.array([*look.shown, False])  # the last one answers for -1
        shown: NDArray[np.int8] = np.where(lookup[winner] & (best >= look.threshold), winner, -1)
        return shown.astype(np.int8, copy=False)

    def at(self, x: float, y: float) -> IntArray:
        """The tiles over a position of level 0."""
        left, top, width, height = self.boxes.T
        return np.flatnonzero((left <= x) & (x < left + width) & (top <= y) & (y < top + height))

    def within(self, view: tuple[float, float, float, float]) -> IntArray:
        """The tiles that a part of level 0 (left, top, width, height) touches."""
        left, top, width, height = self.boxes.T
        return np.flatnonzero(
            (left < view[0] + view[2])
            & (left + width > view[0])
            & (top < view[1] + view[3])
            & (top + height > view[1])
        )

    def _decide(self, rows: slice) -> None:
        """Find the winners of these rows of cells anew."""
        count = self.used[rows]
        mean = self.total[rows] / np.maximum(count, 1)[..., None]
        self.winner[rows] = np.where(count > 0, mean.argmax(-1), -1)
        self.best[rows] = mean.max(-1, initial=0.0)

    def _cells(self, rows: IntArray) -> IntArray:
        """(n, 2) first column and first row of cells of these tiles."""
        offset = self.boxes[rows, :2] - np.array(self.origin)
        cells: IntArray = np.rint(offset / np.array(self.step)).astype(np.int64)
        return cells

    def _spread(self, rows: IntArray, do: Callable[[Cells, IntArray], None]) -> None:
        """Call ``do`` with the cells of these tiles, one of each tile at a time."""
        cells = self._cells(rows)
        for down in range(PER_TILE):
            for across in range(PER_TILE):
                do((cells[:, 1] + down, cells[:, 0] + across), rows)

    def _add(self, at: Cells, rows: IntArray) -> None:
        np.add.at(self.total, at, self.probs[rows])
        np.add.at(self.used, at, 1)
        self.other[at] = 0

    def _mark(self, at: Cells, what: int) -> None:
        self.other[at] = np.where(self.used[at] > 0, 0, what)


def map_of(scores: TileScores) -> TileMap:
    """The map of a file whose tiles are all scored."""
    made = TileMap(scores.boxes, scores.probs.shape[1])
    made.put(0, scores.probs, scores.state)
    return made
