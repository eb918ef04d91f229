"""Where tissue lies on a picture.

H&E is told from everything else on the glass by its colour against the light around it and by its
texture, not by darkness: dust, glass edges, bubbles and shadows are grey, tinted glass is smooth.
So pale tissue is found, and dark dirt is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.modalities.histology.density import (
    LEAST_GREEN,
    STAINED,
    channel_range,
    log_light,
    optical_density,
)
from lungscan.modalities.histology.glass import find_glass, find_relief, glass_colour, light_around
from lungscan.modalities.histology.pen import find_pen, looks_like_ink
from lungscan.tiles.connected_components import (
    Pieces,
    Runs,
    find_pieces,
    find_runs,
    join_runs,
    sum_in,
    weld,
)
from lungscan.tiles.mask import TissueMask
from lungscan.tiles.morphology import box_mean, close_gaps, dilate, fill_holes
from lungscan.types import FloatArray, MaskArray, Overview, RgbArray, Scale

IntArray = NDArray[np.int64]

MIN_PIECE_MM2 = 0.004  # about 60 x 60 µm: a clump of some 20 cells; smaller is a speck
MIN_PIECE_SHARE = 2e-5  # of the overview, when the scale is unknown
MIN_PIECE_PX = 6
MAX_HOLE_MM2 = 0.01  # 100 x 100 µm: gaps and small vessels; most alveoli stay open
MAX_HOLE_SHARE = 5e-5
SMOOTHING_PX = 1  # radius of the mean that takes the noise out of colours
JOIN_UM = 8.0  # scattered cells this near belong together
PEN_MARGIN_UM = 40.0  # around ink; what shows there is its faintest halo
PEN_MARGIN_PX = 2  # when the scale is unknown
LINE_LENGTH_MM = 2.0  # glass edges and scratches: long ...
LINE_LENGTH_SHARE = 0.2  # ... (of the overview's longer side, when the scale is unknown)
LINE_WIDTH_UM = 30.0  # ... and far thinner than any core biopsy
LINE_WIDTH_PX = 2.0  # when the scale is unknown
_FAINTLY_STAINED = 0.025  # as ``STAINED``, where it touches what is
_CLEAR = 0.1  # optical density of what may be the background
_NOISE_FACTOR = 4.0  # both limits rise to this multiple of the background's own spread ...
_MAX_LIMIT = 0.1  # ... but never above this
_TEXTURED = 0.1  # of a piece, at least; lung fields of LC25000 have 0.9
_BORDER_PX = 2  # within this of the glass a pixel may lie across the border ...
_COVERED = 0.4  # ... and belongs to the tissue with this share of its neighbours' stain
_AROUND_PX = 3
_DARK = 32  # grey levels; ink lets more through
_BAND_PX = 16


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an overview says of all the slide."""

    colour: FloatArray  # (3,) of bare glass, where no glass is near
    pen: MaskArray
    unusable: MaskArray  # pen and what its faint halo touches


@dataclass(frozen=True, slots=True)
class Stained:
    """What is stained on a part of a picture, before its pieces are judged."""

    runs: Runs
    strong: IntArray  # (runs,) pixels that are stained for sure
    textured: IntArray  # (runs,) pixels that stand out from their surroundings

    @classmethod
    def nothing(cls, shape: tuple[int, int]) -> Stained:
        """Of a picture (height, width) in which nothing is stained."""
        none = np.zeros(0, np.int64)
        return cls(Runs(shape, none, none, none), none, none)

    def moved(self, down: int, right: int, shape: tuple[int, int]) -> Stained:
        """The same as a part of a larger picture."""
        return Stained(self.runs.moved(down, right, shape), self.strong, self.textured)


def find_tissue(overview: Overview, scale: Scale) -> TissueMask:
    """Tissue and pen marks of an image, in the overview's frame.

    Unscanned areas, glass of any tint, its edges, dust and ink count as no tissue; neither does
    anything grey or smooth. A blank picture gives an empty mask, one filled with tissue a nearly
    full one. What is found depends on the size of the overview's pixels: see ``survey``.
    """
    um_px = None if scale.mpp_um is None else scale.mpp_um * overview.downsample
    around = look_around(overview, um_px)
    found = find_stained(
        overview.rgb, overview.valid, overview.valid & ~around.unusable, around.colour, um_px
    )
    return TissueMask(settle([found], um_px), overview.downsample, around.pen, overview.downsample)


def look_around(overview: Overview, um_px: float | None) -> Surroundings:
    """Find the pen marks of a whole image and the usual colour of its glass."""
    rgb, valid = overview.rgb, overview.valid
    valid = valid & ~_dark_border(rgb)
    colour = glass_colour(rgb, valid, um_px)
    inked = np.empty(valid.shape, np.bool_)
    for rows in _bands(len(rgb)):
        inked[rows] = looks_like_ink(optical_density(rgb[rows], colour))
    pen = find_pen(rgb, colour, inked, valid, um_px)
    edge = PEN_MARGIN_PX if um_px is None else max(1, round(PEN_MARGIN_UM / um_px))
    unusable = dilate(pen, edge) if pen.any() else pen
    return Surroundings(colour, pen, unusable | (overview.valid & ~valid))


