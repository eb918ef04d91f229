"""Pictures that Pillow would cut down to 8 bits, or not open, though nothing is wrong with them.

Pillow keeps the high byte of colours with 16 bits a channel: what a camera of 10 or 12 bits writes
into them turns black. Such PNGs and TIFFs are decoded by imagecodecs and tifffile instead, and so
are TIFFs packed in ways that Pillow's library does not know.
"""

from __future__ import annotations

from typing import BinaryIO

import imagecodecs
from PIL import ExifTags, Image

from lungscan.inputs.kinds import TIFF_MAGIC
from lungscan.reading.deep_tiff import DeepPicture, Values, find_tiff, shaped
from lungscan.reading.slides.tile_codecs import DamagedTile, jpeg_frame

_PNG_MAGIC, _JPEG_MAGIC = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_PNG_DEEP_MODES = {2: "RGB", 4: "LA", 6: "RGBA"}  # by colour type; deep grey alone is Pillow's
_PNG_DEEP = 16  # bits, in the byte behind the size
_JPEG_DEEP = 12  # bits of a JPEG's extended process
_HEAD_BYTES = 1 << 16  # of a JPEG: its size stands behind tables and profiles


def find_deep(stream: BinaryIO, name: str) -> DeepPicture | None:
    """Look at the header of a picture; None: Pillow reads it right, or says what is wrong.

    Raises:
        UnreadableFile: a TIFF whose channels or packing are not read; ``name`` is shown.
    """
    stream.seek(0)
    head = stream.read(32)
    stream.seek(0)
    if head.startswith(_PNG_MAGIC) and len(head) > 25 and head[24] == _PNG_DEEP:
        return _png(stream, head[25])
    if head.startswith(TIFF_MAGIC):
        return find_tiff(stream, name)
    if head.startswith(_JPEG_MAGIC):
        return _jpeg(stream)
    return None


def _png(stream: BinaryIO, colours: int) -> DeepPicture | None:
    mode = _PNG_DEEP_MODES.get(colours)
    if mode is None:
        return None
    try:
        image = Image.open(stream, formats=("PNG",))
    except Exception:  # noqa: BLE001  Pillow says what is wrong when it is asked
        return None
    finally:
        stream.seek(0)
    width, height = image.size
    orientation = 1
    if "exif" in image.info:
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))

    def values() -> Values:
        stream.seek(0)
        return shaped(imagecodecs.png_decode(stream.read()), height, width, len(mode))

    icc, dpi = image.info.get("icc_profile"), tuple(image.info.get("dpi", ()))
    return DeepPicture(width, height, mode, values, orientation, icc, dpi)


def _jpeg(stream: BinaryIO) -> DeepPicture | None:
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    try:
        bits, height, width, channels = jpeg_frame(head)
    except (DamagedTile, IndexError):
        return None
    mode = {1: "L", 3: "RGB"}.get(channels)
    if bits != _JPEG_DEEP or mode is None:
        return None

    def values() -> Values:
        stream.seek(0)
        data = stream.read()
        if b"\xff\xd9" not in data[-64:]:
            raise ValueError("truncated")
        return shaped(imagecodecs.jpeg8_decode(data), height, width, channels)

    return DeepPicture(width, height, mode, values)
