"""Reader processes, each lent to one file or one handful of fields at a time.

So a crash names its file, and costs no other. Processes are kept and lent again: starting one takes
some tenths of a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from typing import TypeVar

from lungscan.errors import CaseError, Code, UnreadableFile
from lungscan.inputs import look
from lungscan.opening.launch import Launched
from lungscan.opening.messages import (
    AreSlides,
    Close,
    FieldAnswer,
    PlanFields,
    PlanFile,
    Planned,
    Setup,
)
from lungscan.opening.opener import OpenedField
from lungscan.opening.plan import Plan
from lungscan.opening.process import ReaderProcess
from lungscan.opening.shared_memory import SLOT_TILES
from lungscan.reading import TilePixels
from lungscan.types import BoxArray, FileKind, InputFile, RgbBatch, SourceInfo

DEADLY = {Code.CRASH, Code.MEMORY}  # may be the work of an earlier file, or of neighbours
SLOWEST_DRIVE = 4e6  # bytes per second at which hashing a file still counts as going on

T = TypeVar("T")


class ReaderPool:
    """``Readers`` in child processes."""

    def __init__(self, setup: Setup, threads: int, launched: Launched | None = None) -> None:
        self._setup, self._threads = setup, threads
        self._patience_s = setup.options.timeout
        self.idle: list[ReaderProcess] = []
        self.processes: list[ReaderProcess] = []
        self._lock = threading.Lock()
        self._closed = False
        self._beside = ThreadPoolExecutor(1, "planning")
        self.begun: dict[InputFile, Future[Plan]] = {}
        self.give_back(self.start_process(launched))  # one is ready when the network is loaded

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            everyone, self.processes, self.idle = self.processes, [], []
        for process in everyone:
            process.close()
        self._beside.shutdown()

    def stop(self) -> None:
        """See ``Readers.stop``. ``close`` is still to be called: their memory may be in use."""
        with self._lock:
            self._closed = True
            everyone = list(self.processes)
        for process in everyone:
            process.stop()

    def begin(self, file: InputFile) -> None:
        """See ``Readers.begin``."""
        self.begun[file] = self._beside.submit(self._plan_file, file, True, None)

    def plan(self, file: InputFile, *, picture: bool, digest: str | None = None) -> Plan:
        """See ``Readers.plan``."""
        begun = self.begun.pop(file, None) if picture else None
        return begun.result() if begun else self._plan_file(file, picture, digest)

    def _plan_file(self, file: InputFile, picture: bool, digest: str | None) -> Plan:
        before = look(file)
        try:
            planned = self._plan_in(self._lend(), file, picture, digest)
        except UnreadableFile as error:
            if error.code not in DEADLY:
                raise
            # Was it the file before? A process of its own will tell.
            planned = self._plan_in(self.start_process(), file, picture, digest)
        return replace(planned, before=before)

    def _plan_in(
        self, process: ReaderProcess, file: InputFile, picture: bool, digest: str | None
    ) -> Plan:
        try:
            job = PlanFile(file, picture, digest)
            planned: Planned = process.call(job, self._time_to_open((file,)))
        except BaseException as error:
            _retire_if_short_of_memory(process, error)
            self.give_back(process)
            raise
        return self._plan(file, planned, Lease(self, process, 1))

    def fields(self, files: Sequence[InputFile], *, picture: bool) -> list[OpenedField | CaseError]:
        """See ``Readers.fields``."""
        try:
            opened = self._fields_in(self._lend(), files, picture)
        except UnreadableFile as error:
            opened = [error] * len(files)  # one of them ended the process
        alone = len(files) == 1
        again = DEADLY if alone else DEADLY | {Code.TIMEOUT}
        processes = (self.start_process,) if alone else (self._lend, self.start_process)
        return [
            self._alone(file, picture, processes)
            if isinstance(item, CaseError) and item.code in again
            else item
            for file, item in zip(files, opened, strict=True)
        ]

    def _alone(
        self, file: InputFile, picture: bool, processes: Sequence[Callable[[], ReaderProcess]]
    ) -> OpenedField | CaseError:
        """Open one field, in the end in a new process, where no other can have done harm."""
        opened: OpenedField | CaseError
        for process in processes:
            try:
                (opened,) = self._fields_in(process(), [file], picture)
            except UnreadableFile as error:
                opened = error
            if not (isinstance(opened, CaseError) and opened.code in DEADLY):
                break
        return opened

    def are_slides(self, files: Sequence[InputFile]) -> tuple[bool, ...]:
        """See ``Readers.are_slides``."""
        process = self._lend()
        try:
            found: tuple[bool, ...] = process.call(AreSlides(tuple(files)), self._patience_s)
        except UnreadableFile:
            if len(files) == 1:
                return (False,)  # opening it will say what is wrong
            return tuple(slide for file in files for slide in self.are_slides([file]))
        else:
            return found
        finally:
            self.give_back(process)

    def give_back(self, process: ReaderProcess) -> None:
        """Keep a process for the next file, or bury it."""
        with self._lock:
            known = process in self.processes
            if known and process.alive:
                self.idle.append(process)
                return
            if known:
                self.processes.remove(process)
        if known:
            process.close()

    def _lend(self) -> ReaderProcess:
        with self._lock:
            while self.idle:
                process = self.idle.pop()
                if process.alive:
                    return process
                self.processes.remove(process)
                process.close()
        return self.start_process()

    def start_process(self, launched: Launched | None = None) -> ReaderProcess:
        """A new process of this pool. Raises UnreadableFile once the run has ended."""
        process = ReaderProcess(self._setup, self._threads, launched)
        with self._lock:
            if not self._closed:
                self.processes.append(process)
                return process
        process.close()
        raise UnreadableFile("The run has ended.", code=Code.CLOSED)

    def _fields_in(
        self, process: ReaderProcess, files: Sequence[InputFile], picture: bool
    ) -> list[OpenedField | CaseError]:
        slot = process.take_slot()
        try:
            job = PlanFields(tuple(files), picture, slot)
            answers: list[FieldAnswer] = process.call(job, self._time_to_open(files))
            pixels = [
                None
                if isinstance(answer, CaseError) or answer.read is None
                else process.pixels(slot, answer.read)
                for answer in answers
            ]
        except BaseException:
            self.give_back(process)
            raise
        finally:
            process.give_slot(slot)
        for answer in answers:
            _retire_if_short_of_memory(process, answer)
        lease = Lease(self, process, sum(map(_stays_open, answers)))
        return [
            answer
            if isinstance(answer, CaseError)
            else OpenedField(self._plan(file, answer.planned, lease), tiles)
            for file, answer, tiles in zip(files, answers, pixels, strict=True)
        ]

    def _plan(self, file: InputFile, planned: Planned, lease: Lease) -> Plan:
        source = RemoteSource(planned, lease, self._patience_s)
        return Plan(file, source, planned.grid, planned.result, planned.unreadable)

    def _time_to_open(self, files: Sequence[InputFile]) -> float:
        """Seconds after which opening counts as hanging; hashing a large file takes its time."""
        return self._patience_s + sum(file.bytes_found for file in files) / SLOWEST_DRIVE


def _stays_open(answer: FieldAnswer) -> bool:
    return not isinstance(answer, CaseError) and answer.planned.handle is not None


def _retire_if_short_of_memory(process: ReaderProcess, outcome: object) -> None:
    """What a file took may not come back, and the next file must not suffer for it."""
    if isinstance(outcome, CaseError) and outcome.code == Code.MEMORY:
        process.retire()


class Lease:
    """A process that serves some opened files; it goes back with the last of them."""

    def __init__(self, pool: ReaderPool, process: ReaderProcess, files: int) -> None:
        self.process = process
        self._pool, self._files, self._lock = pool, files, threading.Lock()
        if files == 0:
            pool.give_back(process)

    def close(self) -> None:
        """One of the files is closed."""
        with self._lock:
            self._files -= 1
            last = self._files == 0
        if last:
            self._pool.give_back(self.process)


class RemoteSource:
    """An image that is open in a reader process."""

    def __init__(self, planned: Planned, lease: Lease, patience_s: float) -> None:
        self._planned, self._lease, self._patience_s = planned, lease, patience_s
        self._closed = False

    @property
    def kind(self) -> FileKind:
        """What the content is."""
        return self._planned.kind

    @property
    def info(self) -> SourceInfo:
        """Size, scale and other harmless metadata."""
        return self._planned.info

    def read_tiles(self, boxes: BoxArray, size_px: int, into: RgbBatch | None = None) -> TilePixels:
        """See ``TileSource.read_tiles``. Raises UnreadableFile when the process dies of it."""
        read = self._lease.process.read_tiles(self._handle, boxes, size_px, self._patience_s)
        if into is None:
            return read
        into[:] = read.rgb
        return read._replace(rgb=into)

    def lend_tiles(self, boxes: BoxArray, size_px: int) -> AbstractContextManager[TilePixels]:
        """See ``Lender.lend_tiles``; more tiles than fit into a slot are copied after all."""
        if len(boxes) > SLOT_TILES:
            return nullcontext(self.read_tiles(boxes, size_px))
        process = self._lease.process
        return process.lend_tiles(self._handle, boxes, size_px, self._patience_s)

    @property
    def _handle(self) -> int:
        if self._planned.handle is None:
            raise ValueError("all tiles of this field were read when it was opened")
        return self._planned.handle

    def close(self) -> None:
        """Let go of the file."""
        if self._closed:
            return
        self._closed = True
        if self._planned.handle is None:
            return
        with suppress(CaseError):  # the process is gone, and the file with it
            self._lease.process.call(Close(self._planned.handle), self._patience_s)
        self._lease.close()
