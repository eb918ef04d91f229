"""Any colour mode to 8-bit RGB, by rules that do not depend on the picture's neighbours."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DeepArray = NDArray[np.uint8] | NDArray[np.uint16]  # (height, width, channels)

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})
_ALPHA_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})
_WHITE = (255, 255, 255)
_FEW = 0.005  # of the values, which may lie above the range
_COUNTED = 1 << 22  # values at once
_DEPTHS = (8, 10, 12, 14, 16, 24, 32)  # bits that cameras and programs use


def to_rgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert a decoded picture to RGB; the flags say what it was.

    Transparent pixels show white, the colour of an empty slide. Deep greys are scaled by the
    smallest usual bit depth that holds them, so that black stays black and a 12-bit camera is
    not mistaken for a dark 16-bit one.

    Raises:
        ValueError: Pillow has no way from this mode to RGB.
    """
    flags: list[str] = []
    if image.mode in _GREY_MODES or image.mode.startswith("I;"):
        flags.append("grey")
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        return _from_deep_grey(image), (*flags, "deep_grey")
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return _on_white(image), (*flags, "alpha")
    if image.mode == "CMYK":
        flags.append("cmyk")
    return (image if image.mode == "RGB" else image.convert("RGB")), tuple(flags)


def from_deep(values: DeepArray, mode: str) -> tuple[Image.Image, tuple[str, ...]]:
    """Bring a picture (height, width, channels) of up to 16 bits a channel to RGB, with flags.

    The smallest usual bit depth that holds the values of the whole picture is its range, the same
    for all colours, so that hues stay (see ``usual_peak``); opacity has a range of its own.
    ``mode`` is Pillow's name for the channels. 8-bit values stay as they are.
    """
    deep: tuple[str, ...] = ()
    picture = values
    if values.dtype != np.uint8:
        deep = ("deep_grey" if mode[0] == "L" else "deep_colour",)
        picture = np.empty(values.shape, np.uint8)
        colours = values.shape[2] - (mode[-1] in "aA")
        for part in (slice(0, colours), slice(colours, None)):
            table = stretch_table(usual_peak([values[..., part]]))
            for line, deep_line in zip(picture, values, strict=True):  # an index takes 8 bytes each
                line[..., part] = table[deep_line[..., part]]
    height, width = values.shape[:2]
    rgb, flags = to_rgb(Image.frombytes(mode, (width, height), picture.tobytes()))
    return rgb, (*flags, *deep)


def usual_peak(parts: Iterable[DeepArray]) -> int:
    """The value that all but a few of the pixels of these 16-bit parts stay below.

    A scale bar drawn in white, or a pixel of the sensor that is stuck, says nothing of the range of
    the camera; what lies above is shown as white.
    """
    counts = np.zeros(1 << 16, np.int64)
    for part in parts:
        flat = part.reshape(-1)
        for at in range(0, flat.size, _COUNTED):  # to be counted, a value takes 8 bytes
            counts += np.bincount(flat[at : at + _COUNTED], minlength=counts.size)
    return int(np.searchsorted(np.cumsum(counts), (1 - _FEW) * counts.sum()))


def stretch_table(peak: int) -> NDArray[np.uint8]:
    """What each 16-bit value (65,536,) becomes where ``peak`` is the largest that counts."""
    scaled = np.arange(1 << 16, dtype=np.float64) * (255 / usual_top(peak))
    table: NDArray[np.uint8] = (np.minimum(scaled, 255) + 0.5).astype(np.uint8)
    return table


def usual_top(peak: float) -> float:
    """The largest value of the smallest usual bit depth that holds ``peak``."""
    return next((float(2**bits - 1) for bits in _DEPTHS if peak <= 2**bits - 1), peak)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # Pillow converts it only by way of LA
        image = image.convert("LA")
    picture = image.convert("RGBA")
    canvas = Image.new("RGB", picture.size, _WHITE)
    canvas.paste(picture, mask=picture.getchannel("A"))
    return canvas


def _from_deep_grey(image: Image.Image) -> Image.Image:
    values = np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
    peak = float(values.max(initial=0))
    top = 1.0 if image.mode == "F" and peak <= 1 else usual_top(peak)
    scaled = np.clip(values * (255 / top), 0, 255)
    return Image.fromarray((scaled + 0.5).astype(np.uint8)).convert("RGB")
