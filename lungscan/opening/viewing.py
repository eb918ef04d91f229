"""An image opened to be shown to a person: nothing is hashed, no tissue looked for, no model asked.

It lives in a reader process of its own, so that a file that crashes a library costs a message.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from lungscan.errors import Code, UnreadableFile
from lungscan.inputs import discover
from lungscan.inputs.parts import PartFinder
from lungscan.opening.launch import Launched
from lungscan.opening.messages import LOOK_PX, Look, Looked, Recolour
from lungscan.opening.process import ReaderProcess
from lungscan.reading import TilePixels
from lungscan.reading.ct.series import series_box
from lungscan.types import BoxArray, InputFile, Overview, RgbArray, SourceInfo

VIEW_PX = 512  # side of the tiles that are read
PATIENCE_S = 30.0  # for one answer; then the file or its drive is given up
OVERVIEW_S = 240.0  # for an overview from a level of full size


class ViewedImage:
    """An open image. ``read`` may be called by as many threads as were asked for."""

    def __init__(
        self,
        path: Path,
        mpp: float | None = None,
        threads: int = 2,
        launched: Launched | None = None,
        *,
        file: InputFile | None = None,
        tile_px: int = VIEW_PX,
        soon: bool = False,
    ) -> None:
        """Open it.

        Args:
            mpp: the user's µm per level-0 pixel, used if the file says none.
            threads: how many may read at once.
            launched: a process that was started beforehand.
            file: the image, if it has been found already; then its folder is not looked at here.

        ``tile_px`` is the side of what ``read`` returns. With ``soon`` an overview that takes
        long, as of a slide without small levels, is made when it is first asked for.

        Raises:
            LungScanError: it is no image that LungScan reads, or reading it crashed or hung.
        """
        file = file or input_file(path)
        self.process = ReaderProcess(None, threads, launched, size_px=tile_px)
        try:
            looked: Looked = self.process.call(Look(file, mpp, soon), PATIENCE_S)
        except BaseException:
            self.process.close()
            raise
        self._handle, self._tile_px = looked.handle, tile_px
        self.path, self.kind = path, looked.kind
        self.info: SourceInfo = looked.info  # the scale may be unknown
        self._overview = looked.overview
        self._making = threading.Lock()
        self.profile = looked.profile  # name of its colour profile; "" where it changes nothing

    @property
    def is_overview_made(self) -> bool:
        """Whether ``overview`` comes at once."""
        return self._overview is not None

    @property
    def overview_downsample(self) -> float:
        """Level-0 pixels per pixel of ``overview``, made or not."""
        if self._overview is not None:
            return self._overview.downsample
        return max(1.0, max(self.info.width, self.info.height) / LOOK_PX)

    @property
    def overview(self) -> Overview:
        """The whole image, longest side about 1,024 px. Raises as ``read`` where it is made now."""
        with self._making:
            if self._overview is None:
                made: Overview = self.process.call(Recolour(self._handle, False), OVERVIEW_S)
                self._overview = made
            return self._overview

    def use_profile(self, on: bool) -> Overview:
        """Show the colours that the profile means, or the stored ones; tiles follow.

        Only for an image that has a ``profile``. Raises as ``read``.
        """
        overview: Overview = self.process.call(Recolour(self._handle, on), PATIENCE_S)
        self._overview = overview
        return overview

    def read(self, boxes: BoxArray) -> TilePixels:
        """Tiles ((n, 4), level-0 pixels), each scaled to ``tile_px`` squared.

        Raises:
            UnreadableFile: the drive does not hand out the file, or reading it crashed or hung;
                nothing more can be read then.
        """
        return self.process.read_tiles(self._handle, boxes, self._tile_px, PATIENCE_S)

    @property
    def slices(self) -> int:
        """How many slices there are to be scrolled through; 0 of anything but a series."""
        return self.info.series.slices if self.info.series else 0

    def slice_picture(self, index: int) -> RgbArray:
        """Slice ``index`` (from 0, upwards along the normal), ``VIEW_PX`` squared.

        Raises:
            IndexError: there is no such slice.
            UnreadableFile: as ``read``, or its pixels cannot be decoded (E_TILE).
        """
        series = self.info.series
        if series is None or not 0 <= index < series.slices:
            raise IndexError(f"there is no slice {index}")
        found = self.read(np.array([series_box(index, series.columns, series.side_px)], np.int32))
        if found.failed[0]:
            raise UnreadableFile(f"Slice {index + 1} cannot be decoded.", code=Code.TILE)
        picture: RgbArray = found.rgb[0]
        return picture

    def close(self) -> None:
        """Let go of the file; whoever reads gets an error."""
        self.process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def input_file(path: Path) -> InputFile:
    """The file as a run would find it, with all parts of a slide that has several."""
    found = discover((path,))
    for case in found.cases:
        for file in case.files:
            if file.kind == "series":  # whoever names one slice wants to scroll to the others
                return replace(file, parts=PartFinder().parts_of(path))
            return file
    return InputFile(path, path.name, "field")  # opening it says what is wrong
