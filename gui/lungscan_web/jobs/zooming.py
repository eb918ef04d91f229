"""Deep zoom: tiles of an image for a viewer in a browser, read by the engine in a child process.

The ladder is that of Deep Zoom (DZI): the highest level is the image itself, each lower one half
as large, down to one pixel; tiles are squares of 512 px without overlap, cut at the image's edges.
What is coarser than the image's overview is drawn from that.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Any, NamedTuple

from lungscan.errors import CaseError
from lungscan.opening.launch import Launched
from lungscan.opening.viewing import VIEW_PX, ViewedImage
from lungscan.types import InputFile, RgbArray, SeriesInfo
from lungscan_web.jobs.limits import NotHere

IDLE_S = 120.0  # an image that nobody looks at for so long is closed
THREADS = 2  # that read one image
JPEG_QUALITY = 85
UNREADABLE = (200, 200, 200)


class Place(NamedTuple):
    """Which image: a job's number, its case's and file's."""

    job: str
    case: int
    file: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """The levels of an image of this size."""

    width: int
    height: int

    @property
    def highest(self) -> int:
        """The level of full size."""
        return (max(self.width, self.height) - 1).bit_length()

    @property
    def lowest(self) -> int:
        """The highest level that is one tile."""
        return max(
            0, self.highest - (ceil(max(self.width, self.height) / VIEW_PX) - 1).bit_length()
        )

    def size(self, level: int) -> tuple[int, int]:
        """Width and height of a level."""
        step = 1 << (self.highest - level)
        return ceil(self.width / step), ceil(self.height / step)

    def tile(self, level: int, column: int, row: int) -> tuple[int, int, int, int]:
        """Left, top, width and height of a tile in its level's pixels. Raises NotHere."""
        if not 0 <= level <= self.highest:
            raise NotHere("The picture has no such level.")
        width, height = self.size(level)
        left, top = column * VIEW_PX, row * VIEW_PX
        if not (0 <= left < width and 0 <= top < height):
            raise NotHere("The picture has no such tile.")
        return left, top, min(VIEW_PX, width - left), min(VIEW_PX, height - top)


@dataclass(slots=True, eq=False)
class _Open:
    """An image that is open, or about to be."""

    lock: threading.Lock = field(default_factory=threading.Lock)  # while it is being opened
    image: ViewedImage | None = None
    users: int = 0
    used: float = 0.0


