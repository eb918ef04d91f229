"""Readers that ask again when the drive does not hand out a file: a share may come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from lungscan.errors import CaseError, UnreadableFile
from lungscan.prepare import Plan
from lungscan.readers.base import OpenedField, Readers
from lungscan.reading import TilePixels
from lungscan.reading.source import TileSource, lend_tiles
from lungscan.types import BoxArray, FileKind, InputFile, RgbBatch, SourceInfo

AWAY = "E_IO"  # the disk failed, not the file
PAUSES_S = (0.5, 1.0, 2.0)  # between one attempt and the next

T = TypeVar("T")


def patiently(ask: Callable[[], T]) -> T:
    """What ``ask`` gives, asked again after each pause while the drive is away.

    Raises:
        CaseError: as ``ask``, at once when it is not the drive, else after the last pause.
    """
    for pause in PAUSES_S:
        try:
            return ask()
        except UnreadableFile as error:
            if error.code != AWAY:
                raise
        time.sleep(pause)
    return ask()


@dataclass(frozen=True)
class PatientReaders:
    """``Readers`` that wait for the drive of others. Their sources are patient, too."""

    readers: Readers

    def begin(self, file: InputFile) -> None:
        """See ``Readers.begin``."""
        self.readers.begin(file)

    def plan(self, file: InputFile, *, picture: bool, digest: str | None = None) -> Plan:
        """See ``Readers.plan``."""
        planned = patiently(lambda: self.readers.plan(file, picture=picture, digest=digest))
        return replace(planned, source=PatientSource(planned.source))

    def fields(self, files: Sequence[InputFile], *, picture: bool) -> list[OpenedField | CaseError]:
        """See ``Readers.fields``. All that the drive withholds are waited for together."""
        opened = self.readers.fields(files, picture=picture)
        for pause in PAUSES_S:
            late = [index for index, item in enumerate(opened) if _is_withheld(item)]
            if not late:
                break
            time.sleep(pause)
            again = self.readers.fields([files[index] for index in late], picture=picture)
            for index, item in zip(late, again, strict=True):
                opened[index] = item
        return opened

    def are_slides(self, files: Sequence[InputFile]) -> tuple[bool, ...]:
        """See ``Readers.are_slides``."""
        return self.readers.are_slides(files)


@dataclass(frozen=True)
class PatientSource:
    """An opened image whose tiles are asked for again when the drive was away."""

    source: TileSource

    @property
    def kind(self) -> FileKind:
        """What the content is."""
        return self.source.kind

    @property
    def info(self) -> SourceInfo:
        """Size, scale and other harmless metadata."""
        return self.source.info

    def read_tiles(self, boxes: BoxArray, size_px: int, into: RgbBatch | None = None) -> TilePixels:
        """See ``TileSource.read_tiles``."""
        return patiently(lambda: self.source.read_tiles(boxes, size_px, into))

    @contextmanager
    def lend_tiles(self, boxes: BoxArray, size_px: int) -> Iterator[TilePixels]:
        """See ``Lender.lend_tiles``."""
        with ExitStack() as stack:
            yield patiently(lambda: stack.enter_context(lend_tiles(self.source, boxes, size_px)))

    def close(self) -> None:
        """Let go of the file."""
        self.source.close()


def _is_withheld(item: OpenedField | CaseError) -> bool:
    return isinstance(item, CaseError) and item.code == AWAY
