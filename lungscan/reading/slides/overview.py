"""A small picture of a whole slide, block by block, past what is damaged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from math import ceil

import numpy as np
from PIL import Image

from lungscan.reading.resize import pixel_frame, sample, shifted
from lungscan.reading.slides.native import AlphaArray, Frame
from lungscan.reading.slides.openslide_reader import READ_ERRORS
from lungscan.reading.slides.slide_file import SlideHead
from lungscan.reading.slides.tile_codecs import DamagedTile
from lungscan.types import MaskArray, Overview, RgbArray

_BLOCK_PX = 2048  # side of the blocks that are read at once, in the level's pixels
_LEAST_BLOCK_PX = 256  # blocks that cannot be read are cut down to this, a file tile's side
_MAX_FAILURES = 300  # then blocks are given up whole: each failure may cost an opening of the file

Region = Callable[[Frame], tuple[RgbArray, AlphaArray | None]]  # a frame of the level


def make_overview(
    head: SlideHead,
    region: Region,
    level_downsample: float,
    downsample: float,
    frame: Frame | None = None,
) -> Overview:
    """Scale a level to ``downsample`` level-0 pixels per pixel; ``region`` reads the level.

    ``frame`` is the part wanted, in pixels of the result; without one it shows all.
    """
    whole = (0, 0, ceil(head.info.width / downsample), ceil(head.info.height / downsample))
    frame = whole if frame is None else frame
    width, height = frame[2] - frame[0], frame[3] - frame[1]
    rgb = np.full((height, width, 3), head.background, np.uint8)
    valid = np.zeros((height, width), np.bool_)
    unreadable, failures = 0, 0
    ratio = downsample / level_downsample
    todo = deque(_blocks(frame, max(1, int(_BLOCK_PX / ratio))))
    while todo:
        block, step = todo.popleft()
        left, top, right, bottom = block
        part = np.s_[top - frame[1] : bottom - frame[1], left - frame[0] : right - frame[0]]
        try:
            rgb[part], valid[part] = _read(region, ratio, block)
        except (*READ_ERRORS, DamagedTile):
            failures += 1
            if failures <= _MAX_FAILURES and step * ratio >= 2 * _LEAST_BLOCK_PX:
                todo.extend(_blocks(block, step // 2))  # what is whole in it is still read
            else:
                unreadable += (right - left) * (bottom - top)
    return Overview(rgb, valid, downsample, unreadable / (width * height))


def _read(region: Region, ratio: float, block: Frame) -> tuple[RgbArray, MaskArray]:
    """Read and scale a block of the overview."""
    left, top, right, bottom = block
    box = (left * ratio, top * ratio, right * ratio, bottom * ratio)
    pixels, alpha = region(pixel_frame(box))
    box, size = shifted(box, pixel_frame(box)), (right - left, bottom - top)
    scanned = np.ones(size[::-1], np.bool_)
    if alpha is not None:
        scanned = np.asarray(sample(Image.fromarray(alpha), box, size)) >= 128
    return np.asarray(sample(Image.fromarray(pixels), box, size)), scanned


def _blocks(area: Frame, step: int) -> Iterator[tuple[Frame, int]]:
    """Cut an area (left, top, right, bottom) into blocks of ``step`` a side, and pass that on."""
    left, top, right, bottom = area
    for y in range(top, bottom, step):
        for x in range(left, right, step):
            yield (x, y, min(x + step, right), min(y + step, bottom)), step