class Zooms:
    """The images that are looked at. May be used by several threads."""

    def __init__(self, most: int = 4, clock: Callable[[], float] = time.monotonic) -> None:
        """``most``: so many images are kept open; those used last."""
        self._most, self._clock = most, clock
        self._open: dict[Place, _Open] = {}
        self._lock = threading.Lock()
        self._spare: Launched | None = None
        self._closed = False

    def __len__(self) -> int:
        """How many images are open."""
        return len(self._open)

    def describe(self, place: Place, file: InputFile, mpp: float | None) -> dict[str, Any]:
        """What a viewer must know of the image.

        Raises:
            LungScanError: it cannot be opened.
        """
        with self._lent(place, file, mpp) as image:
            info = image.info
            ladder = Ladder(info.width, info.height)
            return {
                "width": info.width,
                "height": info.height,
                "tile_size": VIEW_PX,
                "tile_overlap": 0,
                "min_level": ladder.lowest,
                "max_level": ladder.highest,
                "mpp_um": info.scale.mpp_um,
            }

    def tile(
        self, place: Place, file: InputFile, mpp: float | None, at: tuple[int, int, int]
    ) -> bytes:
        """JPEG of the tile ``at`` (level, column, row).

        Raises:
            NotHere: there is no such tile.
            LungScanError: the image cannot be read.
        """
        for attempt in range(2):
            try:
                with self._lent(place, file, mpp) as image:
                    return _tile(image, *at)
            except CaseError:  # its process may have died over another tile: once more, anew
                self._drop(place)
                if attempt:
                    raise
        raise AssertionError("unreachable")

    def series(self, place: Place, file: InputFile) -> SeriesInfo:
        """The slices of a series, in their order.

        Raises:
            NotHere: the file is none.
            LungScanError: it cannot be opened.
        """
        with self._lent(place, file, None) as image:
            if image.info.series is None:
                raise NotHere("This image is no series of slices.")
            return image.info.series

    def slice(self, place: Place, file: InputFile, index: int) -> bytes:
        """PNG of slice ``index``, from 0. Raises NotHere, and LungScanError when it is damaged."""
        try:
            with self._lent(place, file, None) as image:
                return _encoded(image.slice_picture(index), "PNG")
        except IndexError as error:
            raise NotHere("The series has no such slice.") from error

    def forget(self, job: str) -> None:
        """Close the images of a job."""
        for place in [place for place in list(self._open) if place.job == job]:
            self._drop(place)

    def look_round(self) -> None:
        """Close what nobody looks at, and have a process ready for the next image."""
        now = self._clock()
        with self._lock:
            idle = [p for p, o in self._open.items() if not o.users and now - o.used > IDLE_S]
            wanted = self._spare is None and not self._closed
        for place in idle:
            self._drop(place)
        if wanted:
            with suppress(OSError):  # whoever opens the next image is told
                fresh = Launched()
                with self._lock:
                    if self._closed or self._spare is not None:
                        fresh.close()
                    else:
                        self._spare = fresh

    def close(self) -> None:
        """Close all."""
        with self._lock:
            self._closed, spare, self._spare = True, self._spare, None
            places = list(self._open)
        for place in places:
            self._drop(place)
        if spare is not None:
            spare.close()

    @contextmanager
    def _lent(self, place: Place, file: InputFile, mpp: float | None) -> Iterator[ViewedImage]:
        with self._lock:
            if self._closed:
                raise NotHere("The page is closing.")
            here = self._open.setdefault(place, _Open())
            here.users += 1
        try:
            with here.lock:
                if here.image is None:
                    here.image = ViewedImage(file.path, mpp, THREADS, self._take(), file=file)
            yield here.image
        except CaseError:
            self._drop(place)
            raise
        finally:
            with self._lock:
                here.users -= 1
                here.used = self._clock()
            self._close_surplus()

    def _take(self) -> Launched | None:
        with self._lock:
            spare, self._spare = self._spare, None
        return spare

    def _close_surplus(self) -> None:
        with self._lock:
            surplus = len(self._open) - self._most
            idle = sorted((o.used, p) for p, o in self._open.items() if not o.users)
        for _, place in idle[: max(0, surplus)]:
            self._drop(place)

    def _drop(self, place: Place) -> None:
        with self._lock:
            here = self._open.pop(place, None)
        if here is not None and here.image is not None:
            here.image.close()


def _tile(image: ViewedImage, level: int, column: int, row: int) -> bytes:
    import numpy as np
    from PIL import Image

    ladder = Ladder(image.info.width, image.info.height)
    left, top, width, height = ladder.tile(level, column, row)
    step = 1 << (ladder.highest - level)
    overview = image.overview
    if step < overview.downsample:
        side = VIEW_PX * step
        pixels = image.read(np.array([[left * step, top * step, side, side]], np.int32))
        if pixels.failed[0]:
            return _encoded(np.full((height, width, 3), UNREADABLE, np.uint8), "JPEG")
        return _encoded(pixels.rgb[0, :height, :width], "JPEG")
    full = Image.fromarray(overview.rgb)
    share = step / overview.downsample
    right = min(full.width, (left + width) * share)
    bottom = min(full.height, (top + height) * share)
    box = (min(left * share, right - 1), min(top * share, bottom - 1), right, bottom)
    return _encoded(np.asarray(full.resize((width, height), Image.Resampling.BOX, box)), "JPEG")


def _encoded(rgb: RgbArray, form: str) -> bytes:
    """A picture for a browser, without any metadata."""
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(buffer, form, quality=JPEG_QUALITY)
    return buffer.getvalue()
