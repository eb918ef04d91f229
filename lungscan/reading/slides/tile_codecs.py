"""Decode one tile of a TIFF, having looked first at how large it claims to be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import imagecodecs
import numpy as np

from lungscan.types import RgbArray

Decoder = Callable[[bytes], RgbArray]
T = TypeVar("T")

NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE = 1, 5, 7, 8, 32946  # values of the tag Compression
APERIO_J2K_YCBCR, APERIO_J2K_RGB = 33003, 33005
RGB, YCBCR = 2, 6  # values of the tag PhotometricInterpretation
_DIFFERENCES = 2  # value of the tag Predictor: each pixel as its distance to the left one

_CHANNELS = 3
_GREY = 128  # libjpeg fills blocks whose data are missing with it, in every channel
_BLOCK = 8  # side of libjpeg's blocks

# Start-of-frame markers of JPEG; C4, C8 and CC lie between them and mean other things.
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN_MARKER = 0xDA
_END_MARKER = b"\xff\xd9"
_END_BYTES = 16  # it may be followed by a little padding
_J2K_START = b"\xff\x4f\xff\x51"  # start of a codestream, then the marker that says its size
_J2K_HEAD = 42  # bytes up to the components' own entries, three bytes each


class DamagedTile(Exception):
    """A tile whose data cannot be decoded; other tiles are not concerned."""


def tile_decoder(
    compression: int, photometric: int, predictor: int, tables: bytes | None, size: tuple[int, int]
) -> Decoder | None:
    """Make what turns a tile's bytes into ``size`` (height, width) pixels, 8-bit RGB.

    The arguments are values of TIFF tags. None: such tiles are not read natively. What the decoder
    raises is always a ``DamagedTile``.
    """
    shape = (*size, _CHANNELS)
    decode: Decoder
    if compression == JPEG and photometric in {RGB, YCBCR}:
        # Said aloud, because tiles in RGB often lack the marker that would tell libjpeg.
        space = "RGB" if photometric == RGB else "YCBCR"
        decode = partial(_jpeg, tables=tables, space=space, shape=shape)
    elif compression in {APERIO_J2K_RGB, APERIO_J2K_YCBCR}:
        decode = partial(_jpeg2000, ycbcr=compression == APERIO_J2K_YCBCR, shape=shape)
    elif compression in UNPACKERS and photometric == RGB and predictor in {1, _DIFFERENCES}:
        unpack = UNPACKERS[compression]
        decode = partial(_packed, unpack=unpack, differences=predictor != 1, shape=shape)
    else:
        return None
    return guard(decode)


def guard(decode: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """The same decoder, raising a ``DamagedTile`` whatever goes wrong, but for want of memory."""
    return partial(guarded, decode)


def looks_cut(tile: RgbArray) -> bool:
    """Whether a JPEG tile shows the flat grey that libjpeg puts where data ended early.

    libjpeg only warns then, and imagecodecs passes no warnings on. A picture may hold such a block
    by itself, so the answer is a suspicion, at the price of a look at one pixel per block.
    """
    half = _BLOCK // 2
    green = tile[half::_BLOCK, half::_BLOCK, 1] == _GREY  # the channel that tissue has least of
    if not green.any():
        return False
    for row, column in np.argwhere(green).tolist():
        # Its border may be blended with a neighbour's colour.
        top, left = row * _BLOCK + 1, column * _BLOCK + 1
        block = tile[top : top + _BLOCK - 2, left : left + _BLOCK - 2]
        if (block == _GREY).all():
            return True
    return False


def guarded(decode: Callable[[bytes], T], data: bytes) -> T:
    """What ``decode`` makes of ``data``. Raises DamagedTile for whatever a codec raises."""
    try:
        return decode(data)
    except MemoryError:
        raise  # no damage: the next try may find room
    except Exception as error:  # codecs raise a dozen kinds on damaged data
        raise DamagedTile(str(error)) from error


def _jpeg(
    data: bytes, *, tables: bytes | None, space: str, shape: tuple[int, int, int]
) -> RgbArray:
    _require(jpeg_frame(data)[1:], shape)
    if _END_MARKER not in data[-_END_BYTES:]:
        raise DamagedTile("no end")  # overwritten: libjpeg makes a smooth picture of mere zeros
    out = np.empty(shape, np.uint8)
    return _array(
        imagecodecs.jpeg8_decode(
            data, tables=tables, colorspace=space, outcolorspace="RGB", out=out
        )
    )


def jpeg_frame(data: bytes) -> tuple[int, int, int, int]:
    """Bits, height, width and channels that a JPEG claims.

    Raises:
        DamagedTile, IndexError: there is no such claim in ``data``.
    """
    at = 2
    while data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if marker in _FRAME_MARKERS:
            height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
            return data[at + 4], int.from_bytes(height), int.from_bytes(width), data[at + 9]
        if marker == _SCAN_MARKER:
            break
        at += 2 + length
    raise DamagedTile("no size")


def _jpeg2000(data: bytes, *, ycbcr: bool, shape: tuple[int, int, int]) -> RgbArray:
    _require(_jpeg2000_shape(data), shape)
    planes = _array(imagecodecs.jpeg2k_decode(data))
    _require(planes.shape, shape)
    return rgb_of_ycbcr(planes) if ycbcr else planes


def _jpeg2000_shape(data: bytes) -> tuple[int, ...]:
    """Height, width and channels that a JPEG 2000 codestream claims, if all are stored whole.

    Where colour is stored at half the size, imagecodecs mixes and rounds it in its own way, up to
    one grey level from what OpenSlide shows.
    """
    at = data.index(_J2K_START)
    channels = int.from_bytes(data[at + 40 : at + _J2K_HEAD])
    entries = data[at + _J2K_HEAD : at + _J2K_HEAD + 3 * channels]
    if entries != b"\x07\x01\x01" * channels:
        raise DamagedTile("not 8 bits at full size in every channel")
    return *jpeg2000_size(data), channels


def jpeg2000_size(data: bytes) -> tuple[int, int]:
    """Height and width that a JPEG 2000 codestream claims.

    Raises:
        ValueError: there is no such claim in ``data``.
    """
    at = data.index(_J2K_START)
    right, bottom, left, top = (
        int.from_bytes(data[at + offset : at + offset + 4]) for offset in (8, 12, 16, 20)
    )
    return bottom - top, right - left


def _packed(
    data: bytes, *, unpack: Callable[..., Any], differences: bool, shape: tuple[int, int, int]
) -> RgbArray:
    size = shape[0] * shape[1] * shape[2]
    values = np.frombuffer(unpack(data, out=size), np.uint8)[:size].reshape(shape)
    return np.cumsum(values, axis=1, dtype=np.uint8) if differences else values


def _plain(data: bytes, *, out: int) -> bytes:
    return data[:out]


# Each takes the data and `out`, the most bytes that it may unpack them to.
UNPACKERS: dict[int, Callable[..., Any]] = {
    NONE: _plain,
    LZW: imagecodecs.lzw_decode,
    DEFLATE: imagecodecs.zlib_decode,
    OLD_DEFLATE: imagecodecs.zlib_decode,
}


def rgb_of_ycbcr(planes: RgbArray) -> RgbArray:
    """Convert YCbCr (height, width, 3) to RGB, rounded as in JPEG."""
    light, blue, red = (planes[..., channel].astype(np.int32) for channel in range(_CHANNELS))
    rgb = np.empty_like(planes)
    for channel, change in enumerate(
        (_FROM_RED[red], (_GREEN_FROM_BLUE[blue] + _GREEN_FROM_RED[red]) >> 16, _FROM_BLUE[blue])
    ):
        np.clip(light + change, 0, 255, out=rgb[..., channel], casting="unsafe")
    return rgb


def _scaled(factor: float) -> np.ndarray[Any, np.dtype[np.int32]]:
    """``factor`` times each chroma value, in 16 bits of fraction."""
    return np.int32(round(factor * 65536)) * np.arange(-128, 128, dtype=np.int32)


_FROM_RED = (_scaled(1.402) + 32768) >> 16
_FROM_BLUE = (_scaled(1.772) + 32768) >> 16
_GREEN_FROM_RED = _scaled(-0.71414)
_GREEN_FROM_BLUE = _scaled(-0.34414) + 32768


def _require(found: tuple[int, ...], shape: tuple[int, int, int]) -> None:
    if found != shape:
        raise DamagedTile(f"claims {found} instead of {shape}")


def _array(decoded: Any) -> RgbArray:
    result: RgbArray = decoded
    if result.dtype != np.uint8:
        raise DamagedTile(f"values of type {result.dtype}")
    return result
