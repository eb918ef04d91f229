"""Where tissue lies on a slide.

H&E is told from everything else on the glass by colour, not by darkness: dust, glass edges,
bubbles and shadows are grey. So pale tissue is found, and dark dirt is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.tiles.density import (
    channel_range,
    estimate_background,
    optical_density,
    sampling_step,
)
from lungscan.tiles.morphology import box_mean, close_gaps, dilate, fill_holes
from lungscan.tiles.pen import find_pen, looks_like_ink
from lungscan.tiles.pieces import Pieces, find_pieces
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
_LEAST_GREEN = 0.6  # of the densest channel: glue, bluish glass and faint ink spare green
_CLEAR = 0.1  # optical density of what may be the background
_NOISE_FACTOR = 4.0  # both limits rise to this multiple of the background's own spread ...
_MAX_LIMIT = 0.1  # ... but never above this
_MIN_CONTRAST = 0.02  # of optical density against the surroundings; nothing there: a blank slide
_BAND_PX = 16


@dataclass(frozen=True, slots=True)
class _Colours:
    """What the colours of an overview say, pixel by pixel: (height, width)."""

    chroma: FloatArray  # spread of the density over the channels, without its noise
    stain_hue: MaskArray  # green is not spared: no glue, bluish glass or faint ink
    clear: MaskArray  # next to nothing takes the light
    inked: MaskArray  # as marker ink does, at full strength


def find_tissue(overview: Overview, scale: Scale) -> TissueMask:
    """Tissue and pen marks of an image, in the overview's frame.

    Unscanned areas, glass edges, dust and ink count as no tissue; neither does anything grey.
    A blank picture gives an empty mask, one filled with tissue a nearly full one.
    """
    um_px = None if scale.mpp_um is None else scale.mpp_um * overview.downsample
    rgb, valid = overview.rgb, overview.valid
    background = estimate_background(rgb, valid)
    if not _has_texture(rgb, background, valid):
        empty = np.zeros_like(valid)
        return TissueMask(tissue=empty, pen=empty.copy(), downsample=overview.downsample)
    colours = _look_at(rgb, background)
    pen = find_pen(rgb, background, colours.inked, valid, um_px)
    edge = PEN_MARGIN_PX if um_px is None else max(1, round(PEN_MARGIN_UM / um_px))
    usable = valid & ~dilate(pen, edge) if pen.any() else valid
    tissue = _clean(_stained(colours, usable), usable, um_px)
    return TissueMask(tissue=tissue, pen=pen, downsample=overview.downsample)


def _bands(height: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """Rows a few at a time, so that all that is computed of them fits the processor's cache.

    Gives the rows, the same with ``margin`` more on either side, and where the rows lie in those.
    """
    for top in range(0, height, _BAND_PX):
        bottom = min(top + _BAND_PX, height)
        first = max(top - margin, 0)
        yield (
            slice(top, bottom),
            slice(first, min(bottom + margin, height)),
            slice(top - first, bottom - first),
        )


def _has_texture(rgb: RgbArray, background: FloatArray, valid: MaskArray) -> bool:
    """Whether anything but smooth shading is to be seen."""
    found = 0
    for _, wide, inner in _bands(len(rgb), 1 + 4):
        inside = ~dilate(~valid[wide], 2)  # the step to an unscanned area is no texture
        density = optical_density(rgb[wide], background).mean(axis=-1)
        mean = box_mean(density, 1)  # single noisy pixels are no texture either
        contrast = np.abs(mean - box_mean(mean, 4))
        found += int(np.count_nonzero(((contrast >= _MIN_CONTRAST) & inside)[inner]))
        if found >= MIN_PIECE_PX:
            return True
    return False


def _look_at(rgb: RgbArray, background: FloatArray) -> _Colours:
    shape = rgb.shape[:2]
    chroma = np.empty(shape, np.float32)
    stain_hue, clear, inked = (np.empty(shape, np.bool_) for _ in range(3))
    for rows, wide, inner in _bands(shape[0], SMOOTHING_PX):
        density = optical_density(rgb[wide], background)
        inked[rows] = looks_like_ink(density[inner])
        smooth = box_mean(np.moveaxis(density, -1, 0), SMOOTHING_PX)[:, inner]
        low, high = channel_range(np.moveaxis(smooth, 0, -1))
        np.subtract(high, low, out=chroma[rows])
        np.less(high, _CLEAR, out=clear[rows])
        np.greater(smooth[1], _LEAST_GREEN * high, out=stain_hue[rows])
    return _Colours(chroma, stain_hue, clear, inked)


def _stained(colours: _Colours, usable: MaskArray) -> Pieces:
    """Pieces with the colour of haematoxylin, eosin (or DAB), above the background's noise."""
    step = sampling_step(usable.shape)
    sample = np.s_[::step, ::step]
    quiet = colours.chroma[sample][usable[sample] & colours.clear[sample]]
    noise = min(_NOISE_FACTOR * float(np.median(quiet)), _MAX_LIMIT) if quiet.size else 0.0
    hue = usable & colours.stain_hue
    pieces = find_pieces(hue & (colours.chroma > max(_FAINTLY_STAINED, noise)))
    return pieces.only(pieces.meet(hue & (colours.chroma > max(_STAINED, noise))))


def _clean(stained: Pieces, usable: MaskArray, um_px: float | None) -> MaskArray:
    """Drop lines and specks, join scattered cells, fill small holes."""
    mask = stained.keep(~_is_line(stained, um_px))
    mask = close_gaps(mask, 1 if um_px is None else int(np.clip(round(JOIN_UM / um_px), 1, 8)))
    hole = MAX_HOLE_SHARE * mask.size if um_px is None else MAX_HOLE_MM2 * 1e6 / um_px**2
    mask = fill_holes(mask, hole) & usable
    speck = MIN_PIECE_SHARE * mask.size if um_px is None else MIN_PIECE_MM2 * 1e6 / um_px**2
    pieces = find_pieces(mask)
    return pieces.keep(pieces.area >= max(MIN_PIECE_PX, speck))


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
