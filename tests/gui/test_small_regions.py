"""Small tumour regions stay visible from afar; what a tile was left out for is said."""

from __future__ import annotations

import numpy as np
import pytest

from lungscan.types import TileState
from lungscan_gui.panels.toolbar import class_text
from lungscan_gui.viewer.camera import Camera
from lungscan_gui.viewer.small_regions import LEAST, MOST, SmallRegions
from lungscan_gui.viewer.tilemap import MapLook, TileMap

ALL = MapLook((True, True, True))
TUMOUR = (True, False, True)
NAMES = ("Adenocarcinoma", "Benign lung", "Squamous cell carcinoma")
A, B, S = (0.9, 0.05, 0.05), (0.05, 0.9, 0.05), (0.05, 0.05, 0.9)


def drawn(*rows: str, side: int = 100) -> TileMap:
    """A map of letters; a dot is a tile that is not scored."""
    places = [(c, r) for r, row in enumerate(rows) for c in range(len(row))]
    boxes = np.array([(c * side, r * side, side, side) for c, r in places], np.int32)
    tiles = TileMap(boxes, 3)
    for index, (c, r) in enumerate(places):
        letter = rows[r][c]
        if letter != ".":
            probs = np.array([{"A": A, "B": B, "S": S}[letter]], np.float32)
            tiles.put(index, probs, (TileState.USED,))
    return tiles


def camera(zoom: float) -> Camera:
    return Camera((4000, 4000), (800, 600), (400.0, 300.0), zoom)


def test_a_lone_tumour_tile_has_a_frame_as_large_on_every_screen() -> None:
    small = SmallRegions(drawn("BBBB", "BABB", "BBBB"), TUMOUR)
    for zoom in (0.001, 0.01, 0.1):
        view = camera(zoom)
        ((index, frame),) = small.frames(ALL, view)
        assert index == 0
        assert (frame.width(), frame.height()) == (LEAST, LEAST)
        assert (frame.center().x(), frame.center().y()) == pytest.approx(view.to_screen(150, 150))
    assert small.frames(ALL, camera(LEAST / 100)) == []  # its own outline is as large


def test_each_region_of_each_tumour_class_has_one_and_benign_ones_none() -> None:
    small = SmallRegions(drawn("ABSSB", "ABBBB", "BB.BA"), TUMOUR)
    found = small.frames(ALL, camera(0.01))
    assert [index for index, _ in found] == [0, 0, 2]


def test_what_is_not_shown_has_none_and_what_comes_in_gets_one() -> None:
    tiles = drawn("AB", "B.")
    small = SmallRegions(tiles, TUMOUR)
    assert len(small.frames(ALL, camera(0.01))) == 1
    small.forget(at_once=True)
    assert small.frames(MapLook((True, True, True), threshold=0.95), camera(0.01)) == []
    small.forget(at_once=True)
    assert small.frames(MapLook((False, True, True)), camera(0.01)) == []
    tiles.put(3, np.array([S], np.float32), (TileState.USED,))
    small.forget(at_once=True)
    assert [index for index, _ in small.frames(ALL, camera(0.01))] == [0, 2]


def test_a_speckle_is_not_covered_with_frames() -> None:
    rows = ["AB" * 20, "B" * 40] * 20
    assert MOST < 400
    assert SmallRegions(drawn(*rows), TUMOUR).frames(ALL, camera(0.01)) == []


@pytest.mark.parametrize("state", list(TileState))
def test_every_state_of_a_tile_has_words_at_the_cursor(state: TileState) -> None:
    tiles = drawn("A.")
    tiles.put(1, np.array([B], np.float32), (state,))
    words = class_text(tiles, NAMES, 150, 50)
    used = state is TileState.USED
    assert words.startswith("Benign lung 0.90" if used else "left out: ")
