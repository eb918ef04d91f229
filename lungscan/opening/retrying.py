"""Readers that ask again when the drive does not hand out a file: a share may come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TypeVar

from lungscan.errors import CaseError, Code, UnreadableFile
from lungscan.opening.opener import OpenedField, Readers
from lungscan.opening.plan import Plan
from lungscan.reading import TilePixels
from lungscan.reading.source import TileSource, lend_tiles
from lungscan.types import BoxArray, FileKind, InputFile, RgbBatch, SourceInfo

AWAY = Code.IO  # the disk failed, not the file
PAUSES_S = (0.5, 1.0, 2.0)  # between one attempt and the next

T = TypeVar("T")


def patiently(ask: Callable[[], T], ending: Event) -> T:
    """What ``ask`` gives, asked again after each pause while the drive is away.

    Raises:
        CaseError: as ``ask``, at once when it is not the drive or the run is ``ending``, else
            after the last pause.
    """
    for pause in PAUSES_S:
        try:
            return ask()
        except UnreadableFile as error:
            if error.code != AWAY or wait(pause, ending):
                raise
    return ask()


def wait(seconds: float, ending: Event) -> bool:
    """Pause, but no longer than the run goes on. Whether it ended."""
    return ending.wait(seconds)


@dataclass(frozen=True)
class PatientReaders:
    """``Readers`` that wait for the drive of others. Their sources are patient, too."""

    readers: Readers
    ending: Event = field(default_factory=Event)  # set it to end all pauses

    def begin(self, file: InputFile) -> None:
        """See ``Readers.begin``."""
        self.readers.begin(file)

    def stop(self) -> None:
        """See ``Readers.stop``."""
        self.ending.set()
        self.readers.stop()

    def plan(self, file: InputFile, *, picture: bool, digest: str | None = None) -> Plan:
        """See ``Readers.plan``."""
        planned = patiently(
            lambda: self.readers.plan(file, picture=picture, digest=digest), self.ending
        )
        return replace(planned, source=PatientSource(planned.source, self.ending))

    def fields(self, files: Sequence[InputFile], *, picture: bool) -> list[OpenedField | CaseError]:
        """See ``Readers.fields``. All that the drive withholds are waited for together."""
        opened = self.readers.fields(files, picture=picture)
        for pause in PAUSES_S:
            late = [index for index, item in enumerate(opened) if _is_withheld(item)]
            if not late or wait(pause, self.ending):
                break
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
    ending: Event

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
        return patiently(lambda: self.source.read_tiles(boxes, size_px, into), self.ending)

    @contextmanager
    def lend_tiles(self, boxes: BoxArray, size_px: int) -> Iterator[TilePixels]:
        """See ``Lender.lend_tiles``."""
        with ExitStack() as stack:
            yield patiently(
                lambda: stack.enter_context(lend_tiles(self.source, boxes, size_px)), self.ending
            )

    def close(self) -> None:
        """Let go of the file."""
        self.source.close()


def _is_withheld(item: OpenedField | CaseError) -> bool:
    return isinstance(item, CaseError) and item.code == AWAY
