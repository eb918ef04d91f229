"""How classes look everywhere: a colour and a letter each, so that colour never speaks alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import floor, log10
from string import ascii_uppercase

import numpy as np

from lungscan.types import ModelStamp, TileScores, TileState

Rgb = tuple[int, int, int]

UNCERTAIN_BELOW = 0.6  # a tile whose best class has less is drawn striped

# Okabe and Ito's colours, told apart with any kind of colour vision.
OKABE_ITO = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A round length and how many picture pixels it takes."""

    length_um: float
    length_px: float
    label: str


def class_rgb(model: ModelStamp) -> tuple[Rgb, ...]:
    """The card's colours as 0 to 255 values; ours when one is not ``#rrggbb`` or occurs twice."""
    colors = model.colors
    if len(set(colors)) < len(model.class_names) or not all(map(_HEX.fullmatch, colors)):
        colors = tuple(OKABE_ITO[i % len(OKABE_ITO)] for i in range(len(model.class_names)))
    return tuple((int(c[1:3], 16), int(c[3:5], 16), int(c[5:7], 16)) for c in colors)


def class_letters(model: ModelStamp) -> tuple[str, ...]:
    """First letters of the display names when they differ, else A, B, C, ..."""
    initials = tuple(name[:1].upper() for name in model.display_names)
    if len(set(initials)) == len(initials) and all(i in ascii_uppercase and i for i in initials):
        return initials
    return tuple(ascii_uppercase[index % 26] for index in range(len(initials)))


def on_color(rgb: Rgb) -> Rgb:
    """Black or white, whichever reads better on ``rgb``."""
    red, green, blue = rgb
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)


def used_counts(scores: tuple[TileScores, ...], classes: int) -> tuple[int, ...]:
    """How many used tiles each class has won, over all files of a case."""
    counts = np.zeros(classes, dtype=np.int64)
    for part in scores:
        used = np.array([state is TileState.USED for state in part.state], dtype=bool)
        if used.any():
            counts += np.bincount(part.probs[used].argmax(axis=1), minlength=classes)
    return tuple(int(count) for count in counts)


def scale_bar(um_per_px: float, width_px: float, share: float = 0.25) -> ScaleBar:
    """The longest of 1, 2 or 5 times a power of ten µm within ``share`` of the picture's width."""
    limit = um_per_px * width_px * share * (1 + 1e-9)
    power = 10.0 ** floor(log10(limit))
    length = max(factor * power for factor in (1, 2, 5) if factor * power <= limit)
    label = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
    return ScaleBar(length, length / um_per_px, label)
