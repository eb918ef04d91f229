"""Shapes in masks: growing, closing, filling, smoothing. No Python loop per pixel."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lungscan.tiles.connected_components import find_pieces
from lungscan.types import FloatArray, MaskArray

AnyMask = TypeVar("AnyMask", NDArray[np.uint8], MaskArray)  # one or eight pixels to a byte


def dilate(mask: MaskArray, radius: int) -> MaskArray:
    """Grow by a square of side ``2 * radius + 1``."""
    # Rows are shifted whole, so eight pixels of a row may share a byte meanwhile.
    rows = _grow(np.packbits(mask, axis=1), radius)
    tall = np.unpackbits(rows, axis=1, count=mask.shape[1]).view(np.bool_)
    return _grow(tall.T, radius).T


def _grow(mask: AnyMask, radius: int) -> AnyMask:
    """Grow along axis 0, doubling the reach each time: log2(radius) passes."""
    reach = 0
    while reach < radius:
        step = min(max(reach, 1), radius - reach)
        wider = mask.copy(order="K")  # a transposed mask stays one: rows lie as they lay
        wider[step:] |= mask[:-step]
        wider[:-step] |= mask[step:]
        mask, reach = wider, reach + step
    return mask


def close_gaps(mask: MaskArray, radius: int) -> MaskArray:
    """Join what lies within ``2 * radius`` pixels, without growing the outline."""
    if radius < 1:
        return mask
    wide = np.pad(mask, radius)  # else pieces at the border would grow onto it
    closed = ~dilate(~np.pad(dilate(wide, radius), radius, mode="edge"), radius)
    return closed[2 * radius : -2 * radius, 2 * radius : -2 * radius]


def fill_holes(mask: MaskArray, max_area: float) -> MaskArray:
    """Fill holes of at most ``max_area`` pixels that do not touch the picture's border."""
    height, width = mask.shape
    gaps = find_pieces(~mask, diagonal=False)
    inside = (gaps.left > 0) & (gaps.top > 0) & (gaps.right < width) & (gaps.bottom < height)
    return mask | gaps.keep(inside & (gaps.area <= max_area))


def extremes(plane: NDArray[np.uint8], radius: int, pick: np.ufunc) -> NDArray[np.uint8]:
    """``np.maximum`` or ``np.minimum`` over squares of side ``2 * radius + 1``; edges repeat."""
    height, width = plane.shape
    padded = np.pad(plane, radius, mode="edge")
    tall = padded[:height].copy()
    for shift in range(1, 2 * radius + 1):
        pick(tall, padded[shift : shift + height], out=tall)
    out = tall[:, :width].copy()
    for shift in range(1, 2 * radius + 1):
        pick(out, tall[:, shift : shift + width], out=out)
    return out


def box_mean(values: FloatArray, radius: int) -> FloatArray:
    """Mean over squares of side ``2 * radius + 1`` in (..., height, width); edges repeat."""
    if values.ndim > 2:  # plane by plane: a third of the memory, and nearer to the processor
        planes = np.empty_like(values)
        for plane, mean in zip(values, planes, strict=True):
            mean[:] = box_mean(plane, radius)
        return planes
    height, width, size = *values.shape, 2 * radius + 1
    padded = _repeat_edges(values, radius)
    rows = padded[:height] + padded[1 : height + 1] if radius else padded.copy()
    for shift in range(2, size):
        rows += padded[shift : shift + height]
    rows /= np.float32(size)
    mean = rows[:, :width] + rows[:, 1 : width + 1] if radius else rows
    for shift in range(2, size):
        mean += rows[:, shift : shift + width]
    mean /= np.float32(size)
    return np.asarray(mean)


def _repeat_edges(values: FloatArray, radius: int) -> FloatArray:
    """The picture with ``radius`` more pixels on each side (np.pad is slow on small pictures)."""
    *more, height, width = values.shape
    out = np.empty((*more, height + 2 * radius, width + 2 * radius), values.dtype)
    bottom, right = height + radius, width + radius
    out[..., radius:bottom, radius:right] = values
    out[..., :radius, radius:right] = values[..., :1, :]
    out[..., bottom:, radius:right] = values[..., -1:, :]
    out[..., :radius] = out[..., radius : radius + 1]
    out[..., right:] = out[..., right - 1 : right]
    return out
