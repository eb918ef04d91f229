"""Read a slide's pixels through OpenSlide, past damaged places."""

from __future__ import annotations

import threading
from contextlib import suppress

import numpy as np
from openslide import OpenSlide, OpenSlideCache, OpenSlideError
from PIL import Image

from lungscan.errors import UnreadableFile
from lungscan.reading.slides.native import AlphaArray, Frame
from lungscan.reading.slides.slide_file import SlideHead, open_handle, read_head
from lungscan.types import InputFile, RgbArray

# Holds the decoded file tiles of a row, so that the next row finds them. With 96 MiB a slide four
# times as large took a tenth more memory and no less time.
_CACHE_BYTES = 32 << 20

READ_ERRORS = (OpenSlideError, OSError, UnreadableFile)


class OpenSlideReader:
    """One handle serves all threads: OpenSlide allows it, and they share a cache.

    An error spoils all later reads of a handle, so a fresh one takes its place.
    """

    def __init__(self, file: InputFile, mpp: float | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._cache = OpenSlideCache(_CACHE_BYTES)
        self._handle = self.open()
        try:
            self.head: SlideHead = read_head(self._handle, file.path, mpp)
        except Exception:  # whatever it is, the file must not stay open
            self._handle.close()
            raise

    def close(self) -> None:
        """Close the file. Call it when no thread reads any more."""
        self._handle.close()

    def open(self) -> OpenSlide:
        """Open one more handle.

        Raises:
            UnreadableFile: see ``open_handle``.
        """
        handle = open_handle(self._file)
        handle.set_cache(self._cache)
        return handle

    def region(self, level: int, frame: Frame) -> tuple[RgbArray, AlphaArray | None]:
        """Return the pixels of a frame, and alpha unless all of it was scanned.

        Raises:
            OpenSlideError, OSError: something that the frame touches cannot be read.
        """
        handle = self._handle
        try:
            return self._read(handle, level, frame)
        except READ_ERRORS:
            self._replace(handle)
            raise

    def region_alone(self, level: int, frame: Frame) -> tuple[RgbArray, AlphaArray | None]:
        """Read a frame, as above, with a handle that nobody else can have spoiled.

        Raises:
            UnreadableFile: the file cannot be opened any more.
            OpenSlideError, OSError: something that the frame touches cannot be read.
        """
        with self.open() as own:
            return self._read(own, level, frame)

    def _replace(self, broken: OpenSlide) -> None:
        """Put a fresh handle in place of one that OpenSlide has latched an error in."""
        with self._lock:
            if self._handle is not broken:
                return  # another thread was faster
            # Not closed here: other threads may be inside it. The last one to let go closes it.
            with suppress(UnreadableFile):  # a drive that is gone; the next read says so again
                self._handle = self.open()

    def _read(
        self, handle: OpenSlide, level: int, frame: Frame
    ) -> tuple[RgbArray, AlphaArray | None]:
        left, top, right, bottom = frame
        downsample = self.head.level_downsamples[level]
        at = (round(left * downsample), round(top * downsample))
        region = handle.read_region(at, level, (right - left, bottom - top))
        alpha = region.getchannel("A")
        if alpha.getextrema() == (255, 255):
            return np.asarray(region.convert("RGB")), None
        canvas = Image.new("RGB", region.size, self.head.background)
        canvas.paste(region, mask=alpha)
        return np.asarray(canvas), np.asarray(alpha)
