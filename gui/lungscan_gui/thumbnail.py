"""The small picture that a result keeps of its image."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from lungscan.types import CaseResult, RgbArray


def thumbnail_of(
    result: CaseResult, index: int = 0
) -> tuple[tuple[int, int], RgbArray, float, float | None] | None:
    """Size of level 0, the picture, level-0 pixels per pixel of it, and µm per level-0 pixel."""
    if index >= len(result.files):
        return None
    file = result.files[index]
    if file.thumbnail_jpeg is None or file.thumbnail_downsample is None:
        return None
    with Image.open(io.BytesIO(file.thumbnail_jpeg), formats=("JPEG",)) as opened:
        rgb = np.asarray(opened.convert("RGB"))
    size = (file.info.width, file.info.height)
    return size, rgb, file.thumbnail_downsample, file.info.scale.mpp_um
