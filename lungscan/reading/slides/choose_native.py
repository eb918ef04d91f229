"""Decide whether a slide is read natively, and see to it that nothing changes but the speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from openslide import OpenSlide, OpenSlideError

from lungscan.errors import UnreadableFile
from lungscan.inputs.files import open_failure
from lungscan.reading.slides.native import Frame, NativeReader
from lungscan.reading.slides.positional import PositionalFile
from lungscan.reading.slides.proof import proven
from lungscan.reading.slides.slide_file import SlideHead
from lungscan.reading.slides.tiff_index import TiffLevel, tiff_levels
from lungscan.types import InputFile

# Those whose levels are TIFF pages, pixel by pixel. Elsewhere tiles overlap or areas are moved.
_VENDORS = frozenset({"aperio", "generic-tiff"})


def open_native(
    file: InputFile,
    head: SlideHead,
    reopen: Callable[[], OpenSlide],
) -> tuple[NativeReader | None, tuple[str, ...]]:
    """Return a reader that was compared with OpenSlide, or None, and flags for the slide.

    ``reopen`` gives a new handle of the same slide.

    Raises:
        UnreadableFile: the file cannot be opened any more.
    """
    if head.info.vendor not in _VENDORS:
        return None, ()
    levels = tiff_levels(file.path, head.level_sizes)
    if head.info.vendor == "aperio":
        levels = _without_filled(levels)
    if levels[0] is None:
        return None, ()

    def is_whole(level: int, frame: Frame) -> bool:
        return _readable(reopen, head.level_downsamples[level], level, frame)

    try:  # the file closes itself where nobody holds it any more
        native = proven(
            NativeReader(PositionalFile(file.path), levels, head.background, is_whole),
            reopen,
            head.level_downsamples,
        )
    except OSError as error:
        raise open_failure(file.path.name, error) from error
    return native, () if native is not None else ("read_by_openslide",)


def _without_filled(levels: Sequence[TiffLevel | None]) -> list[TiffLevel | None]:
    """Leave levels to OpenSlide that stand below one with tiles missing.

    Aperio's tiles hold nonsense there, and OpenSlide draws them from the finer level instead.
    """
    kept: list[TiffLevel | None] = []
    for level in levels:
        filled = kept and (kept[-1] is None or not np.all(kept[-1].sizes))
        kept.append(None if filled else level)
    return kept


def _readable(reopen: Callable[[], OpenSlide], downsample: float, level: int, frame: Frame) -> bool:
    """Whether OpenSlide can decode what lies in a frame, without the neighbours it may blend."""
    left, top, right, bottom = frame
    at = (round((left + 1) * downsample), round((top + 1) * downsample))
    try:
        with reopen() as handle:
            handle.read_region(at, level, (max(1, right - left - 3), max(1, bottom - top - 3)))
    except (OpenSlideError, OSError, UnreadableFile):
        return False
    return True
