"""Tiles that were read, as pictures ready to paint; the least lately painted go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from PyQt6.QtGui import QPixmap

from lungscan_gui.engine import VIEW_PX
from lungscan_gui.viewer.ladder import TileKey

TILE_BYTES = VIEW_PX * VIEW_PX * 4
LIMIT_BYTES = 160 << 20


class TileCache:
    """A bounded number of tiles. One that could not be read is kept as None."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = max(1, limit_bytes // TILE_BYTES)
        self._tiles: OrderedDict[TileKey, QPixmap | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tiles)

    def __contains__(self, key: TileKey) -> bool:
        return key in self._tiles

    def put(self, key: TileKey, tile: QPixmap | None) -> None:
        """Keep a tile, and let go of the oldest beyond the limit."""
        self._tiles[key] = tile
        self._tiles.move_to_end(key)
        while len(self._tiles) > self._limit:
            self._tiles.popitem(last=False)

    def get(self, key: TileKey) -> QPixmap | None:
        """The tile, if it is here; it counts as used now."""
        if key not in self._tiles:
            return None
        self._tiles.move_to_end(key)
        return self._tiles[key]

    def missing(self, keys: Iterable[TileKey]) -> list[TileKey]:
        """Those that have to be read, in their order; no more than fit."""
        return [key for key in keys if key not in self._tiles][: self._limit]

    def clear(self) -> None:
        """Another image."""
        self._tiles.clear()
