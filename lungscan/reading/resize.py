"""The one way LungScan changes the size of a picture.

Training, fields, slides and overviews share this kernel because a network notices the difference:
another kernel alone can move a probability by several hundredths. It is Pillow's bilinear filter,
whose support widens with the reduction, so that it does not alias; Lanczos rings at nuclei.
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from PIL import Image

from lungscan.types import RgbArray

_KERNEL = Image.Resampling.BILINEAR

Box = tuple[float, float, float, float]  # left, top, right, bottom


def resize(rgb: RgbArray, size: tuple[int, int]) -> RgbArray:
    """Scale a picture to ``size`` (width, height); the same array when nothing changes."""
    height, width = rgb.shape[:2]
    if size == (width, height):
        return rgb
    return np.asarray(Image.fromarray(rgb).resize(size, _KERNEL))


def pixel_frame(box: Box) -> tuple[int, int, int, int]:
    """Return the whole pixels that ``box`` touches: left, top, right, bottom."""
    left, top, right, bottom = box
    # Division leaves crumbs: 512.0000001 is pixel 512, not a reason to read one more.
    return floor(left + 1e-6), floor(top + 1e-6), ceil(right - 1e-6), ceil(bottom - 1e-6)


def shifted(box: Box, frame: tuple[int, int, int, int]) -> Box:
    """Return ``box`` as it lies in a picture that shows ``frame`` only."""
    left, top = frame[:2]
    return box[0] - left, box[1] - top, box[2] - left, box[3] - top


def sample(image: Image.Image, box: Box, size: tuple[int, int]) -> Image.Image:
    """Scale the part of ``image`` inside ``box`` (may cut pixels) to ``size`` (width, height).

    Only pixels that ``box`` touches have influence, so the result does not depend on how much
    around it was read along.
    """
    frame = pixel_frame(box)
    part = image if frame == (0, 0, *image.size) else image.crop(frame)
    left, top, right, bottom = box
    width, height = part.size
    inner = (
        max(0.0, left - frame[0]),
        max(0.0, top - frame[1]),
        min(float(width), right - frame[0]),
        min(float(height), bottom - frame[1]),
    )
    if part.size == size and inner == (0.0, 0.0, float(width), float(height)):
        return part
    return part.resize(size, _KERNEL, box=inner)
