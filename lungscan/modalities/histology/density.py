"""Optical density: how much light each colour channel lost, compared with bare glass."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lungscan.types import FloatArray, MaskArray, RgbArray

Number = TypeVar("Number", np.uint8, np.int16, np.float32, np.float64)

WHITE: FloatArray = np.full(3, 245, dtype=np.float32)  # bare glass when a picture shows none
STAINED = 0.04  # spread of optical density over the channels: this is stain
LEAST_GREEN = 0.6  # of the densest channel: glue, bluish glass and faint ink spare green
SAMPLE_PX = 500_000  # enough pixels to know a colour or a noise by
_MIN_BRIGHTNESS = 120  # of the brightest channel: darker areas are no lit glass
_MAX_CAST = 75  # spread of channels; cameras give bluish and yellowish white
_MAX_MAGENTA = 9  # green below the mean of red and blue: H&E takes green first, glass does not
_MAX_STEP = 6  # grey levels between neighbours: glass is smooth
LOG: FloatArray = np.log(np.maximum(np.arange(256), 1)).astype(np.float32)


def optical_density(rgb: NDArray[np.uint8], background: FloatArray) -> FloatArray:
    """Natural-log density of uint8 pixels (..., 3) against ``background`` (3,), never below 0.

    Each channel lies in one piece of memory: every step after this is faster so.
    """
    table = np.log(np.maximum(background, 1)).astype(np.float32)[:, None] - LOG
    np.maximum(table, 0, out=table)
    planes = np.empty((3, *rgb.shape[:-1]), np.float32)
    for channel in range(3):  # "clip" only because the default copies
        table[channel].take(rgb[..., channel], out=planes[channel], mode="clip")
    return np.moveaxis(planes, 0, -1)


def log_light(rgb: NDArray[np.uint8]) -> FloatArray:
    """Natural log of uint8 pixels (height, width, 3) as planes (3, height, width); 0 stays 0."""
    planes = np.empty((3, *rgb.shape[:-1]), np.float32)
    for channel in range(3):  # "clip" only because the default copies
        LOG.take(rgb[..., channel], out=planes[channel], mode="clip")
    return planes


def is_stained(density: NDArray[Any], limit: float) -> MaskArray:
    """Whether a density (..., 3) has the colour of haematoxylin, eosin or DAB, above a limit."""
    low, high = channel_range(density)
    return np.asarray((high - low > limit) & (density[..., 1] > LEAST_GREEN * high))


def is_filler(rgb: NDArray[np.uint8]) -> MaskArray:
    """Pixels (..., 3) of exactly 0 or 255: what programs paint where a scanner saw nothing."""
    lowest, highest = channel_range(rgb)
    return np.asarray((highest == 0) | (lowest == 255))


def channel_range(pixels: NDArray[Number]) -> tuple[NDArray[Number], NDArray[Number]]:
    """Lowest and highest channel of pixels (..., 3); ``min(axis=-1)`` is slow on so short a row."""
    first, second, third = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    lowest = np.minimum(np.minimum(first, second), third)
    highest = np.maximum(np.maximum(first, second), third)
    return lowest, highest


def sampling_step(shape: tuple[int, ...]) -> int:
    """Every how many rows and columns of a picture are enough for ``SAMPLE_PX`` pixels."""
    return max(1, int(np.sqrt(shape[0] * shape[1] / SAMPLE_PX)))


def estimate_background(rgb: RgbArray, valid: MaskArray) -> FloatArray:
    """Colour (3,) of bare glass in an overview; ``WHITE`` when it shows none.

    Glass is smooth, bright and not magenta. Of such pixels the brightest frequent shade wins:
    the most frequent one may be pale tissue, the very brightest a reflection.
    """
    step = sampling_step(rgb.shape)
    planes = np.moveaxis(rgb[::step, ::step], -1, 0).astype(np.int16, order="C")
    lowest, highest = channel_range(np.moveaxis(planes, 0, -1))
    seen = valid[::step, ::step]
    glass = seen & (highest >= _MIN_BRIGHTNESS) & (highest - lowest <= _MAX_CAST)
    glass &= _is_smooth(rgb[..., 1], step) & ~_is_magenta(*planes)
    scanned = glass & (lowest < 255)
    # A scanner that burns out its background leaves next to nothing below 255.
    if np.count_nonzero(scanned) >= 0.02 * np.count_nonzero(glass):
        glass = scanned
    if np.count_nonzero(glass) < max(16, 0.005 * np.count_nonzero(seen)):
        return WHITE
    red, green, blue = (plane[glass] for plane in planes)
    total = red + green + blue  # three times the shade
    frequent = np.convolve(np.bincount(total // 3, minlength=256), np.ones(7), "same")
    brightest = int(np.flatnonzero(frequent >= 0.1 * frequent.max())[-1])
    # The last frequent bin lies on the upper slope of the peak: step down to its top.
    peak = brightest - 8 + int(np.argmax(frequent[max(brightest - 8, 0) : brightest + 1]))
    near = np.abs(total - 3 * peak) <= 3 * 4
    if not near.any():
        near[:] = True
    chosen = (levels[near].astype(np.uint8) for levels in (red, green, blue))  # sorts faster
    return np.array([np.median(levels) for levels in chosen], np.float32)


def _is_smooth(green: NDArray[np.uint8], step: int) -> MaskArray:
    """Whether a pixel resembles the next to its right and below, at every ``step``-th pixel."""
    here = green[::step, ::step].astype(np.int16)
    across, down = here.copy(), here.copy()  # at the last edge a pixel is its own neighbour
    right, below = green[::step, 1::step], green[1::step, ::step]
    across[:, : right.shape[1]] -= right
    down[: below.shape[0]] -= below
    across[:, right.shape[1] :] = down[below.shape[0] :] = 0
    return np.asarray((np.abs(across) <= _MAX_STEP) & (np.abs(down) <= _MAX_STEP))


def _is_magenta(
    red: NDArray[np.int16], green: NDArray[np.int16], blue: NDArray[np.int16]
) -> MaskArray:
    return np.asarray(((red + blue) >> 1) - green > _MAX_MAGENTA)
