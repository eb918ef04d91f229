"""Optical density: how much light each colour channel lost, compared with bare glass."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lungscan.types import FloatArray, MaskArray, RgbArray

Number = TypeVar("Number", np.uint8, np.int16, np.float32)

WHITE: FloatArray = np.full(3, 245, dtype=np.float32)  # bare glass when a picture shows none
_MIN_BRIGHTNESS = 120  # of the brightest channel: darker areas are no lit glass
_MAX_CAST = 75  # spread of channels; cameras give bluish and yellowish white
_MAX_MAGENTA = 9  # green below the mean of red and blue: H&E takes green first, glass does not
_MAX_STEP = 6  # grey levels between neighbours: glass is smooth
_LOG: FloatArray = np.log(np.maximum(np.arange(256), 1)).astype(np.float32)


def optical_density(rgb: NDArray[np.uint8], background: FloatArray) -> FloatArray:
    """Natural-log density of uint8 pixels (..., 3) against ``background`` (3,), never below 0."""
    density: FloatArray = np.log(np.maximum(background, 1)).astype(np.float32) - _LOG[rgb]
    return np.maximum(density, 0, out=density)


def is_filler(rgb: RgbArray) -> MaskArray:
    """Pixels of exactly 0 or 255: what programs paint where a scanner saw nothing."""
    lowest, highest = channel_range(rgb)
    return np.asarray((highest == 0) | (lowest == 255))


def channel_range(pixels: NDArray[Number]) -> tuple[NDArray[Number], NDArray[Number]]:
    """Lowest and highest channel of pixels (..., 3); ``min(axis=-1)`` is slow on so short a row."""
    first, second, third = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    lowest = np.minimum(np.minimum(first, second), third)
    highest = np.maximum(np.maximum(first, second), third)
    return lowest, highest


def estimate_background(rgb: RgbArray, valid: MaskArray) -> FloatArray:
    """Colour (3,) of bare glass in an overview; ``WHITE`` when it shows none.

    Glass is smooth, bright and not magenta. Of such pixels the brightest frequent shade wins:
    the most frequent one may be pale tissue, the very brightest a reflection.
    """
    stride = max(1, int(np.sqrt(rgb.shape[0] * rgb.shape[1] / 500_000)))
    levels = rgb.astype(np.int16)
    glass = valid & _is_smooth(levels) & _is_glass_colour(levels)
    glass = glass[::stride, ::stride]
    pixels = rgb[::stride, ::stride]
    scanned = glass & ~is_filler(pixels)
    # A scanner that burns out its background leaves next to nothing below 255.
    if scanned.sum() >= 0.02 * glass.sum():
        glass = scanned
    if glass.sum() < max(16, 0.005 * valid[::stride, ::stride].sum()):
        return WHITE
    chosen = pixels[glass].astype(np.float32)
    shade = chosen.mean(axis=1)
    frequent = np.convolve(np.bincount(shade.astype(np.int64), minlength=256), np.ones(7), "same")
    brightest = int(np.flatnonzero(frequent >= 0.1 * frequent.max())[-1])
    # The last frequent bin lies on the upper slope of the peak: step down to its top.
    peak = brightest - 8 + int(np.argmax(frequent[max(brightest - 8, 0) : brightest + 1]))
    near = np.abs(shade - peak) <= 4
    return np.asarray(np.median(chosen[near if near.any() else slice(None)], axis=0))


def _is_smooth(levels: NDArray[np.int16]) -> MaskArray:
    green = levels[..., 1]
    across = np.abs(np.diff(green, axis=1, append=green[:, -1:]))
    down = np.abs(np.diff(green, axis=0, append=green[-1:]))
    return np.asarray((across <= _MAX_STEP) & (down <= _MAX_STEP))


def _is_glass_colour(levels: NDArray[np.int16]) -> MaskArray:
    red, green, blue = levels[..., 0], levels[..., 1], levels[..., 2]
    lowest, brightest = channel_range(levels)
    cast = brightest - lowest
    magenta = (red + blue) // 2 - green
    return np.asarray(
        (brightest >= _MIN_BRIGHTNESS) & (cast <= _MAX_CAST) & (magenta <= _MAX_MAGENTA)
    )
