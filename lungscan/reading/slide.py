"""Whole slides through OpenSlide."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from math import ceil

import numpy as np
from openslide import OpenSlide, OpenSlideCache, OpenSlideError
from PIL import Image

from lungscan.errors import UnreadableFile
from lungscan.inputs import show
from lungscan.reading.resize import Box, pixel_frame, sample
from lungscan.reading.runs import Run, best_level, plan_runs
from lungscan.reading.slide_file import open_handle, read_head
from lungscan.reading.source import TilePixels
from lungscan.types import BoxArray, FileKind, InputFile, MaskArray, Overview, RgbArray, SourceInfo

# Holds the decoded file tiles of a row, so that the next row finds them. With 96 MiB a slide four
# times as large took a tenth more memory and no less time.
_CACHE_BYTES = 32 << 20
_BLOCK_PX = 2048  # side of the blocks an overview is read in, in the level's pixels

_LEAST_BLOCK_PX = 256  # blocks that cannot be read are cut down to this, a file tile's side
_MAX_FAILURES = 300  # then blocks are given up whole: each failure costs an opening of the file

Frame = tuple[int, int, int, int]  # left, top, right, bottom

_READ_ERRORS = (OpenSlideError, OSError)


def open_slide(file: InputFile, mpp: float | None) -> SlideSource:
    """Open a slide; ``mpp`` is the user's µm per level-0 pixel, used if the slide says none.

    Raises:
        UnreadableFile: see ``open_handle``.
        NoScale: the slide's scale is unknown or absurd.
    """
    return SlideSource(file, mpp)


class SlideSource:
    """An open slide. One handle serves all threads: OpenSlide allows it, and they share a cache."""

    kind: FileKind = "slide"

    def __init__(self, file: InputFile, mpp: float | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._cache = OpenSlideCache(_CACHE_BYTES)
        self._handle = self._open()
        try:
            self._head = read_head(self._handle, mpp)
        except Exception:  # whatever it is, the file must not stay open
            self._handle.close()
            raise

    @property
    def info(self) -> SourceInfo:
        """Size, scale, vendor and objective; nothing else of the metadata is ever read."""
        return self._head.info

    def close(self) -> None:
        """Close the file. Call it when no thread reads any more."""
        self._handle.close()

    def read_tiles(self, boxes: BoxArray, size_px: int) -> TilePixels:
        """Read ``boxes`` ((n, 4), level-0 pixels), each scaled to ``size_px`` squared."""
        count = len(boxes)
        out = TilePixels(
            np.zeros((count, size_px, size_px, 3), np.uint8),
            np.zeros(count, np.float32),
            np.zeros(count, np.bool_),
        )
        for run in plan_runs(boxes, size_px, self._head.level_downsamples):
            handle = self._handle
            try:
                self._read_run(handle, run, out)
            except _READ_ERRORS:
                self._replace(handle)
                self._read_one_by_one(run, out)
        return out

    def overview(self, max_px: int = 2048) -> Overview:
        """Make a small picture from the main pyramid, never from the label or macro picture.

        Where a level is damaged the next finer one is tried, so that tissue is not missed.

        Raises:
            UnreadableFile: nothing of the picture can be read.
        """
        downsample = max(1.0, max(self.info.width, self.info.height) / max_px)
        level = best_level(self._head.level_downsamples, downsample)
        best = self._overview_from(level, downsample)
        if best.unreadable and level:
            finer = self._overview_from(level - 1, downsample)
            best = min(best, finer, key=lambda overview: overview.unreadable)
        if best.unreadable == 1:
            raise UnreadableFile(
                f"{show(self._file.path.name)} opens, but none of its pixels can be read; it "
                "probably ends early. Copy it again from its source.",
                code="E_FORMAT",
            )
        return best

    def _open(self) -> OpenSlide:
        handle = open_handle(self._file)
        handle.set_cache(self._cache)
        return handle

    def _replace(self, broken: OpenSlide) -> None:
        """Put a fresh handle in place of one that OpenSlide has latched an error in."""
        with self._lock:
            if self._handle is not broken:
                return  # another thread was faster
            # Not closed here: other threads may be inside it. The last one to let go closes it.
            with suppress(UnreadableFile):  # a drive that is gone; the next read says so again
                self._handle = self._open()

    def _read_run(self, handle: OpenSlide, run: Run, out: TilePixels) -> None:
        rgb, alpha = self._region(handle, run.level, run.frame)
        size_px = out.rgb.shape[1]
        for cut in run.cuts:
            box = _shifted(cut.box, run.frame)
            out.rgb[cut.row] = np.asarray(sample(rgb, box, (size_px, size_px)))
            out.valid[cut.row] = 1 if alpha is None else _mean_share(alpha, box)

    def _read_one_by_one(self, run: Run, out: TilePixels) -> None:
        """Find out which tiles of a run are truly damaged.

        Each has a handle to itself, because an error spoils all later reads of a handle.
        """
        for cut in run.cuts:
            try:
                with self._open() as handle:
                    self._read_run(handle, run.single(cut), out)
            except (*_READ_ERRORS, UnreadableFile):
                out.rgb[cut.row] = 0
                out.valid[cut.row] = 0
                out.failed[cut.row] = True

    def _region(
        self, handle: OpenSlide, level: int, frame: tuple[int, int, int, int]
    ) -> tuple[Image.Image, Image.Image | None]:
        """Read a frame in the level's pixels: RGB, and alpha unless all of it was scanned."""
        left, top, right, bottom = frame
        downsample = self._head.level_downsamples[level]
        at = (round(left * downsample), round(top * downsample))
        region = handle.read_region(at, level, (right - left, bottom - top))
        alpha = region.getchannel("A")
        if alpha.getextrema() == (255, 255):
            return region.convert("RGB"), None
        canvas = Image.new("RGB", region.size, self._head.background)
        canvas.paste(region, mask=alpha)
        return canvas, alpha

    def _overview_from(self, level: int, downsample: float) -> Overview:
        width = ceil(self.info.width / downsample)
        height = ceil(self.info.height / downsample)
        rgb = np.full((height, width, 3), self._head.background, np.uint8)
        valid = np.zeros((height, width), np.bool_)
        unreadable, failures = 0, 0
        ratio = downsample / self._head.level_downsamples[level]
        todo = deque(_blocks((0, 0, width, height), max(1, int(_BLOCK_PX / ratio))))
        while todo:
            block, step = todo.popleft()
            left, top, right, bottom = block
            box = (left * ratio, top * ratio, right * ratio, bottom * ratio)
            part = np.s_[top:bottom, left:right]
            try:
                rgb[part], valid[part] = self._block(level, box, (right - left, bottom - top))
            except (*_READ_ERRORS, UnreadableFile):
                failures += 1
                if failures <= _MAX_FAILURES and step * ratio >= 2 * _LEAST_BLOCK_PX:
                    todo.extend(_blocks(block, step // 2))  # what is whole in it is still read
                else:
                    unreadable += (right - left) * (bottom - top)
        return Overview(rgb, valid, downsample, unreadable / (width * height))

    def _block(self, level: int, box: Box, size: tuple[int, int]) -> tuple[RgbArray, MaskArray]:
        frame = pixel_frame(box)
        handle = self._handle
        try:
            rgb, alpha = self._region(handle, level, frame)
        except _READ_ERRORS:
            self._replace(handle)
            with self._open() as own:
                rgb, alpha = self._region(own, level, frame)
        box = _shifted(box, frame)
        scanned = np.ones(size[::-1], np.bool_)
        if alpha is not None:
            scanned = np.asarray(sample(alpha, box, size)) >= 128
        return np.asarray(sample(rgb, box, size)), scanned


def _shifted(box: Box, frame: tuple[int, int, int, int]) -> Box:
    left, top = frame[:2]
    return box[0] - left, box[1] - top, box[2] - left, box[3] - top


def _mean_share(alpha: Image.Image, box: Box) -> float:
    return float(np.asarray(alpha.crop(pixel_frame(box))).mean() / 255)


def _blocks(area: Frame, step: int) -> Iterator[tuple[Frame, int]]:
    """Cut an area (left, top, right, bottom) into blocks of ``step`` a side, and pass that on."""
    left, top, right, bottom = area
    for y in range(top, bottom, step):
        for x in range(left, right, step):
            yield (x, y, min(x + step, right), min(y + step, bottom)), step
