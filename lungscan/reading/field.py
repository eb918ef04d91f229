"""Field images through Pillow: every mode becomes 8-bit RGB by rule, damage is an error."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from lungscan.errors import Code, UnreadableFile
from lungscan.inputs import require_regular, show
from lungscan.inputs.files import open_failure
from lungscan.reading.colour import from_deep, to_rgb
from lungscan.reading.deep import find_deep
from lungscan.reading.deep_tiff import DeepPicture
from lungscan.reading.field_errors import damaged, unknown
from lungscan.reading.icc import IGNORED, is_foreign_bytes
from lungscan.reading.resize import sample
from lungscan.reading.scale import field_scale
from lungscan.reading.source import TilePixels
from lungscan.reading.tiff_scale import is_microscopes, tiff_mpp
from lungscan.reading.units import INCH_UM
from lungscan.types import BoxArray, FileKind, InputFile, Overview, RgbBatch, SourceInfo

# Pillow knows many more formats, some with a long list of holes; these are what cameras write.
# Its TIFF and WebP readers have to be imported to be known.
_FORMATS = ("JPEG", "PNG", WebPImagePlugin.WebPImageFile.format or "", "TIFF", "BMP")

# Decoded, such a picture takes 0.8 GB. A larger one belongs into a tiled file.
MAX_PIXELS = 200_000_000
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# Below that, what claims many pixels and hardly has bytes for them is no picture but a bomb: a
# scan of mere glass has some 60 pixels per byte as JPEG.
_HARMLESS_PIXELS = 20_000_000
_MAX_PIXELS_PER_BYTE = 300
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_UPRIGHT = 1  # value of the EXIF tag Orientation
_LYING = frozenset({5, 6, 7, 8})  # and those that turn width into height
_WHITE = (255, 255, 255)
_TURNS = {  # what makes a picture upright, by its EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Upright RGB, µm per pixel (x, y) as the file states it, flags.
Decoded = tuple[Image.Image, tuple[float, float] | None, tuple[str, ...]]


def open_field(
    file: InputFile,
    data: bytes | None = None,
    mpp: float | None = None,
    background: tuple[int, int, int] = _WHITE,
) -> FieldSource:
    """Decode a field image.

    Args:
        file: names the image; read from the disk unless ``data`` is given.
        data: the content of the file, when the caller has it already (to hash it, say).
        mpp: the user's µm per pixel, used if the file says none.
        background: shown where a tile reaches beyond the picture.

    Raises:
        UnreadableFile: not an image in a format LungScan reads, damaged, cut short or too large.
        NoScale: ``mpp`` is absurd.
    """
    name = show(file.path.name)
    if data is not None:
        return _decode(io.BytesIO(data), name, mpp, background)
    require_regular(file.path)
    try:
        with file.path.open("rb") as stream:
            return _decode(stream, name, mpp, background)
    except OSError as error:
        raise open_failure(file.path.name, error) from error


def is_picture(path: Path) -> bool:
    """Whether a file begins as a picture that can be opened as a field; nothing is decoded."""
    try:
        with Image.open(path, formats=_FORMATS):
            return True
    except Exception:  # noqa: BLE001  Pillow lets a dozen kinds out
        return False


class FieldSource:
    """A decoded field image, upright, in RGB."""

    kind: FileKind = "field"

    def __init__(
        self, image: Image.Image, info: SourceInfo, background: tuple[int, int, int] = _WHITE
    ) -> None:
        self._image = image
        self._info = info
        self._background = background  # of what lies beside the picture

    @property
    def info(self) -> SourceInfo:
        """Size after EXIF rotation, scale, and flags that say what was converted."""
        return self._info

    def close(self) -> None:
        """Nothing to let go of: the file was closed once it was decoded."""

    def overview(self, max_px: int = 2048) -> Overview:
        """Scale the field so that its longest side is at most ``max_px``."""
        width, height = self._image.size
        downsample = max(1.0, max(width, height) / max_px)
        size = (ceil(width / downsample), ceil(height / downsample))
        rgb = np.asarray(sample(self._image, (0, 0, width, height), size))
        return Overview(rgb, np.ones(rgb.shape[:2], np.bool_), downsample)

    def handy_downsample(self, wanted: float) -> float:
        """See ``ImageSource.handy_downsample``; any is cheap here."""
        return max(1.0, wanted)

    def view(self, frame: tuple[int, int, int, int], downsample: float) -> Overview:
        """See ``ImageSource.view``."""
        left, top, right, bottom = frame
        box = (left * downsample, top * downsample, right * downsample, bottom * downsample)
        rgb = np.asarray(sample(self._image, box, (right - left, bottom - top)))
        return Overview(rgb, np.ones(rgb.shape[:2], np.bool_), downsample)

    def read_tiles(self, boxes: BoxArray, size_px: int, into: RgbBatch | None = None) -> TilePixels:
        """See ``TileSource.read_tiles``; positions are the field's pixels."""
        count = len(boxes)
        rgb = np.empty((count, size_px, size_px, 3), np.uint8) if into is None else into
        valid = np.ones(count, np.float32)
        for row, (x, y, width, height) in enumerate(boxes.tolist()):
            image, box = self._image, (x, y, x + width, y + height)
            inside = _overlap(box, image.size)
            if inside < 1:
                image, box = _padded(image, box, self._background), (0, 0, width, height)
                valid[row] = inside
            rgb[row] = np.asarray(sample(image, box, (size_px, size_px)))
        return TilePixels(rgb, valid, np.zeros(count, np.bool_))


