"""What the search for near-duplicates keeps of a picture: some 21 kB, whatever its size.

All of it is taken from optical density inside the largest centred disc: turning a picture about its
centre changes no content there, and corners that a program filled do not count. ``Looks`` holds
four views, from coarse to exact:

- ``colour``: statistics of colour in three discs; no rotation or mirroring changes them.
- ``polar``: rings around the centre, evenly spaced in the logarithm of the radius. A rotation is a
  shift along the angle, a zoom a shift across the rings, a mirror image reverses the angle.
- ``spectral``: the same of the picture's amplitude spectrum, where a crop off centre is no shift:
  the spectrum does not say where things lie. It cannot tell a picture from one turned by 180
  degrees.
- ``fine``: a small picture without its broad shading, for the exact comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lungscan.reading.resize import resize
from lungscan.types import FloatArray, RgbArray

HalfArray = NDArray[np.float16]

SIDE_PX = 48  # of the fine view
POLAR_PX = 112  # side of the picture that the rings are read from
RINGS, ANGLES = 32, 128
INNER_PX, OUTER_PX = 4.0, 54.0  # radius of the first and last ring
RING_STEP = float(np.log(OUTER_PX / INNER_PX)) / (RINGS - 1)  # log of the ratio of two radii
INNER_WAVES = 3.0  # waves across the picture on the first ring of its spectrum
COLOURS = 63  # 3 discs, 7 statistics, 3 channels

_DISCS_PX = (20.0, 38.0, OUTER_PX)
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_SHARP_PX, _BROAD_PX = 0.8, 8.0  # the fine view holds structures between these two blurs
_DARKEST = 12  # what is darker is no tissue, and would outweigh all that is
_LITTLE_OD = 1e-3  # keeps the noise of an empty picture from being stretched to full contrast


@dataclass(frozen=True, slots=True)
class Looks:
    """The views of n pictures; row i of every field is picture i."""

    colour: FloatArray  # (n, COLOURS)
    polar: HalfArray  # (n, RINGS, ANGLES), optical density
    spectral: HalfArray  # (n, RINGS, ANGLES), mean 1 on each ring
    fine: HalfArray  # (n, SIDE_PX, SIDE_PX), standard deviation 1 in FINE_DISC, 0 outside


def empty_looks(count: int) -> Looks:
    """Room for ``count`` pictures."""
    return Looks(
        np.zeros((count, COLOURS), np.float32),
        np.zeros((count, RINGS, ANGLES), np.float16),
        np.zeros((count, RINGS, ANGLES), np.float16),
        np.zeros((count, SIDE_PX, SIDE_PX), np.float16),
    )


def look(rgb: RgbArray, looks: Looks, row: int) -> None:
    """Write the views of one picture (height, width, 3) into ``row`` of ``looks``."""
    square = _centre(rgb)
    middle = _rounded(resize(square, (POLAR_PX, POLAR_PX)))
    blurred = Image.fromarray(middle).filter(ImageFilter.GaussianBlur(1.0))
    density = _density(np.asarray(blurred))
    looks.colour[row] = np.concatenate([_statistics(density[disc]) for disc in _DISCS])
    looks.polar[row] = _sample(density.mean(2), _PLACES)
    looks.spectral[row] = _spectrum(_density(middle).mean(2))
    small = _density(resize(square, (SIDE_PX, SIDE_PX))).mean(2)
    detail = (_blurred(small, _SHARP) - _blurred(small, _BROAD)) * FINE_DISC
    looks.fine[row] = detail / (detail[FINE_DISC].std() + _LITTLE_OD)


def _centre(rgb: RgbArray) -> RgbArray:
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return rgb[top : top + side, left : left + side]


def _rounded(rgb: RgbArray) -> RgbArray:
    """The picture with its corners in the mean colour of the disc."""
    disc = _DISCS[-1]
    return np.where(disc[..., None], rgb, rgb[disc].mean(0).astype(np.uint8))


def _density(rgb: RgbArray) -> FloatArray:
    """Optical density; stain adds up in it, while light multiplies."""
    density: FloatArray = -np.log((np.maximum(rgb, _DARKEST).astype(np.float32) + 1) / 256)
    return density


def _blurred(small: FloatArray, blur: FloatArray) -> FloatArray:
    """Blur inside the disc, as if there were nothing outside."""
    inside = blur @ FINE_DISC.astype(np.float32) @ blur.T
    return np.asarray((blur @ (small * FINE_DISC) @ blur.T) / np.maximum(inside, 1e-6), np.float32)


def _statistics(pixels: FloatArray) -> FloatArray:
    """Mean, spread and quantiles of each channel of pixels (n, 3)."""
    quantiles = np.quantile(pixels, _QUANTILES, axis=0)
    return np.concatenate([pixels.mean(0), pixels.std(0), quantiles.ravel()])


def _radius(side: int) -> FloatArray:
    """Distance of each pixel from the centre of a square, in pixels."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.asarray(np.hypot(x, y), np.float32)


