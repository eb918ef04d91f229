"""How large a pixel is, as a TIFF states it: the same for slides and for fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import tifffile

from lungscan.reading.scale import plausible
from lungscan.reading.slides.ome import ome_mpp
from lungscan.reading.units import CENTIMETRE_UM, INCH_UM, unit_um

Mpp = tuple[float, float]  # µm per pixel: x, y

_MAX_PAGES = 64
MAX_TEXT = 8 << 20  # bytes; a slide has some kilobytes
_DESCRIPTION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 270, 282, 283, 296
_INCH = 2  # ResolutionUnit where the tag is not there
_UNITS_UM = {_INCH: INCH_UM, 3: CENTIMETRE_UM}
_LINE = re.compile(r"^(unit|yunit)=(.*?)\r?$", re.MULTILINE)
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")  # as ImageJ writes what is not ASCII


def tiff_mpp(
    stream: BinaryIO, size: tuple[int, int] | None = None, *, tags: bool = True
) -> Mpp | None:
    """Read how large a pixel of a TIFF is: from OME-XML, ImageJ's words, or the resolution tags.

    The first statement that can be a microscope's is believed; without one, the first at all, so
    that it can be flagged.

    Args:
        stream: the file; it is left where it stood.
        size: width and height of the page whose pixels are read; the first page by default.
        tags: whether the tags XResolution and YResolution are asked too.
    """
    at = stream.tell()
    try:
        stream.seek(0)
        with tifffile.TiffFile(stream, is_ome=False) as tiff:
            stated = list(_statements(tiff, size, tags=tags))
    except MemoryError:
        raise  # says nothing of this file: others may fill the memory
    except Exception:  # noqa: BLE001  tifffile raises a dozen kinds on damage; then nothing is said
        return None
    finally:
        stream.seek(at)
    return next(filter(is_microscopes, stated), stated[0] if stated else None)


def is_microscopes(mpp: Mpp | None) -> bool:
    """Whether both sides of a pixel can be so long under a microscope."""
    return mpp is not None and plausible(mpp[0]) and plausible(mpp[1])


def _statements(
    tiff: tifffile.TiffFile, size: tuple[int, int] | None, *, tags: bool
) -> Iterator[Mpp]:
    index, page = _page(tiff, size)
    if page is None:
        return
    first = tiff.pages.first
    ome = ome_mpp(_description(tiff, first), index, (page.imagewidth, page.imagelength))
    by_tags = _by_tags(page)
    # ImageJ counts pixels per its own unit where the tag names none. Programs that name centimetres
    # beside it mean them; an inch that nobody names is not believed before ImageJ's unit.
    named = _RESOLUTION_UNIT in page.tags
    by_imagej = None if named and is_microscopes(by_tags) else _by_imagej(tiff, page)
    for mpp in (ome, by_imagej, by_tags if tags else None):
        if mpp is not None:
            yield mpp


def _page(
    tiff: tifffile.TiffFile, size: tuple[int, int] | None
) -> tuple[int, tifffile.TiffPage | None]:
    """The page of a size, as OpenSlide takes it: the first one in tiles."""
    for index, page in enumerate(islice(tiff.pages, _MAX_PAGES)):
        if not isinstance(page, tifffile.TiffPage):
            continue
        if size is None or (page.is_tiled and (page.imagewidth, page.imagelength) == size):
            return index, page
    return 0, None


def _description(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> bytes:
    """The bytes of the ImageDescription: what encoding they have, only they can say."""
    tag = page.tags.get(_DESCRIPTION)
    if tag is None or tag.valuebytecount > MAX_TEXT:
        return b""
    tiff.filehandle.seek(tag.valueoffset)
    return tiff.filehandle.read(tag.valuebytecount).rstrip(b"\0")


def _by_tags(page: tifffile.TiffPage) -> Mpp | None:
    """Dots per inch are believed only where they can be a microscope's: 72 to 600 are a printout's.

    TIFF 6.0, section 8.
    """
    unit = int(page.tags.valueof(_RESOLUTION_UNIT, default=_INCH))
    mpp = _divided(_UNITS_UM.get(unit), _UNITS_UM.get(unit), page)
    return None if unit == _INCH and not is_microscopes(mpp) else mpp


def _by_imagej(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> Mpp | None:
    """ImageJ's description names the unit, the resolution tags say how many pixels it holds.

    Its TiffEncoder writes so.
    """
    data = _description(tiff, tiff.pages.first)
    if not data.startswith(b"ImageJ="):
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    units = {key: unit_um(value) for key, value in _LINE.findall(text)}
    mpp = _divided(units.get("unit"), units.get("yunit", units.get("unit")), page)
    return mpp if is_microscopes(mpp) else None


def _divided(x_um: float | None, y_um: float | None, page: tifffile.TiffPage) -> Mpp | None:
    """The lengths of a unit along x and y by the pixels in it."""
    x, y = (_ratio(page.tags.valueof(tag)) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    if x_um is None or y_um is None or min(x, y) <= 0:
        return None
    return x_um / x, y_um / y


def _ratio(value: Any) -> float:
    """A RATIONAL as a number, 0 where it is none; a few programs write whole numbers."""
    parts = value if isinstance(value, tuple) else (value or 0, 1)
    return float(parts[0]) / float(parts[1]) if len(parts) == 2 and parts[1] else 0.0
