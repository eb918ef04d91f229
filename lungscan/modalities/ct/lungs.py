"""Does a slice show lung, and is it an axial slice of a chest at all? From its grey levels.

The body is the largest bright piece of a slice, lungs are the dark holes in it. What is asked of
their shapes holds whatever window a slice was exported with: levels are compared with each other
only. The bounds are those of IQ-OTH/NCCD's 916 slices, widened by a tenth of their range or more;
`python benchmarks/ct_shapes.py` prints where slices of any folder lie.

- No colour: H&E, photographs and screenshots with colours are something else.
- The body does not reach the upper edge, and its first and last rows are not as wide as it is: a
  trunk cut lengthwise (coronal, sagittal, a radiograph) ends in a straight cut.
- It is not much higher than wide, and lungs lie in the middle of its height.
- Lungs are nearly as dark as the air around the body.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.tiles.connected_components import find_pieces
from lungscan.types import FloatArray, MaskArray, RgbBatch, TileQuality, TileState

LEAST_LUNG = 0.05  # of the body; the least of IQ-OTH/NCCD's slices has 0.064
MIN_VALID = 0.3  # of a slice must be picture: a narrow one stands on a black square

_LEAST_HOLE = 0.004  # of the slice: airways and bowel gas are smaller
_COLOUR = 16  # grey levels between a pixel's channels: more is no grey
_JUST_INSIDE = 0.02  # of the body's height: where its first and last rows are measured
_LEAST_CONTRAST = 30.0  # grey levels between tissue and air


@dataclass(frozen=True, slots=True)
class Shape:
    """What is asked of a slice; shares are of the slice or of the body, 0 to 1."""

    colour: float  # share of pixels with a colour
    contrast: float  # grey levels between tissue and what is darker
    top: float  # share of the upper edge that is body
    first: float  # width of the body just below its top, of its whole width
    last: float  # width just above its bottom
    aspect: float  # width by height of the body
    lung: float  # share of the body that is lung
    lung_y: float  # where the lungs' centre lies: 0 at the body's top, 1 at its bottom
    darkness: float  # of the lungs: 0 as tissue, 1 as the air around the body


# Least and most of each, but for lung, which decides whether there is anything to be judged.
BOUNDS: dict[str, tuple[float, float]] = {
    "colour": (0.0, 0.02),
    "top": (0.0, 0.04),
    "first": (0.0, 0.70),
    "last": (0.0, 0.74),
    "aspect": (0.85, 2.6),
    "lung_y": (0.36, 0.70),
    "darkness": (0.50, 1.05),
}


def measure(batch: RgbBatch, valid: FloatArray) -> TileQuality:
    """Quality of slices ``(n, s, s, 3)``; ``blank`` is the share of the body that is not lung.

    Slices are reconstructed, so nothing is out of focus or inked.
    """
    count = len(batch)
    lung = np.array([shape_of(rgb).lung for rgb in batch], np.float32).reshape(count)
    return TileQuality(
        focus=np.ones(count, np.float32),
        pen=np.zeros(count, np.float32),
        blank=1 - lung,
        valid=np.asarray(valid, dtype=np.float32),
    )


def judge(quality: TileQuality, _fraction: FloatArray) -> tuple[TileState, ...]:
    """USED, or why not: UNSCANNED where hardly any picture is, BLANK where no lung is."""
    states = []
    for blank, valid in zip(quality.blank, quality.valid, strict=True):
        if valid < MIN_VALID:
            states.append(TileState.UNSCANNED)
        else:
            states.append(TileState.BLANK if 1 - blank < LEAST_LUNG else TileState.USED)
    return tuple(states)


def unlike(batch: RgbBatch) -> FloatArray:
    """How far slices are from an axial chest ``(n,)``: above 1 some bound is passed."""
    return np.array([_excess(shape_of(rgb)) for rgb in batch], np.float32).reshape(len(batch))


def shape_of(rgb: NDArray[np.uint8]) -> Shape:
    """The shape of body and lungs in a slice ``(s, s, 3)``."""
    channels = rgb.astype(np.int16)
    colour = float((channels.max(2) - channels.min(2) > _COLOUR).mean())
    grey = channels.mean(2).astype(np.float32)
    bright = grey > otsu_level(grey)
    if not bright.any() or bright.all():
        return Shape(colour, 0, 0, 0, 0, 0, 0, 0, 0)
    tissue, air = float(np.median(grey[bright])), float(grey[~bright].mean())
    body, lungs = body_and_lungs(bright)
    rows, columns = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
    top, height = rows[0], rows[-1] - rows[0] + 1
    width = columns[-1] - columns[0] + 1
    inside = max(1, round(_JUST_INSIDE * height))
    outside = grey[~body]
    around = float(np.median(outside)) if len(outside) else 0.0
    lung_rows = np.flatnonzero(lungs.any(1))
    centre = float(np.nonzero(lungs)[0].mean()) if len(lung_rows) else float(top)
    dark = float(grey[lungs].mean()) if len(lung_rows) else tissue
    return Shape(
        colour=colour,
        contrast=tissue - air,
        top=float(body[0].mean()),
        first=float(body[min(top + inside, rows[-1])].sum()) / width,
        last=float(body[max(rows[-1] - inside, top)].sum()) / width,
        aspect=width / height,
        lung=float(lungs.sum() / body.sum()),
        lung_y=(centre - top) / height,
        darkness=(tissue - dark) / max(tissue - around, 1.0),
    )


def _excess(shape: Shape) -> float:
    """The largest distance from the middle of a bound, in units of half its width."""
    if shape.contrast < _LEAST_CONTRAST:
        return 2.0
    asked = dict(BOUNDS)
    if shape.lung < LEAST_LUNG:  # nothing is known of lungs that are not there
        del asked["lung_y"], asked["darkness"]
    worst = 0.0
    for name, (low, high) in asked.items():
        half = (high - low) / 2
        worst = max(worst, abs(getattr(shape, name) - low - half) / half if low else 0.0)
        worst = max(worst, getattr(shape, name) / high if not low else 0.0)
    return worst


def body_and_lungs(bright: MaskArray) -> tuple[MaskArray, MaskArray]:
    """The largest bright piece with its holes filled, and its large holes."""
    pieces = find_pieces(bright)
    largest = np.zeros(len(pieces.area), np.bool_)
    largest[pieces.area.argmax()] = True
    outline = pieces.keep(largest)
    gaps = find_pieces(~outline, diagonal=False)
    height, width = bright.shape
    holes = (gaps.left > 0) & (gaps.top > 0) & (gaps.right < width) & (gaps.bottom < height)
    large = holes & (gaps.area >= _LEAST_HOLE * bright.size)
    return outline | gaps.keep(holes), gaps.keep(large)


def otsu_level(grey: FloatArray) -> int:
    """The level that parts dark from bright best (Otsu 1979)."""
    counts = np.bincount(np.clip(grey, 0, 255).astype(np.int64).ravel(), minlength=256)
    below = counts.cumsum().astype(np.float64)
    sums = (counts * np.arange(256)).cumsum().astype(np.float64)
    above = below[-1] - below
    both = (below > 0) & (above > 0)
    spread = np.zeros(256)
    apart = sums[both] / below[both] - (sums[-1] - sums[both]) / above[both]
    spread[both] = apart**2 * below[both] * above[both]
    return int(spread.argmax())
