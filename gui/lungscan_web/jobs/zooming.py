"""Deep zoom: tiles of an image for a viewer in a browser, read by the engine in a child process.

Libraries that hold pixels are loaded with the first image, not with the page.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from lungscan.errors import CaseError, LungScanError
from lungscan.opening.launch import Launched
from lungscan_web.jobs.ladder import SIDE_PX, Ladder, encoded, tile_jpeg
from lungscan_web.jobs.limits import NotHere

if TYPE_CHECKING:
    from lungscan.opening.viewing import ViewedImage
    from lungscan.types import InputFile, SeriesInfo

REST_S = 3.0  # after an image was opened, before a process is started for the next one
IDLE_S = 120.0  # an image that nobody looks at for so long is closed
THREADS = 2  # that read one image
CLOSING = "The page is closing."
UNUSED = CaseError("The image was closed, as nobody looked at it.")


class Place(NamedTuple):
    """Which image: a job's number, its case's and file's."""

    job: str
    case: int
    file: int


@dataclass(slots=True, eq=False)
class _Open:
    """An image that is open, or about to be."""

    lock: threading.Lock = field(default_factory=threading.Lock)  # while it is being opened
    image: ViewedImage | None = None
    ended: LungScanError | None = None  # why nobody finds it any more; told to who waits for it
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
        self._taken = clock() - REST_S
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
                "tile_size": SIDE_PX,
                "tile_overlap": 0,
                "min_level": ladder.lowest,
                "max_level": ladder.highest,
                "mpp_um": info.scale.mpp_um,
                "whole_comes_late": not image.is_overview_made,
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
                    return tile_jpeg(image, *at)
            except CaseError:  # its process may have died over another tile: once more, anew
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
                return encoded(image.slice_picture(index), "PNG")
        except IndexError as error:
            raise NotHere("The series has no such slice.") from error

    def forget(self, job: str) -> None:
        """Close the images of a job."""
        for place in [place for place in list(self._open) if place.job == job]:
            self._drop(place, NotHere(NotHere.KEPT))

    def look_round(self) -> None:
        """Close what nobody looks at, and have libraries and a process ready for the next image."""
        import lungscan.opening.viewing  # noqa: F401

        now = self._clock()
        with self._lock:
            idle = [p for p, o in self._open.items() if not o.users and now - o.used > IDLE_S]
            wanted = self._spare is None and not self._closed and now - self._taken >= REST_S
        for place in idle:
            self._drop(place, UNUSED)
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
            self._drop(place, NotHere(CLOSING))
        if spare is not None:
            spare.close()

    @contextmanager
    def _lent(self, place: Place, file: InputFile, mpp: float | None) -> Iterator[ViewedImage]:
        with self._lock:
            if self._closed:
                raise NotHere(CLOSING)
            here = self._open.setdefault(place, _Open())
            here.users += 1
        try:
            with here.lock:
                image = here.image or self._first(here, file, mpp)
            yield image
        except CaseError as error:
            self._end(place, here, error)
            if isinstance(here.ended, NotHere):  # it was closed, and is not to be opened again
                raise here.ended from error
            raise
        finally:
            with self._lock:
                here.users -= 1
                here.used = self._clock()
            self._close_surplus()

    def _first(self, here: _Open, file: InputFile, mpp: float | None) -> ViewedImage:
        """Open its image. Raises what ended it, where that came before or meanwhile."""
        if (why := here.ended) is None:
            image = self._opened(file, mpp)
            with self._lock:
                why = here.ended
                if why is None:
                    here.image = image
                    return image
            image.close()
        raise why

    def _opened(self, file: InputFile, mpp: float | None) -> ViewedImage:
        from lungscan.opening.viewing import ViewedImage

        with self._lock:
            spare, self._spare, self._taken = self._spare, None, self._clock()
        return ViewedImage(file.path, mpp, THREADS, spare, file=file, tile_px=SIDE_PX, soon=True)

    def _close_surplus(self) -> None:
        with self._lock:
            surplus = len(self._open) - self._most
            idle = sorted((o.used, p) for p, o in self._open.items() if not o.users)
        for _, place in idle[: max(0, surplus)]:
            self._drop(place, UNUSED)

    def _drop(self, place: Place, why: LungScanError) -> None:
        """End whichever image is open there."""
        with self._lock:
            here = self._open.get(place)
        if here is not None:
            self._end(place, here, why)

    def _end(self, place: Place, here: _Open, why: LungScanError) -> None:
        """Let nobody find it any more, and close its image, unless it is only being opened."""
        with self._lock:
            if here.ended is not None:
                return
            here.ended, image = why, here.image
            del self._open[place]
        if image is not None:
            image.close()