def _decode(
    stream: BinaryIO, name: str, mpp: float | None, background: tuple[int, int, int]
) -> FieldSource:
    try:
        deep = find_deep(stream, name)
        if deep is None:
            rgb, mpp_xy, flags = _by_pillow(stream, name)
        else:
            rgb, mpp_xy, flags = _by_others(deep, stream, name)
    except MemoryError:
        raise  # says nothing of this picture: others may fill the memory
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableFile(
            f"{name} holds more than {MAX_PIXELS // 1_000_000} million pixels, too many to load "
            "at once; save it as a tiled, pyramidal TIFF.",
            code=Code.TOO_LARGE,
        ) from error
    except UnreadableFile:
        raise
    except UnidentifiedImageError as error:
        raise unknown(name, stream) from error
    except Exception as error:  # Pillow has no common error for damage: it lets a dozen kinds out
        raise damaged(name, error) from error
    scale = field_scale(mpp_xy, mpp)
    return FieldSource(rgb, SourceInfo(*rgb.size, scale, "image", None, flags), background)


def _by_pillow(stream: BinaryIO, name: str) -> Decoded:
    image: Image.Image = Image.open(stream, formats=_FORMATS)
    _require_bytes(image.size, stream, name)
    mpp_xy = _mpp_of(image, stream)
    multi_page = getattr(image, "n_frames", 1) > 1
    image.load()
    if _orientation(image) != _UPRIGHT:
        image = ImageOps.exif_transpose(image)
    rgb, flags = to_rgb(image)
    return rgb, mpp_xy, flags + _unseen(multi_page, image.info.get("icc_profile"))


def _by_others(deep: DeepPicture, stream: BinaryIO, name: str) -> Decoded:
    size = (deep.width, deep.height)
    if deep.width * deep.height > MAX_PIXELS:
        raise Image.DecompressionBombError(f"{size}")
    _require_bytes(size, stream, name, _MAX_PIXELS_PER_BYTE // 2)  # each is twice as many bytes
    rgb, flags = from_deep(deep.values(), deep.mode)
    if deep.orientation in _TURNS:
        rgb = rgb.transpose(_TURNS[deep.orientation])
    mpp_xy = _stated_mpp(stream, deep.dpi, deep.orientation, tiff=deep.tiff)
    return rgb, mpp_xy, flags + _unseen(deep.multi_page, deep.icc)


def _unseen(multi_page: bool, icc: bytes | None) -> tuple[str, ...]:
    """Flags for what the file holds and the network does not see."""
    found = ("multi_page",) if multi_page else ()
    return (*found, IGNORED) if icc and is_foreign_bytes(icc) else found


def _require_bytes(
    size: tuple[int, int], stream: BinaryIO, name: str, per_byte: int = _MAX_PIXELS_PER_BYTE
) -> None:
    """Refuse a picture that would swell beyond belief when decoded."""
    pixels = size[0] * size[1]
    at = stream.tell()
    length = stream.seek(0, io.SEEK_END)
    stream.seek(at)
    if pixels > max(_HARMLESS_PIXELS, length * per_byte):
        raise UnreadableFile(
            f"{name} claims {pixels / 1e6:.0f} million pixels in {length / 1e3:.0f} kB, which no "
            "picture of tissue does; it was not opened. Export it again from its source.",
            code=Code.TOO_LARGE,
        )


def _orientation(image: Image.Image) -> int:
    # Only an EXIF or XMP block can ask for rotation; without one, save the search for it.
    if not any(block in image.info for block in ("exif", "xmp", "XML:com.adobe.xmp")):
        return _UPRIGHT
    return int(image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT))


def _mpp_of(image: Image.Image, stream: BinaryIO) -> tuple[float, float] | None:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        orientation = image.tag_v2.get(ExifTags.Base.Orientation, _UPRIGHT)
        return _stated_mpp(stream, (), orientation, tiff=True)
    # Of PNG (pHYs), JPEG (JFIF, else Exif) and BMP, all in dots per inch.
    return _stated_mpp(stream, image.info.get("dpi", ()), _orientation(image), tiff=False)


def _stated_mpp(
    stream: BinaryIO, dpi: Sequence[float], orientation: int, *, tiff: bool
) -> tuple[float, float] | None:
    """Read µm per pixel (x, y) of the upright picture from what its file says.

    A density is believed only where it can be a microscope's: 72 to 600 dpi are a printout's.
    """
    if tiff:
        mpp = tiff_mpp(stream)
    else:
        dots = [float(dots) for dots in dpi]
        mpp = (INCH_UM / dots[0], INCH_UM / dots[1]) if dots and min(dots) > 0 else None
        if not is_microscopes(mpp):
            return None
    return mpp[::-1] if mpp is not None and orientation in _LYING else mpp


def _overlap(box: tuple[int, int, int, int], size: tuple[int, int]) -> float:
    """Return the share of ``box`` that lies inside a picture of ``size``."""
    left, top, right, bottom = box
    width = max(0, min(right, size[0]) - max(left, 0))
    height = max(0, min(bottom, size[1]) - max(top, 0))
    return width * height / ((right - left) * (bottom - top))


def _padded(
    image: Image.Image, box: tuple[int, int, int, int], background: tuple[int, int, int]
) -> Image.Image:
    """Cut ``box`` out of ``image``; what lies outside has the colour of the background."""
    left, top, right, bottom = box
    canvas = Image.new("RGB", (right - left, bottom - top), background)
    canvas.paste(image, (-left, -top))
    return canvas
