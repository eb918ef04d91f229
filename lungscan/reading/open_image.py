"""Open whatever was found, by what it holds rather than by what it is called."""

from __future__ import annotations

from dataclasses import replace

from openslide import OpenSlide, OpenSlideError

from lungscan.inputs import require_regular
from lungscan.inputs.files import open_failure
from lungscan.inputs.kinds import PLAIN_SUFFIXES, SLIDE_SUFFIXES, content_in, first_bytes
from lungscan.inputs.parts import NAMED_BY_INDEX
from lungscan.reading.ct.series import open_series
from lungscan.reading.deep_tiff import Tags, read_tags
from lungscan.reading.field import is_picture, open_field
from lungscan.reading.slides.slide import open_slide
from lungscan.reading.slides.tiff_index import lacks_tiles
from lungscan.reading.source import ImageSource
from lungscan.types import FileKind, InputFile

# A tiled TIFF with one level and nothing to say of a scanner: above this size it is a slide.
_FIELD_MAX_SIDE_PX = 8192
_STRIPS = 273  # the tag StripOffsets, which a tiled TIFF lacks
_SIZES = (256, 257)  # the tags ImageWidth, ImageLength


def may_be_slide(file: InputFile) -> bool:
    """Whether only the content tells what the file holds; asks the name alone.

    Names of plain pictures are believed here, for the sake of folders of small fields: whoever
    opens one sees when they lie (``disguised``).
    """
    return file.kind == "field" and file.path.suffix.lower() not in PLAIN_SUFFIXES


def disguised(file: InputFile, data: bytes) -> bool:
    """Whether a file that is called a plain picture holds a slide; ``data`` is its content."""
    if may_be_slide(file) or content_in(data) not in {"tiff", "dicom", "czi"}:
        return False
    return kind_of(replace(file, kind="slide")) == "slide"


def kind_of(file: InputFile) -> FileKind:
    """Tell a slide from a field image by content, unless the name is that of a plain picture.

    Raises:
        UnreadableFile: not a readable regular file.
    """
    suffix = file.path.suffix.lower()
    if file.kind == "field" and suffix in PLAIN_SUFFIXES:
        return "field"
    require_regular(file.path)
    if suffix in NAMED_BY_INDEX:
        return "slide"  # an index, or a picture, beside the files that hold the slide
    try:
        content = content_in(first_bytes(file.path))
    except OSError as error:
        raise open_failure(file.path.name, error) from error
    match content:
        case "picture":
            return "field" if file.kind == "field" or is_picture(file.path) else "slide"
        case "dicom" | "czi":
            return "series" if file.kind == "series" else "slide"
        case "tiff":
            return _tiff_kind(file)
    return file.kind


def _tiff_kind(file: InputFile) -> FileKind:
    vendor = OpenSlide.detect_format(file.path)
    if vendor is None:
        return "field" if file.kind == "field" or _is_flat(file) else "slide"
    if vendor != "generic-tiff" or file.path.suffix.lower() in SLIDE_SUFFIXES:
        return "slide"
    try:
        with OpenSlide(file.path) as slide:
            large = max(slide.dimensions) > _FIELD_MAX_SIDE_PX
            if large or slide.level_count > 1 or lacks_tiles(file.path):  # Pillow needs every tile
                return "slide"
            return "field"
    except OpenSlideError:
        # A small picture may be packed in a way that only the reader of fields unpacks; else
        # opening it properly says what is wrong.
        return "field" if _is_small(file) else "slide"


def _is_flat(file: InputFile) -> bool:
    """Whether a TIFF is a picture in strips; one that ends early is not known to be."""
    tags = _tags(file)
    return tags is not None and _STRIPS in tags


def _is_small(file: InputFile) -> bool:
    """Whether a TIFF holds one page, no larger than a field."""
    tags = _tags(file)
    if tags is None or tags.next:
        return False
    return max(int(tags.get(tag, 1 << 31)) for tag in _SIZES) <= _FIELD_MAX_SIDE_PX


def _tags(file: InputFile) -> Tags | None:
    try:
        with file.path.open("rb") as stream:
            return read_tags(stream)
    except OSError as error:
        raise open_failure(file.path.name, error) from error


def open_source(file: InputFile, mpp: float | None = None) -> ImageSource:
    """Open one image; ``mpp`` is the user's µm per level-0 pixel, used if the file says none.

    Raises:
        UnreadableFile: not an image LungScan reads, damaged, cut short or too large.
        NoScale: a slide whose pixel size is unknown or absurd.
    """
    match kind_of(file):
        case "slide":
            return open_slide(file, mpp)
        case "series":
            return open_series(file)
        case "field":
            return open_field(file, mpp=mpp)
