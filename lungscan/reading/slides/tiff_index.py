"""Where the tiles of a slide's levels lie in its TIFF file, and how they are packed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lungscan.reading.slides.tile_codecs import JPEG, Decoder, tile_decoder

# It complains of damaged headers, and without a handler Python would print that.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_MAX_PAGES = 64  # no slide has so many levels and side pictures
_MAX_TILE_PX = 4096 * 4096
CONTIGUOUS = 1  # value of the tag PlanarConfiguration: the channels of a pixel side by side


@dataclass(frozen=True, slots=True)
class TiffLevel:
    """One level. Tiles are counted row by row; those with no bytes were never scanned."""

    width: int  # pixels of the level
    height: int
    tile_width: int
    tile_height: int
    across: int  # tiles in a row
    offsets: NDArray[np.int64]  # (tiles,) position in the file
    sizes: NDArray[np.int64]  # (tiles,) bytes
    decode: Decoder
    jpeg: bool


def tiff_levels(path: Path, sizes: Sequence[tuple[int, int]]) -> list[TiffLevel | None]:
    """Find the page of each level by its size (width, height), in the order of ``sizes``.

    None where no page fits, or where it is of a kind that is not read natively; only Nones where
    the file cannot be understood.
    """
    return _levels(path, sizes, _level)


def deep_levels(
    path: Path,
    sizes: Sequence[tuple[int, int]],
    decoder: Callable[[tifffile.TiffPage], Callable[[bytes], Any] | None],
) -> list[TiffLevel] | None:
    """As ``tiff_levels``, of a slide with more than 8 bits a colour; None unless all are read.

    ``decoder`` makes what decodes the tiles of a page to 16-bit colours.
    """

    def level(page: tifffile.TiffPage | None) -> TiffLevel | None:
        decode = None
        if page is not None and 0 < page.tilewidth * page.tilelength <= _MAX_TILE_PX:
            decode = decoder(page)
        return None if page is None or decode is None else _laid_out(page, decode)

    found = [layout for layout in _levels(path, sizes, level) if layout is not None]
    return found if len(found) == len(sizes) else None


def _levels(
    path: Path,
    sizes: Sequence[tuple[int, int]],
    level: Callable[[tifffile.TiffPage | None], TiffLevel | None],
) -> list[TiffLevel | None]:
    try:
        with tifffile.TiffFile(path, is_ome=False) as tiff:
            pages = [
                page
                for page in islice(tiff.pages, _MAX_PAGES)
                if isinstance(page, tifffile.TiffPage) and page.is_tiled
            ]
            return [level(_taken(pages, size)) for size in sizes]
    except Exception:  # noqa: BLE001  tifffile raises a dozen kinds; OpenSlide may still read it
        return [None] * len(sizes)


def lacks_tiles(path: Path) -> bool:
    """Whether the first page leaves tiles out; False where the file cannot be understood."""
    try:
        with tifffile.TiffFile(path, is_ome=False) as tiff:
            page = tiff.pages.first
            return page.is_tiled and not all(page.databytecounts)
    except Exception:  # noqa: BLE001  tifffile raises a dozen kinds; reading the file tells more
        return False


def _taken(pages: list[tifffile.TiffPage], size: tuple[int, int]) -> tifffile.TiffPage | None:
    """Take the first page of a size out of the list."""
    for page in pages:
        if (page.imagewidth, page.imagelength) == size:
            pages.remove(page)
            return page
    return None


def _level(page: tifffile.TiffPage | None) -> TiffLevel | None:
    if page is None or not _is_plain(page):
        return None
    decode = tile_decoder(
        int(page.compression),
        int(page.photometric),
        int(page.predictor),
        page.jpegtables,
        (page.tilelength, page.tilewidth),
    )
    return None if decode is None else _laid_out(page, decode)


def _laid_out(page: tifffile.TiffPage, decode: Decoder) -> TiffLevel | None:
    across = -(-page.imagewidth // page.tilewidth)
    count = across * -(-page.imagelength // page.tilelength)
    if len(page.dataoffsets) != count or len(page.databytecounts) != count:
        return None
    return TiffLevel(
        page.imagewidth,
        page.imagelength,
        page.tilewidth,
        page.tilelength,
        across,
        np.array(page.dataoffsets, np.int64),
        np.array(page.databytecounts, np.int64),
        decode,
        int(page.compression) == JPEG,
    )


def _is_plain(page: tifffile.TiffPage) -> bool:
    """Whether pixels are 8-bit RGB, stored the common way."""
    return (
        page.dtype == np.uint8
        and page.bitspersample == 8
        and page.samplesperpixel == 3
        and int(page.planarconfig) == CONTIGUOUS
        and page.imagedepth == page.tiledepth == 1
        and page.fillorder == 1
        and 0 < page.tilewidth * page.tilelength <= _MAX_TILE_PX
    )