Places = tuple[NDArray[np.int64], NDArray[np.int64], FloatArray, FloatArray]


def _places(inner: float, x_centre: float, y_centre: float, angles: int) -> Places:
    """Where the first ``angles`` places of each ring lie: row, column, and the way on from it."""
    radius = inner * np.exp(RING_STEP * np.arange(RINGS))[:, None]
    angle = 2 * np.pi / ANGLES * np.arange(angles)
    x, y = x_centre + radius * np.cos(angle), y_centre + radius * np.sin(angle)
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    return top, left, (y - top).astype(np.float32), (x - left).astype(np.float32)


def _sample(grey: FloatArray, places: Places) -> FloatArray:
    top, left, down, right = places
    upper = grey[top, left] * (1 - right) + grey[top, left + 1] * right
    lower = grey[top + 1, left] * (1 - right) + grey[top + 1, left + 1] * right
    return np.asarray(upper * (1 - down) + lower * down, np.float32)


def _spectrum(grey: FloatArray) -> FloatArray:
    """Amplitudes on rings of equal frequency; the second half turn repeats the first."""
    centred = (grey - (grey * _WINDOW).sum() / _WINDOW.sum()) * _WINDOW
    # Turned so that the half which rfft2 keeps is that of downward waves, angles 0 to 180.
    amplitude = np.abs(np.fft.rfft2(centred.T, (_SPECTRUM_PX, _SPECTRUM_PX)))
    rings = _sample(np.fft.fftshift(amplitude, axes=0).T, _WAVE_PLACES)
    return np.tile(rings / (rings.mean(1, keepdims=True) + 1e-6), 2)


def _blur_matrix(sigma_px: float) -> FloatArray:
    """Matrix that blurs along one axis; beyond the edge the weight goes to what there is."""
    place = np.arange(SIDE_PX)
    weight = np.exp(-0.5 * ((place[:, None] - place) / sigma_px) ** 2)
    return np.asarray(weight / weight.sum(1, keepdims=True), np.float32)


_DISCS = [_radius(POLAR_PX) < radius for radius in _DISCS_PX]
FINE_DISC: NDArray[np.bool_] = _radius(SIDE_PX) < SIDE_PX / 2 - 0.5
_PLACES = _places(INNER_PX, (POLAR_PX - 1) / 2, (POLAR_PX - 1) / 2, ANGLES)
_SPECTRUM_PX = 2 * POLAR_PX  # twice as fine as the picture, to read between its frequencies
_WAVE_PLACES = _places(2 * INNER_WAVES, _SPECTRUM_PX / 2, 0, ANGLES // 2)
_WINDOW = np.asarray(np.cos(np.pi / 2 * np.minimum(_radius(POLAR_PX) / OUTER_PX, 1)) ** 2)
_SHARP, _BROAD = _blur_matrix(_SHARP_PX), _blur_matrix(_BROAD_PX)
