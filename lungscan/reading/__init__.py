"""Pixels: slides natively or through OpenSlide, fields through Pillow, one interface for all."""

from lungscan.reading.field import open_field
from lungscan.reading.open_image import disguised, kind_of, may_be_slide, open_source
from lungscan.reading.resize import resize
from lungscan.reading.source import ImageSource, TilePixels

__all__ = [
    "ImageSource",
    "TilePixels",
    "disguised",
    "kind_of",
    "may_be_slide",
    "open_field",
    "open_source",
    "resize",
]
