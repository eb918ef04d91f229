"""Slides of 16 bits a colour, whose levels are TIFF pages: read natively, stretched as one picture.

OpenSlide keeps the high byte alone, so that what a camera of 10 or 12 bits wrote comes back black.
There is nothing right to compare with, hence no proof as for other slides: only plain packings of
plain RGB are read, and everything else is refused with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from lungscan.errors import Code, UnreadableFile
from lungscan.inputs import show
from lungscan.inputs.files import open_failure
from lungscan.reading.colour import stretch_table, usual_peak
from lungscan.reading.deep_tiff import read_tags
from lungscan.reading.slides.native import NativeReader
from lungscan.reading.slides.positional import PositionalFile
from lungscan.reading.slides.slide_file import SlideHead
from lungscan.reading.slides.tiff_index import CONTIGUOUS, TiffLevel, deep_levels
from lungscan.reading.slides.tile_codecs import (
    RGB,
    UNPACKERS,
    DamagedTile,
    guard,
    jpeg2000_size,
)
from lungscan.types import InputFile, RgbArray

_VENDORS = frozenset({"aperio", "generic-tiff"})
_JPEG2000 = frozenset({33005, 34712})  # in RGB
_BITS_TAG, _SAMPLES_TAG = 258, 277  # BitsPerSample, SamplesPerPixel
_BYTE, _WORD = 8, 16
_CHANNELS = 3
_COLOURS = frozenset({(1, 1), (RGB, 3), (RGB, 4)})  # PhotometricInterpretation, channels
_DIFFERENCES = 2  # value of the tag Predictor
_MOST_SAMPLES = 64  # tiles of each level whose largest value is looked for

Words = NDArray[np.uint16]  # (height, width, 3)


def open_deep(file: InputFile, head: SlideHead) -> tuple[NativeReader, tuple[str, ...]] | None:
    """Return a reader of all levels, and flags for the slide; None for a slide of 8 bits.

    The range is the smallest usual bit depth that holds the values of some 64 tiles of each level,
    see ``colour.usual_peak``; it is the same for the whole slide.

    Raises:
        UnreadableFile: the slide has more than 8 bits a colour and is of a kind that is not read.
    """
    if head.info.vendor not in _VENDORS:
        return None
    try:
        with file.path.open("rb") as stream:
            tags = read_tags(stream)
        if tags is None or int(max(tags.get(_BITS_TAG, (_BYTE,)))) <= _BYTE:
            return None
        levels = deep_levels(file.path, head.level_sizes, _words)
        if levels is None:
            raise _refused(file)
        opened = PositionalFile(file.path)
        table = stretch_table(usual_peak(_samples(opened, levels)))
    except OSError as error:
        raise open_failure(file.path.name, error) from error
    stretched = [
        replace(level, decode=partial(_stretched, _of_words(level), table)) for level in levels
    ]
    flags = ("grey", "deep_grey") if tags.get(_SAMPLES_TAG, 1) == 1 else ("deep_colour",)
    return NativeReader(opened, stretched, head.background, _is_whole), flags


def _of_words(level: TiffLevel) -> Callable[[bytes], Any]:
    return level.decode  # made by ``_words``, whatever a level's type says


def _refused(file: InputFile) -> UnreadableFile:
    return UnreadableFile(
        f"{show(file.path.name)} holds more than 8 bits a colour, in a way that LungScan does not "
        "read (it reads tiles of 16-bit RGB or grey, plain or packed by LZW, Deflate or JPEG "
        "2000). Export it with 8 bits a colour.",
        code=Code.UNSUPPORTED,
    )


def _is_whole(*_: object) -> bool:
    return True  # asked of JPEG tiles only


def _samples(file: PositionalFile, levels: Sequence[TiffLevel]) -> Iterator[Words]:
    """Some tiles of each level."""
    for level in levels:
        scanned = np.flatnonzero(level.sizes)
        step = max(1, len(scanned) // _MOST_SAMPLES)
        for index in scanned[::step]:
            offset, size = int(level.offsets[index]), int(level.sizes[index])
            if size <= 4 * level.tile_width * level.tile_height * _CHANNELS:
                with suppress(DamagedTile):
                    yield _of_words(level)(file.read(offset, size))


def _words(page: tifffile.TiffPage) -> Callable[[bytes], Any] | None:
    """What turns a tile's bytes into its 16-bit colours; None: not read."""
    packing, shape = int(page.compression), (page.tilelength, page.tilewidth, page.samplesperpixel)
    plain = (
        page.dtype == np.uint16
        and page.bitspersample == _WORD
        and (int(page.photometric), page.samplesperpixel) in _COLOURS
        and int(page.planarconfig) == CONTIGUOUS
        and page.imagedepth == page.tiledepth == page.fillorder == 1
        and int(page.predictor) in {1, _DIFFERENCES}
    )
    if plain and packing in UNPACKERS:
        order = np.dtype(np.uint16).newbyteorder(page.parent.byteorder)
        unpack = partial(UNPACKERS[packing], out=2 * shape[0] * shape[1] * shape[2])
        differences = int(page.predictor) == _DIFFERENCES
        return guard(partial(_packed, unpack, order, differences, shape))
    if plain and packing in _JPEG2000:
        return guard(partial(_jpeg2000, shape))
    return None


def _packed(
    unpack: Callable[[bytes], Any],
    order: np.dtype[np.uint16],
    differences: bool,
    shape: tuple[int, int, int],
    data: bytes,
) -> Words:
    values = np.frombuffer(unpack(data), order).astype(np.uint16)
    values = values[: shape[0] * shape[1] * shape[2]].reshape(shape)
    return np.cumsum(values, axis=1, dtype=np.uint16) if differences else values


def _jpeg2000(shape: tuple[int, int, int], data: bytes) -> Words:
    if jpeg2000_size(data) != shape[:2]:
        raise DamagedTile(f"claims {jpeg2000_size(data)} instead of {shape[:2]}")
    values: Words = imagecodecs.jpeg2k_decode(data)
    if values.shape != shape or values.dtype != np.uint16:
        raise DamagedTile(f"holds {values.shape} of {values.dtype}")
    return values


def _stretched(decode: Callable[[bytes], Words], table: NDArray[np.uint8], data: bytes) -> RgbArray:
    rgb: RgbArray = table[decode(data)[..., :_CHANNELS]]
    return np.repeat(rgb, _CHANNELS, axis=2) if rgb.shape[2] == 1 else rgb
