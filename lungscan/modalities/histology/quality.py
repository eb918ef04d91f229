"""Is a field fit to be judged? Focus, ink, emptiness, from a sparse sample of its pixels.

Runs on every field, so it looks at every 8th row and column for focus and at about 32 x 32 pixels
for colour: some 0.1 ms a field.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungscan.modalities.histology.density import optical_density
from lungscan.modalities.histology.pen import looks_like_ink
from lungscan.types import FloatArray, MaskArray, RgbBatch, TileQuality, TileState

MIN_VALID = 0.5  # less was scanned: UNSCANNED
MAX_PEN = 0.25  # more is ink: PEN
MAX_BLANK = 0.97  # more is empty: BLANK; the emptiest of 2,507 real lung fields had 0.90
MIN_FOCUS = 0.5  # below: BLURRED

# Focus is contrast over 2 pixels against contrast over 6. Measured on LC25000's lung fields at
# 224 px: 0.13 to 0.4 as they are; after a Gaussian blur of sigma 1, 2, 3, 4 px the shares below
# the limit are 0.6, 87, 100 and 100 %. Real slides at 0.5 µm/px lie at 0.2 to 0.6.
_FOCUS_LIMIT = 0.12
_FOCUS_STEEPNESS = 6.0
_FAINT_CONTRAST = 4.0  # squared grey levels; below it there is nothing to be blurred
_LINE_STEP = 8
_SAMPLES = 32  # per side
_PAPER: FloatArray = np.full(3, 255, dtype=np.float32)  # a single field need not show glass
_GLASS_DENSITY = 0.35  # glass is brighter than this ...
_GLASS_MAGENTA = 0.10  # ... and takes green no more than the mean of red and blue
_FLAT = 6  # grey levels from darkest to brightest: a field without any picture
_GROUPS = 8  # per side: means of samples, in which the camera's noise is gone
_SMOOTH = 3.0  # grey levels by which these depart from an even slope: tinted or shaded glass
_NOISE = 7.0  # grey levels; samples of tissue scatter more


def measure_quality(batch: RgbBatch, valid: FloatArray) -> TileQuality:
    """Quality of fields (n, size, size, 3); ``valid`` (n,) is their scanned share, passed on."""
    step = max(1, batch.shape[1] // _SAMPLES)
    sample = batch[:, step // 2 :: step, step // 2 :: step]
    density = optical_density(sample, _PAPER)
    return TileQuality(
        focus=_focus(batch),
        pen=_share(looks_like_ink(density)),
        blank=np.where(
            _is_flat(sample) | _is_smooth(sample), np.float32(1), _share(_looks_empty(density))
        ),
        valid=np.asarray(valid, dtype=np.float32),
    )


def judge(quality: TileQuality, tissue_fraction: FloatArray) -> tuple[TileState, ...]:
    """Say USED, or the first reason against it: UNSCANNED, PEN, BLANK, BLURRED.

    ``tissue_fraction`` (n,) comes from the overview, which knows the glass: where it sees mostly
    tissue, a pale field is not blank. Blank goes before blurred: glass has nothing in focus.
    """
    blank = (quality.blank > MAX_BLANK) & (np.asarray(tissue_fraction) < 0.5)
    reasons = (
        (TileState.UNSCANNED, quality.valid < MIN_VALID),
        (TileState.PEN, quality.pen > MAX_PEN),
        (TileState.BLANK, blank),
        (TileState.BLURRED, quality.focus < MIN_FOCUS),
    )
    states = [TileState.USED] * len(quality.focus)
    for state, failed in reversed(reasons):
        for i in np.flatnonzero(failed):
            states[i] = state
    return tuple(states)


def _focus(batch: RgbBatch) -> FloatArray:
    """0 to 1 from the mean squared difference over 1, 2 and 6 pixels, along rows and columns.

    Taking the 1-pixel term off both cancels white noise, which would pass for sharpness.
    """
    start = _LINE_STEP // 2
    rows = batch[:, start::_LINE_STEP, :, 1].astype(np.int16)
    columns = batch[:, :, start::_LINE_STEP, 1].astype(np.int16)
    near, fine, coarse = (_contrast(rows, 2, lag) + _contrast(columns, 1, lag) for lag in (1, 2, 6))
    # Equal shares of the faint term at the limit's double: no picture, no verdict of blur.
    ratio = (fine - near + 2 * _FOCUS_LIMIT * _FAINT_CONTRAST) / (coarse - near + _FAINT_CONTRAST)
    ratio = np.maximum(ratio, 1e-6)
    return np.asarray(1 / (1 + (_FOCUS_LIMIT / ratio) ** _FOCUS_STEEPNESS), dtype=np.float32)


def _contrast(lines: NDArray[np.int16], axis: int, lag: int) -> FloatArray:
    """Mean squared difference of pixels ``lag`` apart: (n,)."""
    ahead = lines[:, lag:] if axis == 1 else lines[:, :, lag:]
    behind = lines[:, :-lag] if axis == 1 else lines[:, :, :-lag]
    # Integers are quicker to subtract, floats to square and sum.
    step: FloatArray = np.empty(ahead.shape, np.float32)
    np.subtract(ahead, behind, out=step, dtype=np.int16, casting="unsafe")
    total: FloatArray = np.einsum("nij,nij->n", step, step)
    return total / np.float32(step[0].size) if len(step) else total


def _looks_empty(density: FloatArray) -> MaskArray:
    """Bright and not magenta: glass or air, whatever the white balance."""
    red, green, blue = density[..., 0], density[..., 1], density[..., 2]
    bright = red + green + blue <= 3 * _GLASS_DENSITY
    return np.asarray(bright & (green - 0.5 * (red + blue) <= _GLASS_MAGENTA))


def _is_flat(sample: RgbBatch) -> MaskArray:
    green = sample[..., 1]
    return np.asarray(green.max(axis=(1, 2)) - green.min(axis=(1, 2)) < _FLAT)


def _is_smooth(sample: RgbBatch) -> MaskArray:
    """Nothing but an even slope and noise: glass, whatever its tint."""
    count, side = len(sample), sample.shape[1] // _GROUPS
    green = sample[:, : side * _GROUPS, : side * _GROUPS, 1].astype(np.float32)
    groups = green.reshape(count, _GROUPS, side, _GROUPS, side)
    means = groups.mean(axis=(2, 4))
    noise = groups.std(axis=(2, 4)).mean(axis=(1, 2))
    place = np.linspace(-1, 1, _GROUPS, dtype=np.float32)
    square = (place**2).mean()
    down, across = (means * place[:, None]).mean((1, 2)), (means * place).mean((1, 2))
    slope = down[:, None, None] * place[:, None] + across[:, None, None] * place
    rest = means - means.mean(axis=(1, 2), keepdims=True) - slope / square
    return np.asarray((np.abs(rest).max(axis=(1, 2), initial=0) < _SMOOTH) & (noise < _NOISE))


def _share(mask: MaskArray) -> FloatArray:
    return np.asarray(mask.mean(axis=(1, 2)), dtype=np.float32)