def _dark_border(rgb: RgbArray) -> MaskArray:
    """What is as good as black from one end of the picture to the other: no ink, no tissue."""
    _, highest = channel_range(rgb)
    dark = highest < _DARK
    if not dark.any():
        return dark
    pieces = find_pieces(dark)
    height, width = dark.shape
    return pieces.keep(
        (pieces.right - pieces.left == width) | (pieces.bottom - pieces.top == height)
    )


def _bands(height: int) -> Iterator[slice]:
    """Rows a few at a time, so that all that is computed of them fits the processor's cache."""
    return (slice(top, min(top + _BAND_PX, height)) for top in range(0, height, _BAND_PX))


def find_stained(
    rgb: RgbArray,
    valid: MaskArray,
    usable: MaskArray,
    elsewhere: FloatArray,
    um_px: float | None,
    own: tuple[slice, slice] = np.s_[:, :],
) -> Stained:
    """What has the colour of haematoxylin, eosin (or DAB), above the noise of the glass.

    ``usable`` is where tissue may lie, ``elsewhere`` (3,) the colour of glass if none is in sight.
    Only rows and columns ``own`` are reported; the rest is there to be seen.
    """
    relief = find_relief(rgb)
    glass = find_glass(rgb, relief, valid, um_px)
    density = log_light(rgb)
    np.subtract(light_around(rgb, glass, elsewhere, um_px), density, out=density)
    np.maximum(density, 0, out=density)
    faint, strong = _hues(density, glass, usable)
    mask = _without_fringe(faint, density)
    del density  # the largest array; there may be several threads
    mask = close_gaps(mask, 1 if um_px is None else int(np.clip(round(JOIN_UM / um_px), 1, 8)))
    hole = MAX_HOLE_SHARE * mask.size if um_px is None else MAX_HOLE_MM2 * 1e6 / um_px**2
    runs = find_runs((fill_holes(mask, hole) & usable)[own])
    return Stained(runs, sum_in(runs, strong[own]), sum_in(runs, relief.texture[own]))


def _hues(density: FloatArray, glass: MaskArray, usable: MaskArray) -> tuple[MaskArray, MaskArray]:
    """Where densities (3, height, width) are at least faintly, and where surely, of a stain."""
    smooth = box_mean(density, SMOOTHING_PX)
    low, high = channel_range(np.moveaxis(smooth, 0, -1))
    chroma = high - low
    quiet = chroma[glass if glass.any() else usable & (high < _CLEAR)]
    noise = min(_NOISE_FACTOR * float(np.median(quiet)), _MAX_LIMIT) if quiet.size else 0.0
    hue = usable & (smooth[1] > LEAST_GREEN * high)
    return hue & (chroma > max(_FAINTLY_STAINED, noise)), hue & (chroma > max(STAINED, noise))


def _without_fringe(mask: MaskArray, density: FloatArray) -> MaskArray:
    """Take off the pixels along a border that tissue covers for less than half."""
    low, chroma = channel_range(np.moveaxis(density, 0, -1))
    chroma -= low
    inside = mask.astype(np.float32)
    total = box_mean(chroma * inside, _AROUND_PX)
    share = box_mean(inside, _AROUND_PX)
    fringe = dilate(~mask, _BORDER_PX) & (chroma * share < _COVERED * total)
    return mask & ~fringe


def settle(parts: Sequence[Stained], um_px: float | None) -> Runs:
    """Of what is stained, the pieces that are tissue: no lines, no specks, nothing smooth."""
    runs, (strong, textured) = weld(
        [part.runs for part in parts],
        [part.strong for part in parts],
        [part.textured for part in parts],
    )
    pieces = join_runs(runs)
    size = runs.shape[0] * runs.shape[1]
    speck = MIN_PIECE_SHARE * size if um_px is None else MIN_PIECE_MM2 * 1e6 / um_px**2
    kept = (pieces.sums(strong) > 0) & (pieces.sums(textured) >= _TEXTURED * pieces.area)
    kept &= (pieces.area >= max(MIN_PIECE_PX, speck)) & ~_is_line(pieces, um_px)
    return runs.where(np.asarray(kept[pieces.piece]))


def _is_line(pieces: Pieces, um_px: float | None) -> NDArray[np.bool_]:
    """Which pieces (n,) are as long as a glass edge and as thin; the rims of two may cross."""
    across, down = pieces.right - pieces.left, pieces.bottom - pieces.top
    if um_px is None:
        longest, thickest = LINE_LENGTH_SHARE * max(pieces.runs.shape), LINE_WIDTH_PX
    else:
        longest, thickest = LINE_LENGTH_MM * 1e3 / um_px, LINE_WIDTH_UM / um_px
    thickest += 2 * SMOOTHING_PX
    thin = pieces.area <= thickest * (across + down)
    return np.asarray((np.maximum(across, down) >= longest) & thin)
