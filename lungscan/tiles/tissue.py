"""Where tissue lies on a slide.

H&E is told from everything else on the glass by colour, not by darkness: dust, glass edges,
bubbles and shadows are grey. So pale tissue is found, and dark dirt is not.
"""

from __future__ import annotations

import numpy as np

from lungscan.tiles.density import estimate_background, optical_density
from lungscan.tiles.morphology import (
    box_mean,
    close_gaps,
    dilate,
    fill_holes,
    find_pieces,
)
from lungscan.tiles.pen import find_pen
from lungscan.types import FloatArray, MaskArray, Overview, RgbArray, Scale, TissueMask

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
_STAINED = 0.04  # spread of optical density over the channels: this is stain ...
_FAINTLY_STAINED = 0.025  # ... and so is this where it touches stain
_NOISE_FACTOR = 4.0  # both limits rise to this multiple of the background's own spread ...
_MAX_LIMIT = 0.1  # ... but never above this
_MIN_CONTRAST = 0.02  # of optical density against the surroundings; nothing there: a blank slide


def find_tissue(overview: Overview, scale: Scale) -> TissueMask:
    """Tissue and pen marks of an image, in the overview's frame.

    Unscanned areas, glass edges, dust and ink count as no tissue; neither does anything grey.
    A blank picture gives an empty mask, one filled with tissue a nearly full one.
    """
    um_px = None if scale.mpp_um is None else scale.mpp_um * overview.downsample
    rgb, valid = _by_channel(overview.rgb), overview.valid
    density = optical_density(rgb, estimate_background(rgb, valid))
    if not _has_texture(density, valid):
        empty = np.zeros_like(valid)
        return TissueMask(tissue=empty, pen=empty.copy(), downsample=overview.downsample)
    pen = find_pen(rgb, density, valid, um_px)
    edge = PEN_MARGIN_PX if um_px is None else max(1, round(PEN_MARGIN_UM / um_px))
    usable = valid & ~dilate(pen, edge)
    tissue = _clean(_is_stained(density, usable), usable, um_px)
    return TissueMask(tissue=tissue, pen=pen, downsample=overview.downsample)


def _by_channel(rgb: RgbArray) -> RgbArray:
    """The same pixels, with each channel in one piece of memory: every step is faster so."""
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)).transpose(1, 2, 0)


def _has_texture(density: FloatArray, valid: MaskArray) -> bool:
    """Whether anything but smooth shading is to be seen."""
    inside = ~dilate(~valid, 2)  # the step to an unscanned area is no texture
    mean = box_mean(density.mean(axis=-1), 1)  # single noisy pixels are no texture either
    contrast = np.abs(mean - box_mean(mean, 4))
    return int(np.count_nonzero((contrast >= _MIN_CONTRAST) & inside)) >= MIN_PIECE_PX


def _is_stained(density: FloatArray, usable: MaskArray) -> MaskArray:
    """Pixels with the colour of haematoxylin, eosin (or DAB), above the background's noise."""
    red, green, blue = (box_mean(density[..., i], SMOOTHING_PX) for i in range(3))
    high = np.maximum(np.maximum(red, green), blue)
    chroma = high - np.minimum(np.minimum(red, green), blue)
    quiet = chroma[usable & (high < 0.1)]
    noise = min(_NOISE_FACTOR * float(np.median(quiet)), _MAX_LIMIT) if quiet.size else 0.0
    stain_hue = usable & (green > 0.6 * high)  # glue, bluish glass and faint ink spare green
    pieces = find_pieces(stain_hue & (chroma > max(_FAINTLY_STAINED, noise)))
    firm = pieces.labels[stain_hue & (chroma > max(_STAINED, noise))]
    return pieces.keep(np.bincount(firm, minlength=len(pieces.area) + 1)[1:] > 0)


def _clean(mask: MaskArray, usable: MaskArray, um_px: float | None) -> MaskArray:
    """Drop lines and specks, join scattered cells, fill small holes."""
    mask = _without_lines(mask, um_px)
    mask = close_gaps(mask, 1 if um_px is None else int(np.clip(round(JOIN_UM / um_px), 1, 8)))
    hole = MAX_HOLE_SHARE * mask.size if um_px is None else MAX_HOLE_MM2 * 1e6 / um_px**2
    mask = fill_holes(mask, hole) & usable
    speck = MIN_PIECE_SHARE * mask.size if um_px is None else MIN_PIECE_MM2 * 1e6 / um_px**2
    pieces = find_pieces(mask)
    return pieces.keep(pieces.area >= max(MIN_PIECE_PX, speck))


def _without_lines(mask: MaskArray, um_px: float | None) -> MaskArray:
    """Leave out what is as long as a glass edge and as thin; the rims of two may cross."""
    pieces = find_pieces(mask)
    across, down = pieces.right - pieces.left, pieces.bottom - pieces.top
    if um_px is None:
        longest, thickest = LINE_LENGTH_SHARE * max(mask.shape), LINE_WIDTH_PX
    else:
        longest, thickest = LINE_LENGTH_MM * 1e3 / um_px, LINE_WIDTH_UM / um_px
    thickest += 2 * SMOOTHING_PX
    line = (np.maximum(across, down) >= longest) & (pieces.area <= thickest * (across + down))
    return pieces.keep(~line)
