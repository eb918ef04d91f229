"""An opened series of CT slices, with the interface of every other opened image.

A series has no plane of its own in which tiles could lie, so its slices are laid out as squares, in
rows from the top left: slice i has its upper left corner at ``series_box``. Reading such a square
decodes one slice, whatever the number of slices.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import ceil, isqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lungscan.errors import CaseError, Code, UnreadableFile
from lungscan.inputs import require_readable, show
from lungscan.inputs.files import open_failure
from lungscan.reading.ct.codecs import register
from lungscan.reading.ct.headers import Slice, read_slices
from lungscan.reading.ct.stack import Stack, stack_of
from lungscan.reading.resize import sample
from lungscan.reading.source import TilePixels
from lungscan.types import (
    BoxArray,
    FileKind,
    InputFile,
    MppSource,
    Overview,
    RgbArray,
    RgbBatch,
    Scale,
    SeriesInfo,
    SourceInfo,
)

AIR_HU = -1000.0
LEAST_HU = -1024.0  # what lies outside of the scanner's field of view
LUNG_WINDOW = (-500.0, 1500.0)  # level and width, where no card says another
_MAX_IN_OVERVIEW = 100  # slices that are decoded for a picture of all
_EDGE = 8  # px at a slice's edge by which air is known
_TALL_UM = 1e5  # a pixel of more than 10 cm is none

HuArray = NDArray[np.float32]


def open_series(file: InputFile, window: tuple[float, float] = LUNG_WINDOW) -> SeriesSource:
    """Open a series; ``window`` is the level and width, in Hounsfield units, that grey stands for.

    Raises:
        UnreadableFile: no CT slices, or none that can be read; see ``headers.read_slices`` and
            ``stack.stack_of``.
    """
    slices: list[Slice] = []
    problems: list[CaseError] = []
    for path in file.parts or (file.path,):
        try:
            slices += read_slices(path)
        except CaseError as error:
            if error.code == Code.IO:
                raise
            problems.append(error)
    if not slices:
        raise problems[0]
    register()
    return SeriesSource(file, stack_of(slices, len(problems)), len(problems), window)


def series_box(index: int, columns: int, side_px: int) -> tuple[int, int, int, int]:
    """Where slice ``index`` (from 0) lies: x, y, width, height in level-0 pixels."""
    return index % columns * side_px, index // columns * side_px, side_px, side_px


class SeriesSource:
    """An open series. Slices are decoded when they are asked for, and not kept."""

    kind: FileKind = "series"

    def __init__(
        self, file: InputFile, stack: Stack, unreadable: int, window: tuple[float, float]
    ) -> None:
        self._file, self._stack, self._window = file, stack, window
        first = stack.slices[0]
        self._side = max(first.rows, first.columns)
        self.unreadable = unreadable / (unreadable + len(stack.slices))  # share of the files
        count = len(stack.slices)
        columns = isqrt(count - 1) + 1
        self._invert = self._shows_air_bright()
        series = SeriesInfo(
            count, columns, self._side, stack.positions_mm, stack.spacing_mm, window, stack.left_out
        )
        self._info = SourceInfo(
            columns * self._side,
            ceil(count / columns) * self._side,
            _scale_of(first),
            "dicom-ct",
            None,
            stack.flags,
            series=series,
        )

    @property
    def info(self) -> SourceInfo:
        """Size of all slices laid out, scale, and what is known of the series."""
        return self._info

    @property
    def series(self) -> SeriesInfo:
        """How many slices there are, and where they lie."""
        found = self._info.series
        if found is None:
            raise ValueError("a series knows its slices")
        return found

    @property
    def boxes(self) -> BoxArray:
        """Where each slice lies ``(n, 4)``, in order."""
        places = [
            series_box(index, self.series.columns, self._side)
            for index in range(self.series.slices)
        ]
        return np.array(places, np.int32)

    def close(self) -> None:
        """Nothing to let go of: files are open while a slice is decoded, and no longer."""

    def slice_picture(self, index: int) -> RgbArray:
        """Slice ``index`` (from 0) in its window, ``(side, side, 3)``.

        Raises:
            UnreadableFile: its pixels cannot be decoded (E_TILE), or the drive is away (E_IO).
        """
        grey = self._grey(self._stack.slices[index])
        rows, columns = grey.shape
        square = np.full((self._side, self._side), self._to_grey(np.float32(LEAST_HU)), np.uint8)
        top, left = (self._side - rows) // 2, (self._side - columns) // 2
        square[top : top + rows, left : left + columns] = grey
        return np.repeat(square[..., None], 3, axis=2)

    def read_tiles(self, boxes: BoxArray, size_px: int, into: RgbBatch | None = None) -> TilePixels:
        """See ``TileSource.read_tiles``. A box may show a part of a slice, or of several."""
        count = len(boxes)
        rgb = np.empty((count, size_px, size_px, 3), np.uint8) if into is None else into
        failed = np.zeros(count, np.bool_)
        for row, (x, y, width, height) in enumerate(boxes.tolist()):
            try:
                part = self._part((x, y, x + width, y + height), (size_px, size_px))
                rgb[row] = np.asarray(part)
            except UnreadableFile as error:
                if error.code != Code.TILE:
                    raise
                failed[row] = True
        return TilePixels(rgb, (~failed).astype(np.float32), failed)

    def overview(self, max_px: int = 2048) -> Overview:
        """All slices laid out. Of a long series only every so many are shown, the others dark."""
        info = self._info
        downsample = max(1.0, max(info.width, info.height) / max_px)
        size = ceil(info.width / downsample), ceil(info.height / downsample)
        step = ceil(self.series.slices / _MAX_IN_OVERVIEW)
        return self._overview((0, 0, *size), downsample, range(0, self.series.slices, step))

    def contact_sheet(self, count: int, max_px: int) -> Image.Image:
        """``count`` slices at most, evenly spread over the series, beside and below each other.

        One that cannot be decoded stays dark.
        """
        series = self.series
        chosen = np.unique(np.rint(np.linspace(0, series.slices - 1, count)).astype(int)).tolist()
        columns = min(len(chosen), ceil((len(chosen) * 1.5) ** 0.5))
        side = min(max_px // columns, self._side)
        sheet = Image.new("RGB", (columns * side, ceil(len(chosen) / columns) * side))
        for place, index in enumerate(chosen):
            x, y, _, _ = series_box(place, columns, side)
            whole = (0, 0, self._side, self._side)
            sheet.paste(self._shown(index, whole, (side, side), gently=True), (x, y))
        return sheet

    def handy_downsample(self, wanted: float) -> float:
        """See ``ImageSource.handy_downsample``; a slice is decoded whole for any."""
        return max(1.0, wanted)

    def view(self, frame: tuple[int, int, int, int], downsample: float) -> Overview:
        """See ``ImageSource.view``."""
        return self._overview(frame, downsample, range(self.series.slices))

    def _overview(
        self, frame: tuple[int, int, int, int], downsample: float, shown: Sequence[int]
    ) -> Overview:
        left, top, right, bottom = frame
        box = (left * downsample, top * downsample, right * downsample, bottom * downsample)
        picture = self._part(box, (right - left, bottom - top), frozenset(shown), gently=True)
        rgb = np.asarray(picture)
        return Overview(rgb, np.ones(rgb.shape[:2], np.bool_), downsample, self.unreadable)

    def _part(
        self,
        box: tuple[float, float, float, float],
        size: tuple[int, int],
        shown: frozenset[int] | None = None,
        *,
        gently: bool = False,
    ) -> Image.Image:
        """What lies in ``box`` (left, top, right, bottom), scaled to ``size``.

        Args:
            shown: the slices that may be decoded; None: all.
            gently: a slice that cannot be decoded stays dark.
        """
        across, down = size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1])
        canvas = Image.new("RGB", size)
        side, columns = self._side, self.series.columns
        for index in self._touched(box):
            if shown is not None and index not in shown:
                continue
            x, y, _, _ = series_box(index, columns, side)
            inner = (max(box[0], x), max(box[1], y), min(box[2], x + side), min(box[3], y + side))
            place = [
                round((inner[0] - box[0]) * across), round((inner[1] - box[1]) * down),
                round((inner[2] - box[0]) * across), round((inner[3] - box[1]) * down),
            ]  # fmt: skip
            target = place[2] - place[0], place[3] - place[1]
            if min(target) < 1:
                continue
            own = (inner[0] - x, inner[1] - y, inner[2] - x, inner[3] - y)
            canvas.paste(self._shown(index, own, target, gently=gently), (place[0], place[1]))
        return canvas

    def _touched(self, box: tuple[float, float, float, float]) -> list[int]:
        """Slices that a box meets."""
        series, side = self.series, self._side
        first, last = max(0, int(box[0] // side)), min(series.columns, ceil(box[2] / side))
        top, bottom = max(0, int(box[1] // side)), ceil(box[3] / side)
        found = [
            row * series.columns + col for row in range(top, bottom) for col in range(first, last)
        ]
        return [index for index in found if index < series.slices]

    def _shown(
        self,
        index: int,
        box: tuple[float, float, float, float],
        size: tuple[int, int],
        *,
        gently: bool = False,
    ) -> Image.Image:
        try:
            return sample(Image.fromarray(self.slice_picture(index)), box, size)
        except UnreadableFile as error:
            if gently and error.code == Code.TILE:
                return Image.new("RGB", size)
            raise

    def _shows_air_bright(self) -> bool:
        """Whether the values of MONOCHROME1 slices run the other way round.

        The photometric interpretation tells how to show values, and says nothing of what they mean:
        rescaled they should be Hounsfield units all the same. Some writers invert them, too. Air
        around the body decides: it is near -1,000 and the lowest of all.
        """
        middle = self._stack.slices[len(self._stack.slices) // 2]
        if not middle.inverted:
            return False
        try:
            plain, turned = (self._hounsfield(middle, inverted=way) for way in (False, True))
        except UnreadableFile:
            return False
        return _edge_from_air(turned) < _edge_from_air(plain)

    def _grey(self, one: Slice) -> NDArray[np.uint8]:
        return self._to_grey(self._hounsfield(one, inverted=self._invert and one.inverted))

    def _to_grey(self, hounsfield: HuArray | np.float32) -> NDArray[np.uint8]:
        level, width = self._window
        share = (hounsfield - np.float32(level - width / 2)) * np.float32(255 / width)
        grey: NDArray[np.uint8] = np.rint(np.clip(share, 0, 255)).astype(np.uint8)
        return grey

    def _hounsfield(self, one: Slice, *, inverted: bool) -> HuArray:
        """Hounsfield units ``(rows, columns)`` of a slice."""
        stored = self._stored(one)
        values = one.mirror - stored if inverted else stored
        hounsfield: HuArray = values.astype(np.float32) * np.float32(one.slope) + np.float32(
            one.intercept
        )
        if one.padding is not None:
            hounsfield[stored == one.padding] = LEAST_HU
        return np.maximum(hounsfield, np.float32(LEAST_HU))

    def _stored(self, one: Slice) -> NDArray[np.int32]:
        """The values as the file holds them ``(rows, columns)``."""
        from pydicom import dcmread
        from pydicom.pixels.utils import pixel_array

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                source = dcmread(one.path) if one.deflated else one.path
                pixels = pixel_array(source, index=one.frame if one.frame is not None else 0)
        except OSError as error:
            raise open_failure(one.path.name, error) from error
        except Exception as error:  # decoders let a dozen kinds out
            require_readable(InputFile(one.path, one.path.name, "series"))
            raise _undecoded(one.path) from error
        if pixels.shape != (one.rows, one.columns):
            raise _undecoded(one.path)
        return pixels.astype(np.int32)


def _undecoded(path: Path) -> UnreadableFile:
    return UnreadableFile(
        f"The pixels of {show(path.name)} cannot be decoded: they are damaged, cut short or packed "
        "in a way that is not known here. Copy or export the series again.",
        code=Code.TILE,
    )


def _edge_from_air(hounsfield: HuArray) -> float:
    """How far the edge of a slice is from air, in Hounsfield units."""
    edge = np.concatenate([hounsfield[:_EDGE].ravel(), hounsfield[-_EDGE:].ravel()])
    return abs(float(np.median(edge)) - AIR_HU)


def _scale_of(one: Slice) -> Scale:
    if one.spacing_mm is None:
        return Scale(None, MppSource.UNKNOWN)
    down, across = (1000 * value for value in one.spacing_mm)
    if not 0 < max(down, across) < _TALL_UM:
        return Scale(None, MppSource.UNKNOWN)
    mean = (down * across) ** 0.5
    pair = None if abs(down - across) < 1e-6 * mean else (across, down)
    return Scale(mean, MppSource.FILE, (), pair)
