"""Let the native reader show, when a slide is opened, that it sees what OpenSlide sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto

import numpy as np
from openslide import OpenSlide, OpenSlideError

from lungscan.reading.slides.native import Frame, NativeReader, tile_frame
from lungscan.reading.slides.tiff_index import TiffLevel
from lungscan.reading.slides.tile_cache import TileKey
from lungscan.reading.slides.tile_codecs import DamagedTile
from lungscan.types import RgbArray

# Below level 0 OpenSlide may place a tile between pixels and interpolate, so only the means of
# small blocks can agree. Wrong colours or places differ by ten levels and more.
_BLOCK_PX = 8
_TOLERANCE = 4.0  # grey levels, mean over the blocks of a tile


class Verdict(Enum):
    """What comparing a level came to."""

    SAME = auto()
    DIFFERENT = auto()
    UNKNOWN = auto()  # nothing to compare: no tile that both can read


def proven(
    native: NativeReader, reopen: Callable[[], OpenSlide], level_downsamples: Sequence[float]
) -> NativeReader | None:
    """Return the reader with the levels that it has shown to read rightly; None: it reads wrongly.

    ``reopen`` gives a handle of the same slide; it is closed here.

    Raises:
        UnreadableFile: OpenSlide cannot open the file any more.
    """
    verdicts = [
        _judged(native, reopen, level, downsample)
        for level, downsample in enumerate(level_downsamples)
    ]
    if Verdict.DIFFERENT in verdicts:
        return None
    levels = [
        layout if verdict is Verdict.SAME else None
        for layout, verdict in zip(native.levels, verdicts, strict=True)
    ]
    return replace(native, levels=levels)


def _judged(
    native: NativeReader, reopen: Callable[[], OpenSlide], level: int, downsample: float
) -> Verdict:
    layout = native.levels[level]
    if layout is None:
        return Verdict.UNKNOWN
    same = failed = 0
    handle = reopen()
    try:
        for index in _samples(layout):
            frame = tile_frame(layout, TileKey(level, *divmod(index, layout.across)))
            try:
                expected = _through_openslide(handle, level, downsample, frame)
            except OpenSlideError:  # a damaged tile, and no use is left in the handle
                handle.close()
                handle = reopen()
                continue
            try:
                found, _ = native.region(level, frame)
            except DamagedTile:  # it is stricter, or cannot read this kind of tile at all
                failed += 1
                continue
            if not _agree(found, expected, exactly=level == 0):
                return Verdict.DIFFERENT
            same += 1
    finally:
        handle.close()
    if failed > same:
        return Verdict.DIFFERENT
    return Verdict.SAME if same else Verdict.UNKNOWN


def _samples(layout: TiffLevel) -> list[int]:
    """Choose tiles: the two that hold most, a common one, the first and the last."""
    scanned = np.flatnonzero(layout.sizes)
    if not len(scanned):
        return []
    by_size = scanned[np.argsort(layout.sizes[scanned], kind="stable")]
    chosen = (*by_size[-2:], by_size[len(by_size) // 2], scanned[0], scanned[-1])
    return sorted({int(index) for index in chosen})


def _through_openslide(handle: OpenSlide, level: int, downsample: float, frame: Frame) -> RgbArray:
    left, top, right, bottom = frame
    at = (round(left * downsample), round(top * downsample))
    return np.asarray(handle.read_region(at, level, (right - left, bottom - top)).convert("RGB"))


def _agree(found: RgbArray, expected: RgbArray, *, exactly: bool) -> bool:
    if np.array_equal(found, expected):
        return True
    return not exactly and bool(np.abs(_means(found) - _means(expected)).mean() <= _TOLERANCE)


def _means(rgb: RgbArray) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Mean colours of the blocks of a picture; one of the whole where it is smaller."""
    rows, columns = (max(1, side // _BLOCK_PX) for side in rgb.shape[:2])
    height, width = rgb.shape[0] // rows, rgb.shape[1] // columns
    whole = rgb[: rows * height, : columns * width]
    return np.asarray(whole.reshape(rows, height, columns, width, 3).mean((1, 3)))
