"""Threads that fetch tiles from the reader process, the latest request first.

Each paint says anew which tiles it wants; what is no longer among them is dropped before it is
read, so scrolling far never waits for what was scrolled past.
"""

from __future__ import annotations

import threading

import numpy as np
from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QImage

from lungscan.errors import CaseError
from lungscan.types import RgbArray
from lungscan_gui.engine import ViewedImage
from lungscan_gui.viewer.ladder import TileKey

THREADS = 2


class TileLoader(QObject):
    """Reads the tiles of one image. Its signals arrive in the thread of the window."""

    loaded = pyqtSignal(object, object)  # TileKey; QImage, or None where it could not be read
    recoloured = pyqtSignal(object)  # the overview in the other colours; older tiles have come
    broken = pyqtSignal(str)  # the file or its reader is gone; nothing more comes

    def __init__(self, image: ViewedImage, threads: int = THREADS) -> None:
        super().__init__()
        self.image = image
        self._wanted: list[TileKey] = []
        self._reading: set[TileKey] = set()
        self._change = threading.Condition()
        self._closed = self._paused = False
        self._threads = [
            threading.Thread(target=self._work, name=f"tiles-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def want(self, keys: list[TileKey]) -> None:
        """Read these, in this order, and forget earlier wishes."""
        with self._change:
            self._wanted = [key for key in keys if key not in self._reading]
            if self._wanted:
                self._change.notify_all()

    def recolour(self, by_profile: bool) -> None:
        """Read in the colours that the profile means, or in the stored ones, from now on."""
        threading.Thread(
            target=self._recolour, args=(by_profile,), name="recolour", daemon=True
        ).start()

    @property
    def idle(self) -> bool:
        """Whether nothing is wanted or being read."""
        with self._change:
            return not self._wanted and not self._reading

    def close(self) -> None:
        """Stop, and let go of the image; never waits for a drive."""
        with self._change:
            self._closed, self._wanted = True, []
            self._change.notify_all()
        threading.Thread(target=self.image.close, name="close-image", daemon=True).start()

    def _work(self) -> None:
        while (key := self._next()) is not None:
            try:
                tile = self.image.read(np.array([key.box], np.int32))
                image = None if tile.failed[0] else to_qimage(tile.rgb[0])
            except CaseError as error:
                self._give_up(str(error))
                return
            with self._change:
                self._reading.discard(key)
                self._change.notify_all()
                if self._closed:
                    return
            self.loaded.emit(key, image)

    def _recolour(self, by_profile: bool) -> None:
        with self._change:
            self._paused = True
            while self._reading and not self._closed:
                self._change.wait()
        try:
            overview = self.image.use_profile(by_profile)
        except CaseError as error:
            self._give_up(str(error))
            return
        self.recoloured.emit(overview)
        with self._change:
            self._paused = False
            self._change.notify_all()

    def _next(self) -> TileKey | None:
        with self._change:
            while not self._closed and (self._paused or not self._wanted):
                self._change.wait()
            if self._closed:
                return None
            key = self._wanted.pop(0)
            self._reading.add(key)
            return key

    def _give_up(self, message: str) -> None:
        with self._change:
            was_closed, self._closed = self._closed, True
            self._wanted, self._reading = [], set()
            self._change.notify_all()
        if not was_closed:
            self.broken.emit(message)


def to_qimage(rgb: RgbArray) -> QImage:
    """A picture of its own memory; safe to make in any thread."""
    height, width = rgb.shape[:2]
    data = np.ascontiguousarray(rgb)
    view = QImage(data.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return view.convertToFormat(QImage.Format.Format_RGB32)  # copies: Qt owns the result
