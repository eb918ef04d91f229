"""Whole slides: straight from a TIFF's tiles where that has proved right, else by OpenSlide."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from lungscan.errors import Code, UnreadableFile
from lungscan.inputs import require_readable, show
from lungscan.inputs.files import open_failure
from lungscan.reading.resize import pixel_frame, sample, shifted
from lungscan.reading.slides.choose_native import open_native
from lungscan.reading.slides.deep_slide import open_deep
from lungscan.reading.slides.native import AlphaArray, Frame, NativeReader
from lungscan.reading.slides.openslide_reader import READ_ERRORS, OpenSlideReader
from lungscan.reading.slides.overview import make_overview
from lungscan.reading.slides.runs import Cut, Run, best_level, handy_downsample, plan_runs
from lungscan.reading.slides.tile_codecs import DamagedTile
from lungscan.reading.source import TilePixels
from lungscan.types import BoxArray, FileKind, InputFile, Overview, RgbArray, RgbBatch, SourceInfo


def open_slide(file: InputFile, mpp: float | None) -> SlideSource:
    """Open a slide; ``mpp`` is the user's µm per level-0 pixel, used if the slide says none.

    Raises:
        UnreadableFile: see ``open_handle``.
        NoScale: the slide's scale is unknown or absurd.
    """
    return SlideSource(file, mpp)


class SlideSource:
    """An open slide. All threads share its readers.

    ``native`` may be False to have OpenSlide read everything, for comparison.
    """

    kind: FileKind = "slide"

    def __init__(self, file: InputFile, mpp: float | None, *, native: bool = True) -> None:
        self._file = file
        self._openslide = OpenSlideReader(file, mpp)
        self._head = self._openslide.head
        self._info = self._head.info
        self.native: NativeReader | None = None
        if native:
            self._use_native()

    @property
    def info(self) -> SourceInfo:
        """Size, scale, vendor and objective; nothing else of the metadata is ever read.

        The flag ``read_by_openslide`` says that the native reader saw other pixels.
        """
        return self._info

    @property
    def native_levels(self) -> tuple[int, ...]:
        """Levels that are read natively; the benchmark tells them apart."""
        levels = range(len(self._head.level_downsamples))
        return tuple(level for level in levels if self._native_for(level))

    def close(self) -> None:
        """Close the file. Call it when no thread reads any more."""
        if self.native is not None:
            self.native.close()
        self._openslide.close()

    def read_tiles(self, boxes: BoxArray, size_px: int, into: RgbBatch | None = None) -> TilePixels:
        """See ``TileSource.read_tiles``."""
        count = len(boxes)
        rgb = np.empty((count, size_px, size_px, 3), np.uint8) if into is None else into
        out = TilePixels(rgb, np.zeros(count, np.float32), np.zeros(count, np.bool_))
        try:
            for run in plan_runs(boxes, size_px, self._head.level_downsamples):
                native = self._native_for(run.level)
                if native is None:
                    self._read_by_openslide(run, out)
                else:
                    _read_natively(native, run, out)
        except OSError as error:
            raise open_failure(self._file.path.name, error) from error
        if out.failed.any():
            require_readable(self._file)  # OpenSlide does not tell damage from a lost drive
        return out

    def overview(self, max_px: int = 2048) -> Overview:
        """Make a small picture from the main pyramid, never from the label or macro picture.

        Where a level is damaged the next finer one is tried, so that tissue is not missed.

        Raises:
            UnreadableFile: nothing of the picture can be read, or the drive is away.
        """
        downsample = max(1.0, max(self.info.width, self.info.height) / max_px)
        level = best_level(self._head.level_downsamples, downsample)
        best = self._overview_from(level, downsample)
        if best.unreadable and level:
            finer = self._overview_from(level - 1, downsample)
            best = min(best, finer, key=lambda overview: overview.unreadable)
        if best.unreadable:
            require_readable(self._file)
        if best.unreadable == 1:
            raise UnreadableFile(
                f"{show(self._file.path.name)} opens, but none of its pixels can be read; it "
                "probably ends early. Copy it again from its source.",
                code=Code.FORMAT,
            )
        return best

    def overview_pixels(self, max_px: int) -> int:
        """How many pixels the level has that ``overview`` is made from."""
        downsample = max(1.0, max(self.info.width, self.info.height) / max_px)
        downsamples = self._head.level_downsamples
        level = best_level(downsamples, downsample)
        return round(self.info.width * self.info.height / downsamples[level] ** 2)

    def handy_downsample(self, wanted: float) -> float:
        """See ``ImageSource.handy_downsample``."""
        return handy_downsample(self._head.level_downsamples, wanted)

    def view(self, frame: Frame, downsample: float) -> Overview:
        """See ``ImageSource.view``."""
        level = best_level(self._head.level_downsamples, downsample)
        part = self._overview_from(level, downsample, frame)
        if part.unreadable:
            require_readable(self._file)
        return part

    def _use_native(self) -> None:
        try:
            deep = open_deep(self._file, self._head)
            self.native, flags = deep or open_native(self._file, self._head, self._openslide.open)
        except BaseException:  # whatever it is, the file must not stay open
            self._openslide.close()
            raise
        self._info = replace(self._info, flags=self._info.flags + flags)

    def _native_for(self, level: int) -> NativeReader | None:
        native = self.native
        return native if native is not None and native.knows(level) else None

    def _overview_from(self, level: int, downsample: float, frame: Frame | None = None) -> Overview:
        region, of_level = partial(self._region, level), self._head.level_downsamples[level]
        return make_overview(self._head, region, of_level, downsample, frame)

    def _region(self, level: int, frame: Frame) -> tuple[RgbArray, AlphaArray | None]:
        native = self._native_for(level)
        if native is not None:
            return native.region(level, frame)
        try:
            return self._openslide.region(level, frame)
        except READ_ERRORS:
            return self._openslide.region_alone(level, frame)

    def _read_by_openslide(self, run: Run, out: TilePixels) -> None:
        try:
            pixels = self._openslide.region(run.level, run.frame)
        except READ_ERRORS:
            self._read_one_by_one(run, out)
        else:
            for cut in run.cuts:
                _write(out, cut, run.frame, *pixels)

    def _read_one_by_one(self, run: Run, out: TilePixels) -> None:
        """Find out which tiles of a run are truly damaged."""
        for cut in run.cuts:
            frame = pixel_frame(cut.box)
            try:
                _write(out, cut, frame, *self._openslide.region_alone(run.level, frame))
            except READ_ERRORS:
                _fail(out, cut.row)


def _read_natively(native: NativeReader, run: Run, out: TilePixels) -> None:
    """Raises OSError: the disk does not hand out the file."""
    size_px = out.rgb.shape[1]
    for cut in run.cuts:
        frame = pixel_frame(cut.box)
        whole = all(float(edge).is_integer() for edge in cut.box)
        try:
            if whole and (frame[2] - frame[0], frame[3] - frame[1]) == (size_px, size_px):
                _, alpha = native.region(run.level, frame, out.rgb[cut.row])
                out.valid[cut.row] = _share(alpha)
            else:
                _write(out, cut, frame, *native.region(run.level, frame))
        except DamagedTile:
            _fail(out, cut.row)


def _write(
    out: TilePixels, cut: Cut, frame: Frame, rgb: RgbArray, alpha: AlphaArray | None
) -> None:
    """Cut one tile out of the pixels of ``frame``."""
    size_px = out.rgb.shape[1]
    box = shifted(cut.box, frame)
    out.rgb[cut.row] = np.asarray(sample(Image.fromarray(rgb), box, (size_px, size_px)))
    left, top, right, bottom = pixel_frame(box)
    out.valid[cut.row] = _share(None if alpha is None else alpha[top:bottom, left:right])


def _share(alpha: AlphaArray | None) -> float:
    return 1.0 if alpha is None else float(alpha.mean() / 255)


def _fail(out: TilePixels, row: int) -> None:
    out.rgb[row] = 0
    out.valid[row] = 0
    out.failed[row] = True
