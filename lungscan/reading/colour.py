"""Any colour mode to 8-bit RGB, by rules that do not depend on the picture's neighbours."""

from __future__ import annotations

import numpy as np
from PIL import Image

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})
_ALPHA_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})
_WHITE = (255, 255, 255)


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
    if image.mode == "F" and peak <= 1:
        top = 1.0
    else:
        depths = [8, 10, 12, 14, 16, 24, 32]
        top = next((float(2**bits - 1) for bits in depths if peak <= 2**bits - 1), peak)
    scaled = np.clip(values * (255 / top), 0, 255)
    return Image.fromarray((scaled + 0.5).astype(np.uint8)).convert("RGB")
