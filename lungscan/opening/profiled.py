"""An image in the colours that its ICC profile means, for a person who looks at it.

Never for the network: it sees the stored numbers, as it was trained (``lungscan.reading.icc``).
Converted by littleCMS, perceptually, to sRGB.
"""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from openslide import OpenSlide, OpenSlideError
from PIL import Image, ImageCms

from lungscan.inputs import show
from lungscan.reading import ImageSource, TilePixels
from lungscan.reading.icc import IGNORED
from lungscan.types import BoxArray, FileKind, InputFile, Overview, RgbArray, RgbBatch, SourceInfo

MODES = {"RGB": "RGB", "GRAY": "L"}  # colour spaces of profiles that stored numbers can follow


class Profile:
    """A profile and the way from its colours to sRGB. Any number of threads may use it."""

    def __init__(self, profile: ImageCms.ImageCmsProfile) -> None:
        """Raises PyCMSError or KeyError for one that gives no such way."""
        self.name = show(ImageCms.getProfileDescription(profile).strip())[:80] or "without a name"
        self._mode = MODES[profile.profile.xcolor_space.strip()]
        self._transform = ImageCms.buildTransform(
            profile, ImageCms.createProfile("sRGB"), self._mode, "RGB", flags=ImageCms.Flags.NOCACHE
        )

    def convert(self, rgb: RgbArray) -> RgbArray:
        """(height, width, 3) as sRGB."""
        image = Image.fromarray(rgb)
        if self._mode == "L":
            image = image.getchannel(0)
        shown = ImageCms.applyTransform(image, self._transform)
        return rgb if shown is None else np.asarray(shown)


def profile_of(file: InputFile, source: ImageSource) -> Profile | None:
    """The profile of an image whose colours mean other ones than they seem to; else None."""
    if IGNORED not in source.info.flags:
        return None
    try:
        stored = _of_slide(file) if source.kind == "slide" else _of_field(file)
        return Profile(stored) if stored is not None else None
    except (OSError, OpenSlideError, ImageCms.PyCMSError, KeyError):
        return None  # it cannot be used, so nobody is offered it


def _of_slide(file: InputFile) -> ImageCms.ImageCmsProfile | None:
    with OpenSlide(file.path) as slide:
        profile: ImageCms.ImageCmsProfile | None = slide.color_profile
        return profile


def _of_field(file: InputFile) -> ImageCms.ImageCmsProfile | None:
    with Image.open(file.path, formats=("JPEG", "PNG", "TIFF", "WEBP", "BMP")) as image:
        data = image.info.get("icc_profile")
    return ImageCms.ImageCmsProfile(io.BytesIO(data)) if data else None


class Profiled:
    """A source whose tiles and overview are converted. Closing it closes the source."""

    def __init__(self, source: ImageSource, profile: Profile) -> None:
        self.plain = source
        self._profile = profile

    @property
    def kind(self) -> FileKind:
        """See ``TileSource.kind``."""
        return self.plain.kind

    @property
    def info(self) -> SourceInfo:
        """See ``TileSource.info``."""
        return self.plain.info

    def read_tiles(self, boxes: BoxArray, size_px: int, into: RgbBatch | None = None) -> TilePixels:
        """See ``TileSource.read_tiles``."""
        tiles = self.plain.read_tiles(boxes, size_px, into)
        for row in np.flatnonzero(~tiles.failed).tolist():
            tiles.rgb[row] = self._profile.convert(tiles.rgb[row])
        return tiles

    def overview(self, max_px: int = 2048) -> Overview:
        """See ``ImageSource.overview``; what was not scanned stays as it is."""
        plain = self.plain.overview(max_px)
        rgb = np.where(plain.valid[..., None], self._profile.convert(plain.rgb), plain.rgb)
        return replace(plain, rgb=rgb)

    def close(self) -> None:
        """See ``TileSource.close``."""
        self.plain.close()
