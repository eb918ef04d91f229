"""Read a slide's pixels straight from the tiles of its TIFF file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from lungscan.reading.slides.positional import PositionalFile
from lungscan.reading.slides.tiff_index import TiffLevel
from lungscan.reading.slides.tile_cache import TileCache, TileKey
from lungscan.reading.slides.tile_codecs import DamagedTile, looks_cut
from lungscan.types import RgbArray

Frame = tuple[int, int, int, int]  # left, top, right, bottom in a level's pixels
AlphaArray = RgbArray  # (height, width): 255 where scanned, else 0

_SCANNED = 255
_MOST_PACKED = 3  # no packing makes a tile larger than so many times its pixels at 8 bits
_FRAMING = 1 << 16  # bytes beside the pixels: tables, profiles


@dataclass(frozen=True)
class NativeReader:
    """Cuts frames out of the levels that it knows; threads may share it.

    ``is_whole`` is asked about a frame of a level that looks as if its data ended early.
    """

    file: PositionalFile
    levels: Sequence[TiffLevel | None]
    background: tuple[int, int, int]
    is_whole: Callable[[int, Frame], bool]
    tiles: TileCache = field(default_factory=TileCache)

    def knows(self, level: int) -> bool:
        """Whether this reader reads a level; OpenSlide reads the others."""
        return self.levels[level] is not None

    def region(
        self, level: int, frame: Frame, into: RgbArray | None = None
    ) -> tuple[RgbArray, AlphaArray | None]:
        """Return the pixels of a frame, and alpha unless all of it was scanned.

        ``into`` (height, width, 3) is filled and returned instead of a new array, if given.

        Raises:
            DamagedTile: a tile that the frame touches cannot be decoded.
            OSError: the file cannot be read.
        """
        layout = self._layout(level)
        left, top, right, bottom = frame
        rgb = np.empty((bottom - top, right - left, 3), np.uint8) if into is None else into
        alpha: AlphaArray | None = None
        keys = list(_touched(layout, level, frame))
        scanned = [key for key in keys if layout.sizes[key.row * layout.across + key.column]]
        if len(scanned) < len(keys) or not _inside(frame, layout):
            rgb[:] = self.background
            alpha = np.zeros(rgb.shape[:2], np.uint8)
        for key in scanned:
            tile = self.tiles.get(key, keys[0], self._decoded)
            if tile is None:
                raise DamagedTile(f"tile {key.column}, {key.row} of level {level}")
            here = _common(frame, tile_frame(layout, key))
            part = _slices(here, left, top)
            rgb[part] = tile[_slices(here, *_corner(layout, key))]
            if alpha is not None:
                alpha[part] = _SCANNED
        return rgb, alpha

    def close(self) -> None:
        """Close the file. Call it when no thread reads any more."""
        self.file.close()

    def _layout(self, level: int) -> TiffLevel:
        layout = self.levels[level]
        if layout is None:
            raise ValueError(f"level {level} is read through OpenSlide")
        return layout

    def _decoded(self, key: TileKey) -> RgbArray | None:
        """Decode a tile; None when that cannot be done."""
        layout = self._layout(key.level)
        index = key.row * layout.across + key.column
        size = int(layout.sizes[index])
        if size > _FRAMING + _MOST_PACKED * layout.tile_width * layout.tile_height * 3:
            return None
        offset = int(layout.offsets[index])
        if offset + size > self.file.size:  # else any error of reading is the disk's
            return None
        data = self.file.read(offset, size)
        if len(data) < size:
            return None
        try:
            tile = layout.decode(data)
        except DamagedTile:
            return None
        doubtful = layout.jpeg and looks_cut(tile)
        return None if doubtful and not self.is_whole(key.level, tile_frame(layout, key)) else tile


def tile_frame(layout: TiffLevel, key: TileKey) -> Frame:
    """Return the part of its level that a tile shows; the tile may reach over the edge."""
    left, top = _corner(layout, key)
    return (
        left,
        top,
        min(left + layout.tile_width, layout.width),
        min(top + layout.tile_height, layout.height),
    )


def _corner(layout: TiffLevel, key: TileKey) -> tuple[int, int]:
    return key.column * layout.tile_width, key.row * layout.tile_height


def _touched(layout: TiffLevel, level: int, frame: Frame) -> Iterator[TileKey]:
    left, top, right, bottom = _common(frame, (0, 0, layout.width, layout.height))
    if left >= right:
        return
    for row in range(top // layout.tile_height, -(-bottom // layout.tile_height)):
        for column in range(left // layout.tile_width, -(-right // layout.tile_width)):
            yield TileKey(level, row, column)


def _inside(frame: Frame, layout: TiffLevel) -> bool:
    return _common(frame, (0, 0, layout.width, layout.height)) == frame


def _common(first: Frame, second: Frame) -> Frame:
    """Return what two frames share; where they share nothing, right is not beyond left or so."""
    return (
        max(first[0], second[0]),
        max(first[1], second[1]),
        min(first[2], second[2]),
        min(first[3], second[3]),
    )


def _slices(frame: Frame, left: int, top: int) -> tuple[slice, slice]:
    """Rows and columns of a frame in an array whose corner lies at (left, top)."""
    return slice(frame[1] - top, frame[3] - top), slice(frame[0] - left, frame[2] - left)
