"""What every opened image offers, whatever it was opened with."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lungscan.types import BoxArray, FileKind, FloatArray, Overview, RgbBatch, SourceInfo


class TilePixels(NamedTuple):
    """The pixels of n tiles. Rows where ``failed`` is set hold nothing and must be dropped."""

    rgb: RgbBatch  # (n, size, size, 3); unscanned pixels bear the background colour
    valid: FloatArray  # (n,) share of each tile that was scanned, 0 to 1
    failed: NDArray[np.bool_]  # (n,) could not be read, not even after reopening the file


class TileSource(Protocol):
    """An opened image whose tiles can be read, from several threads at once."""

    @property
    def kind(self) -> FileKind:
        """What the content is; for a TIFF only opening tells."""

    @property
    def info(self) -> SourceInfo:
        """Size, scale and other harmless metadata."""

    def read_tiles(self, boxes: BoxArray, size_px: int, into: RgbBatch | None = None) -> TilePixels:
        """Read ``boxes`` ((n, 4), level-0 pixels), each scaled to ``size_px`` squared.

        ``into`` (n, size, size, 3) is filled and returned instead of a new array, if given.

        Boxes that lie in one row and touch are read together, so pass them row by row. Never
        raises for damaged pixels: see ``TilePixels.failed``.

        Raises:
            UnreadableFile: the drive does not hand out the file any more (E_IO).
        """

    def close(self) -> None:
        """Let go of the file. Call it when no thread reads any more."""


@runtime_checkable
class Lender(Protocol):
    """A source whose tiles lie in memory that it keeps, and can be used there without a copy."""

    def lend_tiles(self, boxes: BoxArray, size_px: int) -> AbstractContextManager[TilePixels]:
        """As ``TileSource.read_tiles``; the pixels are valid inside the block only."""


def lend_tiles(
    source: TileSource, boxes: BoxArray, size_px: int
) -> AbstractContextManager[TilePixels]:
    """The tiles of any source, for use inside the block only; not copied where that can be."""
    if isinstance(source, Lender):
        return source.lend_tiles(boxes, size_px)
    return nullcontext(source.read_tiles(boxes, size_px))


class ImageSource(TileSource, Protocol):
    """An opened image that can be looked at as a whole, too."""

    def overview(self, max_px: int = 2048) -> Overview:
        """Make a small picture of the whole image, its longest side at most ``max_px``."""

    def handy_downsample(self, wanted: float) -> float:
        """A downsample near ``wanted`` (level-0 pixels per pixel) that costs little to view."""

    def view(self, frame: tuple[int, int, int, int], downsample: float) -> Overview:
        """Show a part of the image: left, top, right, bottom in pixels of ``downsample``.

        Raises:
            UnreadableFile: the drive does not hand out the file any more (E_IO).
        """
