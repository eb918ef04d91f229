from __future__ import annotations

import threading
import time

import numpy as np
from PyQt6.QtGui import QPixmap
from pytestqt.qtbot import QtBot

from lungscan.errors import UnreadableFile
from lungscan.reading import TilePixels
from lungscan_gui.viewer.cache import TILE_BYTES, TileCache
from lungscan_gui.viewer.ladder import TileKey
from lungscan_gui.viewer.loader import TileLoader, to_qimage


class FakeImage:
    """Reads one tile at a time, when it is let."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.read_boxes: list[tuple[int, ...]] = []
        self.error: UnreadableFile | None = None
        self.closed = False

    def read(self, boxes: np.ndarray) -> TilePixels:
        self.gate.acquire()
        self.read_boxes.append(tuple(boxes[0].tolist()))
        if self.error:
            raise self.error
        rgb = np.full((1, 512, 512, 3), 77, np.uint8)
        failed = np.array([boxes[0, 0] == 512])  # the second column is damaged
        return TilePixels(rgb, np.ones(1, np.float32), failed)

    def close(self) -> None:
        self.closed = True


def keys(*columns: int) -> list[TileKey]:
    return [TileKey(1, column, 0) for column in columns]


def test_what_was_scrolled_past_is_never_read(qtbot: QtBot) -> None:
    image = FakeImage()
    loader = TileLoader(image, threads=1)  # type: ignore[arg-type]
    loaded: list[TileKey] = []
    loader.loaded.connect(lambda key, _image: loaded.append(key))
    loader.want(keys(0, 2, 3, 4, 5))
    qtbot.waitUntil(lambda: loader._reading == set(keys(0)))
    loader.want(keys(8, 9))  # the view has moved on
    for _ in range(3):
        image.gate.release()
    qtbot.waitUntil(lambda: len(loaded) == 3)
    assert loaded == keys(0, 8, 9)
    assert loader.idle
    loader.close()
    qtbot.waitUntil(lambda: image.closed)


def test_a_damaged_tile_comes_as_nothing_and_a_lost_file_is_reported_once(qtbot: QtBot) -> None:
    image = FakeImage()
    loader = TileLoader(image, threads=2)  # type: ignore[arg-type]
    loaded: list[object] = []
    messages: list[str] = []
    loader.loaded.connect(lambda _key, tile: loaded.append(tile))
    loader.broken.connect(messages.append)
    loader.want(keys(1))
    image.gate.release()
    qtbot.waitUntil(lambda: loaded == [None])
    image.error = UnreadableFile("The drive is away.", code="E_IO")
    loader.want(keys(2, 3))
    image.gate.release()
    image.gate.release()
    qtbot.waitUntil(lambda: messages == ["The drive is away."])
    time.sleep(0.05)
    qtbot.wait(20)
    assert messages == ["The drive is away."]
    loader.close()


def test_the_cache_is_bounded_and_keeps_what_was_painted_last(qtbot: QtBot) -> None:
    cache = TileCache(3 * TILE_BYTES)
    for column in range(3):
        cache.put(TileKey(1, column, 0), QPixmap(4, 4))
    assert cache.get(TileKey(1, 0, 0)) is not None
    cache.put(TileKey(1, 3, 0), None)
    assert len(cache) == 3
    assert TileKey(1, 1, 0) not in cache
    assert cache.missing(keys(0, 1, 3)) == keys(1)


def test_colours_arrive_as_they_are() -> None:
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[1, 2] = (10, 200, 30)
    image = to_qimage(rgb)
    colour = image.pixelColor(2, 1)
    assert (image.width(), image.height()) == (3, 2)
    assert (colour.red(), colour.green(), colour.blue()) == (10, 200, 30)
