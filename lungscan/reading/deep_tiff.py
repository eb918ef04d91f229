"""TIFFs that Pillow would cut down to 8 bits, or not open: tifffile decodes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, TiffImagePlugin

from lungscan.errors import Code, UnreadableFile
from lungscan.reading.colour import usual_top
from lungscan.reading.slides.tile_codecs import DamagedTile, jpeg2000_size, jpeg_frame

Values = NDArray[np.uint8] | NDArray[np.uint16]  # (height, width, channels)
Tags = TiffImagePlugin.ImageFileDirectory_v2

_BYTE, _WORD = 8, 16
_PILLOW_GREYS = frozenset({1, 2, 4, 8, 16, 32, 64})  # bits of greys that Pillow reads
_PILLOW_PACKINGS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34925, 50000})
_JPEG, _JPEG2000 = 7, frozenset({33003, 33004, 33005, 34712})  # values of the tag Compression
# Packings that unpack to no more than they are asked for, or whose claim is looked at before.
_PACKINGS = frozenset({1, 5, 8, 32773, 32946, 50000, _JPEG}) | _JPEG2000
_MAX_TILE_PX = 4096 * 4096
_HEAD_BYTES = 1 << 16  # of a JPEG: its size stands behind tables and profiles
_ALPHAS = {1: "a", 2: "A"}  # values of the tag ExtraSamples: multiplied with the colour, or not
_WHITE_IS_ZERO = 0
_GREYS, _RGB, _CMYK, _YCBCR = frozenset({0, 1}), 2, 5, 6  # of PhotometricInterpretation
_SEPARATE = 2  # value of the tag PlanarConfiguration


@dataclass(frozen=True, slots=True)
class DeepPicture:
    """A picture whose header was read; ``values`` decodes it."""

    width: int
    height: int
    mode: str  # of its channels, as Pillow names them: L, LA, RGB, RGBA, RGBa, CMYK
    values: Callable[[], Values]
    orientation: int = 1  # as EXIF counts
    icc: bytes | None = None
    dpi: tuple[float, ...] = ()  # dots per inch, across and down, where a PNG states them
    tiff: bool = False
    multi_page: bool = False


def read_tags(stream: BinaryIO) -> Tags | None:
    """The tags of a TIFF's first page; None where they cannot be read."""
    stream.seek(0)
    try:
        head = stream.read(8)
        if head[2] == 43 or head[3] == 43:  # BigTIFF
            head += stream.read(8)
        directory = TiffImagePlugin.ImageFileDirectory_v2(head)
        stream.seek(directory.next)
        directory.load(stream)
    except Exception:  # noqa: BLE001  Pillow lets a dozen kinds out; opening says what is wrong
        return None
    finally:
        stream.seek(0)
    return directory


def find_tiff(stream: BinaryIO, name: str) -> DeepPicture | None:
    """Look at the header of a TIFF; see ``find_deep``."""
    tags = read_tags(stream)
    if tags is None or _is_pillow_s(tags):
        return None
    try:
        with tifffile.TiffFile(stream, is_ome=False) as tiff:
            page = tiff.pages.first
            kind = None if page.dtype is None else np.dtype(page.dtype)
            several = _has_second(tiff)
    except Exception:  # noqa: BLE001  tifffile raises a dozen kinds; Pillow says what is wrong
        return None
    if kind not in (np.uint8, np.uint16) or not isinstance(page, tifffile.TiffPage):
        return None  # of other numbers: refused with their name
    mode = _mode(page, name)
    _require_known(page, name)
    return DeepPicture(
        page.imagewidth,
        page.imagelength,
        mode,
        partial(_page_values, stream, len(mode)),
        int(tags.get(ExifTags.Base.Orientation, 1)),
        tags.get(TiffImagePlugin.ICCPROFILE),
        tiff=True,
        multi_page=several,
    )


def _is_pillow_s(tags: Tags) -> bool:
    """Whether Pillow reads it right, or refuses it for what it is."""
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
    samples = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
    grey = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 1) in _GREYS
    if tags.get(TiffImagePlugin.COMPRESSION, 1) not in _PILLOW_PACKINGS or (grey and samples > 2):
        return False
    if samples == 1 and grey:
        inverted = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO
        return int(bits[0]) in _PILLOW_GREYS and not (inverted and int(bits[0]) > _BYTE)
    return int(max(bits)) <= _BYTE


