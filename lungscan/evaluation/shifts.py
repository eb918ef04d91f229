"""What may differ between laboratories, done to a field: stain, focus, storage, scale, light.

Every change takes and gives ``(h, w, 3)`` uint8 RGB of the same size. Nothing is random.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np
from PIL import Image, ImageFilter

from lungscan.reading.resize import sample
from lungscan.types import RgbArray

# Optical density of haematoxylin and eosin per red, green, blue (Ruifrok and Johnston 2001).
HAEMATOXYLIN = (0.650, 0.704, 0.286)
EOSIN = (0.072, 0.990, 0.105)


@dataclass(frozen=True)
class Shift:
    """One change, with the words that tables use for it."""

    kind: str
    amount: str
    apply: Callable[[RgbArray], RgbArray]


def stain(rgb: RgbArray, haematoxylin: float = 1.0, eosin: float = 1.0) -> RgbArray:
    """Multiply the strength of each stain, in optical density, where stains add up.

    What neither stain explains (the part at right angles to both) stays.
    """
    pair = np.array([HAEMATOXYLIN, EOSIN])
    pair /= np.linalg.norm(pair, axis=1, keepdims=True)
    rest = np.cross(pair[0], pair[1])
    basis = np.vstack([pair, rest / np.linalg.norm(rest)])
    mix = np.linalg.inv(basis) @ np.diag([haematoxylin, eosin, 1.0]) @ basis
    density = -np.log((rgb.astype(np.float64) + 1) / 256)
    return _to_uint8(256 * np.exp(-density @ mix) - 1)


def blur(rgb: RgbArray, sigma_px: float) -> RgbArray:
    """Gaussian blur, ``sigma_px`` in the field's own pixels."""
    return np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(sigma_px)))


def jpeg(rgb: RgbArray, quality: int) -> RgbArray:
    """Store as JPEG with halved colour resolution, as most cameras do, and read again."""
    stored = io.BytesIO()
    Image.fromarray(rgb).save(stored, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(stored) as image:
        return np.asarray(image.convert("RGB"))


def rescale(rgb: RgbArray, factor: float) -> RgbArray:
    """Show tissue ``factor`` times as large in a picture of the same size.

    Above 1 the margin is lost; below 1 the tissue at the edge is mirrored outwards.
    """
    height, width = rgb.shape[:2]
    margin = max(0, ceil(max(height, width) * (1 / factor - 1) / 2))
    padded = np.pad(rgb, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    half_w, half_h = width / factor / 2, height / factor / 2
    x, y = margin + width / 2, margin + height / 2
    box = (x - half_w, y - half_h, x + half_w, y + half_h)
    return np.asarray(sample(Image.fromarray(padded), box, (width, height)))


def brightness(rgb: RgbArray, factor: float) -> RgbArray:
    """Multiply the light; what would be brighter than white is white."""
    return _to_uint8(rgb * np.float64(factor))


def _to_uint8(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> RgbArray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _signed(percent: int) -> str:
    return f"{percent:+d} %".replace("-", "−")


SHIFTS = (
    *(
        Shift("haematoxylin", _signed(p), partial(stain, haematoxylin=1 + p / 100))
        for p in (-40, -20, 20, 40)
    ),
    *(Shift("eosin", _signed(p), partial(stain, eosin=1 + p / 100)) for p in (-40, -20, 20, 40)),
    *(Shift("blur", f"{sigma} px", partial(blur, sigma_px=sigma)) for sigma in (1, 2)),
    *(Shift("JPEG quality", f"{q}", partial(jpeg, quality=q)) for q in (70, 50, 30)),
    *(Shift("scale", _signed(p), partial(rescale, factor=1 + p / 100)) for p in (-20, -10, 10, 20)),
    *(Shift("brightness", _signed(p), partial(brightness, factor=1 + p / 100)) for p in (-10, 10)),
)
