"""Find a slide's tissue at a scale in µm, whatever the slide's size and however much is glass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import ceil

import numpy as np
from numpy.typing import NDArray

from lungscan.modalities.histology.tissue import (
    Stained,
    find_stained,
    find_tissue,
    look_around,
    settle,
)
from lungscan.tiles.mask import TissueMask
from lungscan.tiles.morphology import dilate, extremes
from lungscan.types import MaskArray, Overview, SourceInfo

Frame = tuple[int, int, int, int]  # left, top, right, bottom
View = Callable[[Frame, float], Overview]  # of a frame in pixels of a downsample

SURVEY_UM = 4.0  # per pixel: a core biopsy of 60 µm is 15 pixels wide
WINDOW_PX = 896  # side of what is looked at together ...
_MARGIN_PX = 64  # ... with so much around it
_MIN_STEP = 6  # grey levels between neighbours on the overview: here something begins


def survey(
    overview: Overview, info: SourceInfo, view: View, downsample: float, threads: int = 1
) -> TissueMask:
    """Tissue and pen marks of an image, as ``find_tissue`` knows them.

    The overview says where anything at all is to be seen; there ``view`` shows the image at
    ``downsample`` level-0 pixels per pixel (near ``SURVEY_UM``), and tissue is found in what it
    shows. So neither the mask nor the work nor the memory depends on the glass around. ``view`` is
    called from several ``threads`` at once; the mask does not depend on how many.
    """
    mpp = info.scale.mpp_um
    if mpp is None:
        return find_tissue(overview, info.scale)
    um_px = mpp * downsample
    around = look_around(overview, mpp * overview.downsample)
    busy = _busy(overview)
    shape = (ceil(info.height / downsample), ceil(info.width / downsample))
    ratio = overview.downsample / downsample

    def look(frame: Frame) -> Stained:
        wide = _widened(frame, shape)
        places = _places(wide, busy.shape, ratio)
        rgb, valid = _seen(view(wide, downsample), overview, places)
        usable = valid & ~around.unusable[np.ix_(*places)]
        found = find_stained(rgb, valid, usable, around.colour, um_px, _own(frame, wide))
        return found.moved(frame[1], frame[0], shape)

    frames = [f for f in _windows(shape) if busy[np.ix_(*_places(f, busy.shape, ratio))].any()]
    nothing = Stained.nothing(shape)
    if min(threads, len(frames)) > 1:
        with ThreadPoolExecutor(threads, "survey") as pool:
            parts = [nothing, *pool.map(look, frames)]
    else:
        parts = [nothing, *map(look, frames)]
    extent = info.width / downsample, info.height / downsample
    runs = settle(parts, um_px)
    return TissueMask(runs, downsample, around.pen, overview.downsample, extent)


def _busy(overview: Overview) -> MaskArray:
    """Where an overview is not even: there may be tissue."""
    uneven = np.zeros_like(overview.valid)
    for plane in np.moveaxis(overview.rgb, -1, 0):
        highest, lowest = (extremes(plane, 1, pick) for pick in (np.maximum, np.minimum))
        uneven |= highest - lowest >= _MIN_STEP
    return dilate(uneven, 1)


def _windows(shape: tuple[int, int]) -> Iterator[Frame]:
    height, width = shape
    for top in range(0, height, WINDOW_PX):
        for left in range(0, width, WINDOW_PX):
            yield left, top, min(left + WINDOW_PX, width), min(top + WINDOW_PX, height)


def _widened(frame: Frame, shape: tuple[int, int]) -> Frame:
    left, top, right, bottom = frame
    return (
        max(left - _MARGIN_PX, 0),
        max(top - _MARGIN_PX, 0),
        min(right + _MARGIN_PX, shape[1]),
        min(bottom + _MARGIN_PX, shape[0]),
    )


def _own(frame: Frame, wide: Frame) -> tuple[slice, slice]:
    """Rows and columns of a frame in a wider one."""
    return (
        slice(frame[1] - wide[1], frame[3] - wide[1]),
        slice(frame[0] - wide[0], frame[2] - wide[0]),
    )


def _places(
    frame: Frame, shape: tuple[int, ...], ratio: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the overview in which the pixels of a frame lie."""
    rows, columns = (
        np.minimum((np.arange(first, last) + 0.5) / ratio, size - 1).astype(np.int64)
        for first, last, size in ((frame[1], frame[3], shape[0]), (frame[0], frame[2], shape[1]))
    )
    return rows, columns


def _seen(
    part: Overview, overview: Overview, places: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> tuple[NDArray[np.uint8], MaskArray]:
    """Pixels of a part, and which of them were scanned.

    What is damaged there may be whole on the overview's level; then the tiles will say so.
    """
    if not part.unreadable:
        return part.rgb, part.valid
    where = np.ix_(*places)
    rgb = np.where(part.valid[..., None], part.rgb, overview.rgb[where])
    return rgb, part.valid | overview.valid[where]
