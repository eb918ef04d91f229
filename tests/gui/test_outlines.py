"""Outlines of regions: where they lie, and that many of them are handed over at once."""

from __future__ import annotations

import numpy as np
import pytest
from PyQt6.QtCore import QLineF
from PyQt6.QtGui import QColor, QImage, QPainter
from pytestqt.qtbot import QtBot

from lungscan.types import TileState
from lungscan_gui import engine
from lungscan_gui.viewer.camera import open_camera
from lungscan_gui.viewer.lines import lines_of
from lungscan_gui.viewer.overlay import Overlay
from lungscan_gui.viewer.tilemap import MapLook, TileMap
from tests.results import MODEL

SIDE = 100


def test_lines_are_the_numbers_they_were_made_from() -> None:
    numbers = np.arange(40, dtype=np.float64).reshape(10, 4)
    made = lines_of(numbers)
    assert [QLineF(line) for line in made] == [QLineF(*row) for row in numbers.tolist()]
    assert len(lines_of(np.zeros((0, 4)))) == 0


@pytest.mark.parametrize("few", [True, False])
def test_a_region_is_outlined_where_its_tiles_end(qtbot: QtBot, few: bool) -> None:
    """Three tiles of one class in a row of many: a border around them and none between them."""
    columns = 40 if few else 2000  # drawn tile by tile, or as one picture
    boxes = [(SIDE * column, 0, SIDE, SIDE) for column in range(columns)]
    tiles = TileMap(np.array(boxes, np.int32), 3)
    probs = np.full((columns, 3), (0.02, 0.96, 0.02), np.float32)
    probs[10:13] = (0.96, 0.02, 0.02)
    tiles.put(0, probs, (TileState.USED,) * columns)
    overlay = Overlay(tiles, MODEL)
    overlay.look = MapLook((True, False, True), opacity=1.0, filled=False)
    image = QImage(600, 300, QImage.Format.Format_RGB32)
    image.fill(QColor(255, 255, 255))
    painter = QPainter(image)
    camera = open_camera((columns * SIDE, SIDE), (600, 300)).moved_to(11.5 * SIDE, SIDE / 2)
    camera = camera.zoomed_to(1.0)
    if not few:
        overlay.tiles.within = lambda _: np.arange(columns)  # type: ignore[method-assign]
    overlay.paint(painter, camera, 1.0)
    painter.end()

    def inked(x: float, y: float) -> bool:
        across, down = (round(value) for value in camera.to_screen(x, y))
        near = [image.pixelColor(across + dx, down + dy) for dx in (-1, 0) for dy in (-1, 0)]
        wanted = QColor(*engine.class_rgb(MODEL)[0]).darker(140)
        return any(abs(colour.red() - wanted.red()) < 40 and colour.blue() < 120 for colour in near)

    middle = SIDE / 2
    assert inked(10 * SIDE, middle)
    assert inked(13 * SIDE, middle)
    assert inked(11.5 * SIDE, 0)
    assert inked(11.5 * SIDE, SIDE)
    assert not inked(11 * SIDE, middle)
    assert not inked(12 * SIDE, middle)
    assert not inked(14 * SIDE, middle)
