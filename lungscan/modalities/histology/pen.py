"""Marker ink: red, green, blue and black strokes on the glass.

Haematoxylin and eosin both take green light first. An ink is told by what they never do: red ink
takes blue as much as green, green ink spares green, blue ink takes red far more than green, black
takes all three alike.
"""

from __future__ import annotations

import numpy as np

from lungscan.modalities.histology.density import channel_range, is_filler, optical_density
from lungscan.tiles.connected_components import find_pieces
from lungscan.tiles.morphology import close_gaps, dilate
from lungscan.types import FloatArray, MaskArray, RgbArray

MIN_PEN_MM2 = 0.05  # smaller spots are pigment, clumped red cells or margin dye, not strokes
MIN_PEN_SHARE = 5e-4  # of the overview, when the scale is unknown
HALO_UM = 500.0  # strokes lie above the focal plane: their soft edge reaches this far
HALO_SHARE = 0.05  # of the overview's longer side, when the scale is unknown
_DARK = 1.3  # haematoxylin this dense takes more green than red
_FAINT = 0.3  # strength of ink in the halo, compared with the stroke


def looks_like_ink(density: FloatArray, strength: float = 1.0) -> MaskArray:
    """Which pixels of an optical density (..., 3) have the colour of marker ink.

    ``strength`` scales how dark ink must be; the hues stay the same.
    """
    red, green, blue = density[..., 0], density[..., 1], density[..., 2]
    low, high = channel_range(density)
    red_ink = (green > 0.7 * strength) & (blue > 0.75 * green) & (red < 0.4 * green)
    green_ink = (high > 0.45 * strength) & (green < 0.8 * np.minimum(red, blue))
    blue_ink = (red > 0.45 * strength) & (green < 0.72 * red) & (blue < 0.6 * red)
    black_ink = (low > 1.3 * strength) & (high - low < 0.25 * high)
    over_tissue = (red > _DARK) & (green < 0.88 * red)  # blue or green ink on top of a stain
    return np.asarray(red_ink | green_ink | blue_ink | black_ink | over_tissue)


def find_pen(
    rgb: RgbArray, background: FloatArray, inked: MaskArray, valid: MaskArray, um_px: float | None
) -> MaskArray:
    """Pen strokes with their soft edges on an overview (height, width) of ``um_px`` µm a pixel.

    ``inked`` is where its density looks like ink at full strength.
    """
    core = inked & valid
    core[core] = ~is_filler(rgb[core])
    pieces = find_pieces(core)
    least = max(9.0, MIN_PEN_SHARE * valid.size if um_px is None else MIN_PEN_MM2 * 1e6 / um_px**2)
    strokes = pieces.keep(pieces.area >= least)
    if not strokes.any():
        return strokes
    reach = max(2, round(HALO_SHARE * max(valid.shape) if um_px is None else HALO_UM / um_px))
    halo = dilate(strokes, reach) & valid
    near = rgb[halo]
    halo[halo] = looks_like_ink(optical_density(near, background), _FAINT) & ~is_filler(near)
    return close_gaps(strokes | halo, 2) & valid
