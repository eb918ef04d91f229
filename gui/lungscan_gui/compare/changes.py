"""Which tiles two runs of one image answer differently. No Qt.

Tiles are compared by class, and by whether they counted at all. Two runs that cut the same tiles
are compared tile by tile; where they do not (another model sees larger fields, or another overlap),
each tile of the second run is compared with what the first run's map says at its middle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.types import BoxArray, ModelStamp, TileState
from lungscan_gui.engine import shares
from lungscan_gui.viewer.tilemap import PENDING, STATES, TileMap

LEFT_OUT, UNKNOWN = -1, -2  # beside the numbers of classes: did not count; not scored, or no tile
_USED = STATES.index(TileState.USED)
_LEFT_OUT_CELLS = (2, 3)  # of ``TileMap.other``: left out, not readable

Outcomes = NDArray[np.int64]  # (n,) index into the common names, LEFT_OUT or UNKNOWN


@dataclass(frozen=True, slots=True)
class Changes:
    """The tiles that changed, the surest of the second run first."""

    boxes: BoxArray  # (n, 4) level-0 pixels
    kinds: tuple[tuple[str, str], ...]  # of each: what it was, what it is, for people
    compared: int  # tiles that both runs have scored

    @property
    def text(self) -> str:
        """How many changed, and the commonest changes, in a sentence."""
        count = len(self.boxes)
        if not self.compared:
            return "No tile can be compared yet."
        share = shares.percent(count / self.compared)
        words = f"{count:,} of {self.compared:,} tiles changed ({share})"
        common = Counter(self.kinds).most_common(3)
        parts = [f"{number:,} from {old} to {new}" for (old, new), number in common]
        rest = count - sum(number for _, number in common)
        if rest:
            parts.append(f"{rest:,} other")
        return f"{words}: {', '.join(parts)}." if parts else f"{words}."


def find_changes(
    first: TileMap, first_model: ModelStamp, second: TileMap, second_model: ModelStamp
) -> Changes:
    """Compare two maps of one file. Classes are the same where their names are."""
    names = list(dict.fromkeys((*first_model.class_names, *second_model.class_names)))
    shown = dict(zip(second_model.class_names, second_model.display_names, strict=True))
    shown |= zip(first_model.class_names, first_model.display_names, strict=True)
    new = _of_tiles(second, _lookup(names, second_model))
    old = _beside(first, second.boxes, _lookup(names, first_model))
    both = (old != UNKNOWN) & (new != UNKNOWN)
    changed = np.flatnonzero(both & (old != new))
    best = np.nan_to_num(second.probs[changed]).max(1, initial=0.0)
    order = changed[np.lexsort((changed, -best, new[changed] == LEFT_OUT))]
    words = [shown[name] for name in names] + ["left out"]  # the last one answers for LEFT_OUT
    kinds = tuple((words[old[row]], words[new[row]]) for row in order.tolist())
    return Changes(second.boxes[order], kinds, int(both.sum()))


def same_classes(first: ModelStamp, second: ModelStamp) -> bool:
    """Whether two models share a class at all; else every tile would count as changed."""
    return bool(set(first.class_names) & set(second.class_names))


def _lookup(names: Sequence[str], model: ModelStamp) -> Outcomes:
    return np.array([names.index(name) for name in model.class_names], np.int64)


def _of_tiles(tiles: TileMap, lookup: Outcomes) -> Outcomes:
    """What became of each tile."""
    found = np.full(len(tiles.boxes), UNKNOWN, np.int64)
    used = tiles.state == _USED
    found[used] = lookup[tiles.probs[used].argmax(1)]
    found[~used & (tiles.state != PENDING)] = LEFT_OUT
    return found


def _beside(tiles: TileMap, boxes: BoxArray, lookup: Outcomes) -> Outcomes:
    """What became of the tissue at these tiles, which may be another run's."""
    if np.array_equal(tiles.boxes, boxes):
        return _of_tiles(tiles, lookup)
    found = np.full(len(boxes), UNKNOWN, np.int64)
    height, width = tiles.winner.shape
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    cells = np.floor((middle - np.array(tiles.origin)) / np.array(tiles.step)).astype(np.int64)
    inside = np.flatnonzero((cells >= 0).all(1) & (cells[:, 0] < width) & (cells[:, 1] < height))
    at = cells[inside, 1], cells[inside, 0]
    winner = tiles.winner[at]
    value = np.where(np.isin(tiles.other[at], _LEFT_OUT_CELLS), LEFT_OUT, UNKNOWN)
    found[inside] = np.where(winner >= 0, lookup[np.maximum(winner, 0)], value)
    return found