def _has_second(tiff: tifffile.TiffFile) -> bool:
    try:
        tiff.pages[1]
    except IndexError:
        return False
    return True


def _mode(page: tifffile.TiffPage, name: str) -> str:
    samples, photometric = page.samplesperpixel, int(page.photometric)
    extra = [int(kind) for kind in page.extrasamples]
    alpha = _ALPHAS.get(extra[0], "") if extra else ""
    colours = samples - len(extra)
    if photometric in _GREYS and colours == 1 and (samples == 1 or alpha):
        return f"L{alpha}"
    if photometric == _RGB and samples >= 3:
        return f"RGB{alpha if samples > 3 else ''}"
    if photometric == _YCBCR and samples == 3 and int(page.compression) == _JPEG:
        return "RGB"  # tifffile converts it
    if photometric == _CMYK and samples >= 4:
        return "CMYK"
    raise UnreadableFile(
        f"{name} is a TIFF whose {samples} channels are not declared as red, green and blue "
        f"(PhotometricInterpretation {photometric}); save it as RGB.",
        code=Code.FORMAT,
    )


def _require_known(page: tifffile.TiffPage, name: str) -> None:
    packing = int(page.compression)
    if packing not in _PACKINGS:
        packed = getattr(page.compression, "name", str(packing))
        raise UnreadableFile(
            f"{name} is a TIFF packed with {packed}, which LungScan does not read; save it without "
            "compression, or with LZW or Deflate.",
            code=Code.FORMAT,
        )
    if page.imagedepth > 1 or (page.is_tiled and page.tilewidth * page.tilelength > _MAX_TILE_PX):
        raise UnreadableFile(
            f"{name} is a TIFF of several planes, or of tiles above 4096 × 4096 pixels; save it as "
            "one flat picture.",
            code=Code.TOO_LARGE,
        )


def _page_values(stream: BinaryIO, channels: int) -> Values:
    stream.seek(0)
    with tifffile.TiffFile(stream, is_ome=False) as tiff:
        page = tiff.pages.first
        if not isinstance(page, tifffile.TiffPage):
            raise DamagedTile("no page")
        _require_claims(page, stream)
        decoded = page.asarray(maxworkers=1)
        if page.samplesperpixel > 1 and int(page.planarconfig) == _SEPARATE:
            decoded = np.moveaxis(decoded, 0, -1)
        if int(page.photometric) == _WHITE_IS_ZERO:
            full = int(page.bitspersample) < _WORD
            top = (1 << int(page.bitspersample)) - 1 if full else usual_top(float(decoded.max()))
            decoded = decoded.dtype.type(top) - decoded
        return shaped(decoded, page.imagelength, page.imagewidth, channels)


def _require_claims(page: tifffile.TiffPage, stream: BinaryIO) -> None:
    """Codecs that say themselves how large they are must not claim more than the page does."""
    packing = int(page.compression)
    if packing != _JPEG and packing not in _JPEG2000:
        return
    height, width = page.chunks[-3:-1] if page.axes.endswith("S") else page.chunks[-2:]
    most = max(int(height), 8) * max(int(width), 8)
    for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True):
        stream.seek(offset)
        head = stream.read(min(size, _HEAD_BYTES))
        claimed = jpeg_frame(head)[1:3] if packing == _JPEG else jpeg2000_size(head)
        if claimed[0] * claimed[1] > most:
            raise DamagedTile(f"claims {claimed} instead of {(height, width)}")


def shaped(decoded: Any, height: int, width: int, channels: int) -> Values:
    """The channels that the mode names; raises ``DamagedTile`` where the size is another."""
    values: Values = decoded[..., None] if decoded.ndim == 2 else decoded
    if values.shape[:2] != (height, width) or values.shape[2] < channels:
        raise DamagedTile(f"claims {values.shape} instead of {(height, width, channels)}")
    return values[..., :channels]
