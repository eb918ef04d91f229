"""Decoded tiles that threads share: each is decoded once, however many ask for it at once."""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from lungscan.types import RgbArray

# Two rows of 256 px tiles of a slide 40,000 px wide: what overlapping fields of one row touch. It
# fills on any slide that deserves the name, so that memory does not grow with the slide.
CAPACITY_BYTES = 64 << 20


class TileKey(NamedTuple):
    """One tile of a file; sorted, tiles stand in reading order."""

    level: int
    row: int
    column: int


class TileCache:
    """Keeps tiles up to a number of bytes; any thread may ask.

    Fields are read row by row, so nobody comes back to what lies before the first tile of the
    field being read: that goes first. Where there is none, a row of tiles does not fit, and what
    stands last in reading order goes, which is wanted last. To let go of the tile used longest
    ago would then throw out each one just before the next row of fields wants it.
    """

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._capacity = capacity_bytes
        self._lock = threading.Lock()
        self._tiles: dict[TileKey, Future[RgbArray | None]] = {}
        self._order: list[TileKey] = []  # those decoded, sorted
        self._bytes = 0

    @property
    def held_bytes(self) -> int:
        """Bytes of the tiles that are kept."""
        return self._bytes

    def get(
        self, key: TileKey, first: TileKey, decode: Callable[[TileKey], RgbArray | None]
    ) -> RgbArray | None:
        """Return a tile, decoded by whoever asked first; None for a damaged one.

        ``first`` is the first tile of the field that it is for.

        Raises:
            OSError: it could not be read. Everybody who waits is told, and the next may try again.
        """
        with self._lock:
            found = self._tiles.get(key)
            if found is None:
                mine: Future[RgbArray | None] = Future()
                self._tiles[key] = mine
        if found is not None:
            return found.result()
        try:
            tile = decode(key)
        except BaseException as error:
            with self._lock:
                del self._tiles[key]
            mine.set_exception(error)
            raise
        mine.set_result(tile)
        with self._lock:
            self._keep(key, first, tile)
        return tile

    def _keep(self, key: TileKey, first: TileKey, tile: RgbArray | None) -> None:
        insort(self._order, key)
        self._bytes += _size(tile)
        while self._bytes > self._capacity:
            dropped = self._order.pop(0 if self._order[0] < first else -1)
            self._bytes -= _size(self._tiles.pop(dropped).result())


def _size(tile: RgbArray | None) -> int:
    return 0 if tile is None else tile.nbytes
