"""Pixels of labelled pictures: decoded as they are, or cut into the squares a network sees.

The one place where training data become pixels. Boxes, scale, resizing and refusals are those of
classification, by its own code (``lungscan.opening.plan.plan_field``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungscan.errors import CaseError, UnreadableFile, UsageProblem
from lungscan.inputs import show
from lungscan.model.modality_names import DEFAULT
from lungscan.opening.plan import NetworkInput, plan_field
from lungscan.options import ClassifierOptions
from lungscan.reading import open_field
from lungscan.reading.field import FieldSource
from lungscan.types import InputFile, RgbArray, RgbBatch
from lungscan.workers import Workers

IndexArray = NDArray[np.int64]

_THREADS = 2
_AS_EVER = ""  # how a square taken whole is noted: training always prepared it so
_NO_TISSUE = "shows no tissue at the scale that it states"


def open_picture(path: Path, data: bytes | None = None) -> FieldSource:
    """Open a picture as classification does: upright, in 8-bit RGB.

    ``data`` is the content of the file, when the caller has it already.

    Raises:
        UnreadableFile: no picture, damaged, too large, or not readable.
    """
    return open_field(InputFile(path, path.name, "field"), data)


def read_rgb(path: Path) -> RgbArray:
    """Decode a picture that must be sound: (height, width, 3).

    Raises:
        UsageProblem: the picture cannot be decoded.
    """
    try:
        return open_picture(path).overview(1 << 30).rgb
    except UnreadableFile as error:
        raise UsageProblem(f"{show(path.parent.name)}/{error}") from error


@dataclass(frozen=True, slots=True)
class Look:
    """What the network sees: ``prepare.NetworkInput`` before there is a card."""

    patch_size_pixels: int
    spacing_um_px: float
    modality: str = DEFAULT
    window: tuple[float, float] | None = None


@dataclass(frozen=True)
class Cut:
    """The squares of one picture."""

    pixels: RgbBatch  # (k, size, size, 3)
    how: str  # which squares, in a text; "" for a square picture taken whole


def cut_picture(
    path: Path, look: NetworkInput, size_px: int | None = None, um_px: float | None = None
) -> Cut:
    """The squares of a picture that classification would show to the network.

    Args:
        path: the picture.
        look: the network's input, which decides on the squares.
        size_px: side of the result, if it is not that of the network's input.
        um_px: the picture's scale, µm per pixel, used if the file says none.

    Raises:
        CaseError: classification refuses the picture (unreadable, too small, too coarse), or it
            shows no tissue.
    """
    file = InputFile(path, path.name, kind="field", um_px=um_px)
    plan = plan_field(file, ClassifierOptions(), look, picture=False)
    try:
        boxes, info = plan.grid.boxes, plan.source.info
        if not len(boxes):
            raise UnreadableFile(f"{show(path.name)} {_NO_TISSUE}.")
        pixels = plan.source.read_tiles(boxes, size_px or plan.grid.size_px).rgb
    finally:
        plan.source.close()
    whole = boxes.tolist() == [[0, 0, info.width, info.height]] and plan.grid.mode == "whole"
    usual = whole and info.width == info.height
    return Cut(pixels, _AS_EVER if usual else f"{info.width} {info.height} {boxes.tolist()}")


@dataclass(frozen=True)
class Squares:
    """The squares of n pictures, one picture after another."""

    pixels: NDArray[np.uint8]  # (t, size, size, 3)
    counts: IndexArray  # (n,) squares of each picture, 1 or more
    how_sha256: str = ""  # over which squares were cut; "" where every picture is one whole square

    @property
    def size_px(self) -> int:
        """Side of the squares."""
        return int(self.pixels.shape[1])

    def taken(self, pictures: Sequence[int] | IndexArray) -> Squares:
        """The squares of some pictures alone, in their order."""
        return Squares(self.of(pictures), self.counts[pictures], self.how_sha256)

    def rows(self, pictures: Sequence[int] | IndexArray) -> IndexArray:
        """The squares of some pictures, in their order."""
        ends = np.cumsum(self.counts)
        parts = [np.arange(ends[i] - self.counts[i], ends[i]) for i in pictures]
        return np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)

    def of(self, pictures: Sequence[int] | IndexArray) -> NDArray[np.uint8]:
        """Their pixels."""
        return self.pixels[self.rows(pictures)]


def load_squares(
    paths: Sequence[Path], look: NetworkInput, size_px: int, um_px: Sequence[float | None] = ()
) -> tuple[Squares, Mapping[int, str]]:
    """Cut pictures into squares of ``size_px``; ``um_px`` are their scales, () when nobody knows.

    Returns the squares of those that classification takes, and by row why each other is left out.
    """
    scaled = list(zip(paths, um_px or [None] * len(paths), strict=True))
    with (
        Workers(_THREADS) as workers,
        workers.in_order(lambda one: _cut_or_why(*one, look, size_px), scaled) as found,
    ):
        cuts, left_out = [], {}
        for row, part in enumerate(found):
            if isinstance(part, str):
                left_out[row] = part
            else:
                cuts.append(part)
    return _joined(cuts, size_px), left_out


def _cut_or_why(path: Path, um_px: float | None, look: NetworkInput, size_px: int) -> Cut | str:
    try:
        return cut_picture(path, look, size_px, um_px)
    except CaseError as error:
        return str(error).removeprefix(show(path.name)).strip()


def _joined(cuts: list[Cut], size_px: int) -> Squares:
    counts = np.array([len(cut.pixels) for cut in cuts], np.int64)
    how = [cut.how for cut in cuts]
    pixels = np.empty((int(counts.sum()), size_px, size_px, 3), np.uint8)
    end = len(pixels)
    while cuts:  # each copy lets go of its source, or all would be in memory twice
        cut = cuts.pop()
        pixels[end - len(cut.pixels) : end] = cut.pixels
        end -= len(cut.pixels)
    digest = sha256("\n".join(how).encode()).hexdigest() if any(how) else ""
    return Squares(pixels, counts, digest)
