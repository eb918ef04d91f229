"""Opening a slide safely: is it one, is its header sane, and what may be known of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from openslide import OpenSlide, OpenSlideError, OpenSlideUnsupportedFormatError
from PIL.ImageCms import PyCMSError

from lungscan.errors import Code, UnreadableFile
from lungscan.inputs import require_readable, require_regular, show
from lungscan.inputs.files import open_failure
from lungscan.reading.icc import IGNORED, is_foreign
from lungscan.reading.scale import number, slide_scale
from lungscan.reading.slides.refusals import require_mirax, why_not_a_slide, why_not_open
from lungscan.reading.tiff_scale import is_microscopes, tiff_mpp
from lungscan.types import InputFile, SourceInfo

# A header may claim any tile size, and OpenSlide allocates what it claims: some values abort the
# whole process, where no `except` helps. No scanner writes tiles near this limit.
_MAX_TILE_PX = 4096 * 4096
_MAX_LEVEL_PX = 1 << 37
_MAX_SIDE_PX = 1 << 20  # a whole glass slide, 75 mm, at 0.07 µm per pixel
_WHITE = (255, 255, 255)
_EDGES = ("x", "y", "width", "height")


@dataclass(frozen=True, slots=True)
class SlideHead:
    """What is read of a slide's header, once. Other properties may hold patient data."""

    info: SourceInfo
    background: tuple[int, int, int]
    level_downsamples: tuple[float, ...]
    level_sizes: tuple[tuple[int, int], ...]  # width, height


def open_handle(file: InputFile) -> OpenSlide:
    """Open a slide and check its header before any pixel is asked for.

    Raises:
        UnreadableFile: not a slide, damaged, incomplete, or with a header that cannot be true.
    """
    name = show(file.path.name)
    require_regular(file.path)
    if file.path.suffix.lower() == ".mrxs":
        require_mirax(file.path)
    try:
        handle = OpenSlide(file.path)
    except OpenSlideUnsupportedFormatError as error:
        require_readable(file)  # OpenSlide says the same when the drive is away
        raise why_not_a_slide(file.path) from error
    except OpenSlideError as error:
        require_readable(file)
        raise why_not_open(file.path, error) from error
    try:
        _guard(handle, name)
    except UnreadableFile:
        handle.close()
        raise
    return handle


def read_head(handle: OpenSlide, path: Path, mpp: float | None) -> SlideHead:
    """Read the few properties LungScan uses; ``mpp`` is the user's µm per pixel.

    ``path`` is the slide's: a TIFF may state its scale in words that OpenSlide does not read.

    Raises:
        NoScale: the slide's scale is unknown or absurd.
        UnreadableFile: the file is no longer there.
    """
    read = handle.properties.get
    width, height = handle.dimensions
    power = read("openslide.objective-power")
    info = SourceInfo(
        width=width,
        height=height,
        scale=slide_scale(*_stated_mpp(handle, path), power, mpp),
        vendor=read("openslide.vendor") or "unknown",
        objective_power=number(power),
        flags=_flags(handle),
        bounds_origin=bounds_of(handle)[:2],
    )
    background = _colour(read("openslide.background-color"))
    return SlideHead(
        info, background, tuple(handle.level_downsamples), tuple(handle.level_dimensions)
    )


def _flags(handle: OpenSlide) -> tuple[str, ...]:
    try:
        profile = handle.color_profile
    except (OSError, PyCMSError):  # it cannot be read, so nobody's colours depend on it
        return ()
    return (IGNORED,) if profile is not None and is_foreign(profile) else ()


def _stated_mpp(handle: OpenSlide, path: Path) -> tuple[str | None, str | None]:
    """What the file says of µm per pixel (x, y), as text.

    Of a scanner's own format OpenSlide knows best. Of any other TIFF it knows the resolution tags
    alone, which often describe a printout where OME-XML or ImageJ's words say better.
    """
    x, y = (handle.properties.get(f"openslide.mpp-{axis}") for axis in "xy")
    plain = handle.properties.get("openslide.vendor") == "generic-tiff"
    if (x or y) and not plain:
        return x, y
    try:
        with path.open("rb") as stream:
            words = tiff_mpp(stream, handle.dimensions, tags=not plain)
    except OSError as error:
        raise open_failure(path.name, error) from error
    if words is None or ((x or y) and not is_microscopes(words)):
        return x, y
    return repr(words[0]), repr(words[1])


def bounds_of(handle: OpenSlide) -> tuple[int, int, int, int]:
    """What was scanned: left, top, width and height in level-0 pixels, as OpenSlide's bounds say.

    Formats that leave parts out state bounds: MIRAX, Leica, Ventana, Zeiss, any TIFF that lacks
    tiles. Without all four whole numbers it is the whole picture, as QuPath has it too.
    """
    try:
        x, y, width, height = (
            int(handle.properties[f"openslide.bounds-{name}"]) for name in _EDGES
        )
    except (KeyError, ValueError):
        return 0, 0, *handle.dimensions
    return x, y, width, height


def _guard(handle: OpenSlide, name: str) -> None:
    for level, (width, height) in enumerate(handle.level_dimensions):
        prefix = f"openslide.level[{level}].tile-"
        tile_width = number(handle.properties.get(f"{prefix}width")) or 0
        tile_height = number(handle.properties.get(f"{prefix}height")) or 0
        picture_too_large = width * height > _MAX_LEVEL_PX or max(width, height) > _MAX_SIDE_PX
        if picture_too_large or tile_width * tile_height > _MAX_TILE_PX:
            raise UnreadableFile(
                f"{name} claims tiles of {tile_width:.0f} × {tile_height:.0f} pixels in a picture "
                f"of {width} × {height}, more than LungScan will load; the file is damaged, or "
                "must be saved again with tiles of at most 4096 × 4096.",
                code=Code.TOO_LARGE,
            )


def _colour(text: str | None) -> tuple[int, int, int]:
    try:
        red, green, blue = bytes.fromhex(text or "")
    except ValueError:
        return _WHITE
    return red, green, blue
