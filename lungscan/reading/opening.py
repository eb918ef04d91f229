"""Open whatever was found, by what it holds rather than by what it is called."""

from __future__ import annotations

from openslide import OpenSlide, OpenSlideError

from lungscan.inputs import require_regular
from lungscan.reading.field import open_field
from lungscan.reading.slide import open_slide
from lungscan.reading.source import ImageSource
from lungscan.reading.tiff_index import lacks_tiles
from lungscan.types import FileKind, InputFile

# These never hold a slide, so nobody has to look: it matters for folders of small fields.
_PLAIN_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})

# A tiled TIFF with one level and nothing to say of a scanner: above this size it is a slide.
_FIELD_MAX_SIDE_PX = 8192


def may_be_slide(file: InputFile) -> bool:
    """Whether only the content tells what the file holds; asks the name alone."""
    return file.kind == "field" and file.path.suffix.lower() not in _PLAIN_SUFFIXES


def kind_of(file: InputFile) -> FileKind:
    """Tell a slide from a field image by content where the name leaves it open (TIFF, unknown).

    Raises:
        UnreadableFile: not a readable regular file.
    """
    if file.kind == "slide" or file.path.suffix.lower() in _PLAIN_SUFFIXES:
        return file.kind
    require_regular(file.path)
    vendor = OpenSlide.detect_format(file.path)
    if vendor is None:
        return "field"
    if vendor != "generic-tiff":
        return "slide"
    try:
        with OpenSlide(file.path) as slide:
            large = max(slide.dimensions) > _FIELD_MAX_SIDE_PX
            if large or slide.level_count > 1 or lacks_tiles(file.path):  # Pillow needs every tile
                return "slide"
            return "field"
    except OpenSlideError:
        return "slide"  # opening it properly says what is wrong


def open_source(file: InputFile, mpp: float | None = None) -> ImageSource:
    """Open one image; ``mpp`` is the user's µm per level-0 pixel, used if the file says none.

    Raises:
        UnreadableFile: not an image LungScan reads, damaged, cut short or too large.
        NoScale: a slide whose pixel size is unknown or absurd.
    """
    return open_slide(file, mpp) if kind_of(file) == "slide" else open_field(file, mpp=mpp)
