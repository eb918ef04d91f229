"""How large a pixel is, in the words of OME-XML.

The format is https://docs.openmicroscopy.org/ome-model/; its namespace changed with every version,
the names used here did not, but for the first one's PixelSizeX, which stood with the Image.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from xml.parsers import expat

from lungscan.reading.scale import number
from lungscan.reading.units import unit_um

_MAX_DEPTH = 100
_BEFORE = b"\xef\xbb\xbf \t\r\n"  # what may stand before the first element
_UNIT = "µm"  # of PhysicalSizeX and PhysicalSizeY where none is said

Attributes = Mapping[str, str]


@dataclass(slots=True)
class _Image:
    """An Image as it is read."""

    attributes: Attributes
    pixels: Attributes = field(default_factory=dict)
    blocks: list[_Block] = field(default_factory=list)


@dataclass(slots=True)
class _Block:
    """A TiffData: which pages of which file hold planes of the Image."""

    attributes: Attributes
    uuid: str = ""

    def claim(self, page: int) -> int:
        """How surely a page (from 0) belongs to the Image: 0 does not, 2 may, 3 is named."""
        first, count = self.attributes.get("IFD"), self.attributes.get("PlaneCount")
        if count is None and first is None:
            return 2  # all pages of the file
        start = int(first or 0)
        return 3 if start <= page < start + int(count or 1) else 0


class Refused(ValueError):
    """The text declares a document type, or nests without end, which OME-XML never does."""


class _Reader:
    """Collects the Images of a document. Anything else in it is passed over."""

    def __init__(self) -> None:
        self.uuid = ""
        self.images: list[_Image] = []
        self._path: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        if len(self._path) == _MAX_DEPTH:
            raise Refused
        self._path.append(name.rsplit(" ", 1)[-1])  # without its namespace
        if self._path == ["OME"]:
            self.uuid = attributes.get("UUID", "")
        match self._inner():
            case ["Image"]:
                self.images.append(_Image(attributes))
            case ["Pixels"]:  # a fragment without its Image
                self.images.append(_Image({}, attributes))
            case ["Image", "Pixels"] if not self.images[-1].pixels:
                self.images[-1].pixels = attributes
            case ["Image", "Pixels", "TiffData"] | ["Pixels", "TiffData"]:
                self.images[-1].blocks.append(_Block(attributes))

    def end(self, _: str) -> None:
        self._path.pop()

    def text(self, text: str) -> None:
        match self._inner():
            case [*_, "Pixels", "TiffData", "UUID"] if self.images and self.images[-1].blocks:
                self.images[-1].blocks[-1].uuid += text.strip()

    def _inner(self) -> list[str]:
        return self._path[1:] if self._path[:1] == ["OME"] else self._path


def ome_mpp(text: bytes, page: int, size: tuple[int, int]) -> tuple[float, float] | None:
    """Read µm per pixel (x, y) of the Image that a page of a TIFF belongs to.

    It is the one whose TiffData names the page, else the first of the page's size. An Image of
    another size describes another picture, and one whose unit is no length states nothing.

    Args:
        text: the ImageDescription of the file's first page, as stored.
        page: whose pixels are read, from 0.
        size: its width and height.

    Returns:
        None where the text is no OME-XML, is broken, or does not say.
    """
    if not text.lstrip(_BEFORE).startswith(b"<"):
        return None
    try:
        reader = _read(text)
        claims = [(_claim(image, page, size, reader.uuid), image) for image in reader.images]
        claim, image = max(claims, key=lambda pair: pair[0])  # the first of equal ones
        return _mpp(image) if claim else None
    except ValueError:  # no Image, a TiffData without whole numbers, or a document refused
        return None


def _read(text: bytes) -> _Reader:
    """Read OME-XML. Raises Refused for what no microscope writes, or expat's error."""
    """Raises ValueError: the text is no XML, or one that could swell when read."""
    text = text.split(b"\0", 1)[0].lstrip(_BEFORE)  # a TIFF's text ends at its first NUL
    # Some programs declare UTF-16 or ASCII and write UTF-8, or write the sign µ as one byte.
    for encoding in (None, "utf-8", "iso-8859-1"):
        with suppress(expat.ExpatError, LookupError):
            return parsed(text, encoding)
    raise ValueError("not well-formed")


def parsed(text: bytes, encoding: str | None) -> _Reader:
    """Read OME-XML. Raises Refused for what no microscope writes, or expat's error."""
    reader, parser = _Reader(), expat.ParserCreate(encoding, namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refuse
    parser.Parse(text, True)
    return reader


def _refuse(*_: object) -> None:
    raise Refused


def _claim(image: _Image, page: int, size: tuple[int, int], uuid: str) -> int:
    """How surely a page of this size shows the Image: 0 does not, 1 only the size says so."""
    stated = (image.pixels.get("SizeX"), image.pixels.get("SizeY"))
    if any(text and number(text) != side for text, side in zip(stated, size, strict=True)):
        return 0
    if not image.blocks:
        return 1
    # Of an image in several files each block tells its file.
    here = (block for block in image.blocks if not (uuid and block.uuid) or block.uuid == uuid)
    return max((block.claim(page) for block in here), default=0)


def _mpp(image: _Image) -> tuple[float, float] | None:
    x, y = _length_um(image, "X"), _length_um(image, "Y")
    if x is None or y is None:
        known = x or y  # one side alone: the pixel is a square
        return (known, known) if known else None
    return (x, y) if x and y else None


def _length_um(image: _Image, axis: str) -> float | None:
    """One side of a pixel; None where it is not stated, 0 where what is stated is no length."""
    text = image.pixels.get(f"PhysicalSize{axis}")
    if text is None:
        text = image.attributes.get(f"PixelSize{axis}")
    if text is None:
        return None
    unit = unit_um(image.pixels.get(f"PhysicalSize{axis}Unit", _UNIT))
    return (number(text) or 0.0) * (unit or 0.0)
