from __future__ import annotations

import numpy as np
import pytest

from lungscan.types import BoxArray, TileState
from lungscan_gui.panels.toolbar import class_text, position_text
from lungscan_gui.viewer.tilemap import PENDING, PER_TILE, MapLook, TileMap, map_of
from tests.results import slide_result

NAMES = ("Adenocarcinoma", "Benign lung", "Squamous cell carcinoma")
ALL = MapLook((True, True, True))


def grid(columns: int, rows: int, side: int = 100, stride: int = 100) -> BoxArray:
    boxes = [
        (1000 + c * stride, 2000 + r * stride, side, side)
        for r in range(rows)
        for c in range(columns)
    ]
    return np.array(boxes, np.int32)


def probs(*rows: tuple[float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_a_map_fills_while_tiles_are_scored() -> None:
    tiles = TileMap(grid(3, 2), 3)
    assert (tiles.other == 1).all()
    rows = tiles.put(0, probs((0.9, 0.05, 0.05), (0.1, 0.8, 0.1)), (TileState.USED, TileState.USED))
    assert rows == slice(0, PER_TILE)
    shown = tiles.shown_classes(ALL)
    assert (shown[:4, :4] == 0).all()
    assert (shown[:4, 4:8] == 1).all()
    assert (shown[:, 8:] == -1).all()
    assert (tiles.other[4:] == 1).all()  # not yet scored
    assert (tiles.other[:4, :8] == 0).all()


def test_what_was_left_out_is_neither_scored_nor_waiting() -> None:
    tiles = TileMap(grid(3, 1), 3)
    nan = (np.nan,) * 3
    states = (TileState.BLURRED, TileState.FAILED, TileState.USED)
    tiles.put(0, probs((0.9, 0.05, 0.05), nan, (0.2, 0.2, 0.6)), states)
    assert tiles.other[0].tolist() == [2] * 4 + [3] * 4 + [0] * 4
    assert tiles.shown_classes(ALL)[0].tolist() == [-1] * 8 + [2] * 4


def test_switches_and_threshold_hide_and_change_nothing_else() -> None:
    tiles = TileMap(grid(2, 1), 3)
    tiles.put(0, probs((0.9, 0.05, 0.05), (0.1, 0.55, 0.35)), (TileState.USED,) * 2)
    assert tiles.shown_classes(MapLook((False, True, True)))[0].tolist() == [-1] * 4 + [1] * 4
    assert (
        tiles.shown_classes(MapLook((True,) * 3, threshold=0.6))[0].tolist() == [0] * 4 + [-1] * 4
    )
    assert tiles.probs[0].tolist() == pytest.approx([0.9, 0.05, 0.05])


def test_overlapping_tiles_are_averaged() -> None:
    tiles = TileMap(grid(2, 1, side=100, stride=50), 3)
    tiles.put(0, probs((0.9, 0.1, 0.0), (0.2, 0.8, 0.0)), (TileState.USED,) * 2)
    assert tiles.best[0].tolist() == pytest.approx([0.9, 0.9, 0.55, 0.55, 0.8, 0.8])


def test_the_map_of_a_result_is_the_one_that_filled_live() -> None:
    scores = slide_result().scores[0]
    live = TileMap(scores.boxes, scores.probs.shape[1])
    for first in range(0, len(scores.state), 7):
        part = slice(first, first + 7)
        live.put(first, scores.probs[part], scores.state[part])
    done = map_of(scores)
    assert (live.shown_classes(ALL) == done.shown_classes(ALL)).all()
    assert (live.other == done.other).all()
    assert not (live.state == PENDING).any()


def test_what_is_under_the_cursor_is_reported_in_words() -> None:
    tiles = TileMap(grid(3, 1), 3)
    tiles.put(0, probs((0.93, 0.05, 0.02), (0.3, 0.3, 0.4)), (TileState.USED, TileState.PEN))
    expected = "Adenocarcinoma 0.93, Benign lung 0.05, Squamous cell carcinoma 0.02"
    assert class_text(tiles, NAMES, 1050, 2050) == expected
    assert class_text(tiles, NAMES, 1150, 2050) == "left out: pen"
    assert class_text(tiles, NAMES, 1250, 2050) == "not yet scored"
    assert class_text(tiles, NAMES, 10, 10) == "no tile here"


def test_positions_are_pixels_and_micrometres_where_the_scale_is_known() -> None:
    assert position_text(1200.4, 60, 0.5) == "x 1,200  y 60 px  (600, 30 µm)"
    assert position_text(1200.4, 60, None) == "x 1,200  y 60 px"


def test_only_tiles_in_view_are_drawn() -> None:
    tiles = TileMap(grid(10, 10), 3)
    assert tiles.within((1150, 2150, 100, 20)).tolist() == [11, 12]
