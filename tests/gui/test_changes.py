"""Which tiles changed between two runs: the arithmetic, without Qt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lungscan.types import ModelStamp, TileState
from lungscan_gui.compare.changes import find_changes, same_classes
from lungscan_gui.viewer.tilemap import TileMap

MODEL = ModelStamp(
    "m", "1", "0" * 64, ("a", "b"), ("Class A", "Class B"), ("#000000", "#ffffff"), (True, False),
    official=False,
)  # fmt: skip
TURNED = replace(MODEL, class_names=("b", "a"), display_names=("Class B", "Class A"))
USED, BLANK = TileState.USED, TileState.BLANK


def row_of(count: int, side: int = 100) -> np.ndarray:
    return np.array([(i * side, 0, side, side) for i in range(count)], np.int32)


def filled(boxes: np.ndarray, firsts: list[float], states: tuple[TileState, ...]) -> TileMap:
    tiles = TileMap(boxes, 2)
    tiles.put(0, np.array([(p, 1 - p) for p in firsts], np.float32), states)
    return tiles


def test_tiles_change_by_class_and_by_being_left_out() -> None:
    boxes = row_of(5)
    first = filled(boxes, [0.9, 0.8, 0.2, 0.7, 0.6], (USED, USED, USED, BLANK, BLANK))
    second = filled(boxes, [0.7, 0.1, 0.1, 0.9, 0.4], (USED, USED, BLANK, USED, BLANK))
    found = find_changes(first, MODEL, second, MODEL)
    assert found.compared == 5
    assert found.boxes[:, 0].tolist() == [100, 300, 200]  # equally sure by row; left out at last
    assert found.kinds == (
        ("Class A", "Class B"), ("left out", "Class A"), ("Class B", "left out"),
    )  # fmt: skip
    assert found.text == (
        "3 of 5 tiles changed (60.0 %): 1 from Class A to Class B, 1 from left out to Class A, "
        "1 from Class B to left out."
    )


def test_classes_are_the_same_by_name_whatever_their_order() -> None:
    boxes = row_of(2)
    first = filled(boxes, [0.9, 0.9], (USED, USED))
    second = filled(boxes, [0.1, 0.9], (USED, USED))  # of TURNED: b, a
    found = find_changes(first, MODEL, second, TURNED)
    assert found.boxes[:, 0].tolist() == [100]
    assert found.kinds == (("Class A", "Class B"),)
    assert same_classes(MODEL, TURNED)
    assert not same_classes(MODEL, replace(MODEL, class_names=("x", "y")))


def test_larger_tiles_are_compared_with_what_lies_at_their_middle() -> None:
    first = filled(row_of(6), [0.9, 0.9, 0.9, 0.1, 0.1, 0.1], (USED,) * 6)
    wide = np.array([(0, 0, 300, 100), (300, 0, 300, 100)], np.int32)
    second = filled(wide, [0.8, 0.8], (USED, USED))
    found = find_changes(first, MODEL, second, MODEL)
    assert found.compared == 2
    assert found.boxes.tolist() == [[300, 0, 300, 100]]
    assert found.kinds == (("Class B", "Class A"),)


def test_what_is_not_scored_yet_or_lies_outside_is_not_compared() -> None:
    first = TileMap(row_of(3), 2)
    first.put(0, np.array([(0.9, 0.1)], np.float32), (USED,))
    second = filled(row_of(3), [0.1, 0.1, 0.1], (USED,) * 3)
    assert find_changes(first, MODEL, second, MODEL).compared == 1
    elsewhere = filled(row_of(1) + np.array([5000, 0, 0, 0], np.int32), [0.1], (USED,))
    found = find_changes(first, MODEL, elsewhere, MODEL)
    assert (found.compared, found.text) == (0, "No tile can be compared yet.")
