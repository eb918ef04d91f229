"""One reader process, seen from the run: requests, a watchdog, and what a crash means."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from math import ceil
from typing import Any, BinaryIO, cast

import numpy as np

from lungscan.errors import CaseError, Code, MachineError, UnreadableFile
from lungscan.opening import launch
from lungscan.opening.messages import (
    READY,
    Answer,
    Job,
    ReadResult,
    ReadTiles,
    Request,
    Setup,
    Start,
    receive,
    send,
)
from lungscan.opening.shared_memory import SLOT_TILES, Layout, Slots, shared_memory
from lungscan.reading import TilePixels
from lungscan.types import BoxArray


class ReaderProcess:
    """A child that reads images. May be called from several threads at once."""

    def __init__(
        self,
        setup: Setup | None,
        threads: int,
        launched: launch.Launched | None = None,
        *,
        size_px: int | None = None,
    ) -> None:
        """Start it, unless one was ``launched`` that still waits.

        ``size_px`` is the side of the tiles that will be asked for; by default the network's.
        Raises MachineError when the system will not.
        """
        side = size_px or (setup.card.patch_size_pixels if setup else 0)
        layout = Layout(threads + 1, side)
        self._slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(layout.count):
            self._slots.put(slot)
        self._numbers = count()
        self.waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._verdict: CaseError | None = None  # why it is dead
        self._spent = False
        self._began = False  # it said so
        try:
            if launched is None or launched.closed:
                launched = launch.Launched()
            self.launched = launched
            with ExitStack() as stack:
                stack.callback(self.launched.close)
                memory = shared_memory(self.launched.memory, layout)
                descriptor, name = stack.enter_context(memory)
                self._pixels = Slots(descriptor, layout)
                self.launched.let_go_of_memory()
                self._rest = stack.pop_all()  # a file goes only after the child: see close
        except OSError as error:
            raise MachineError(
                f"No process to read images can be started ({error.strerror or error}). Close "
                "other programs, or ask for a higher limit of processes."
            ) from error
        self._send(Start(setup, threads, layout, name))
        replies = (self.launched.hand_over_replies(),)
        threading.Thread(
            target=self._listen, args=replies, name="lungscan-replies", daemon=True
        ).start()

    @property
    def alive(self) -> bool:
        """Whether it can take another job."""
        return self._verdict is None and not self._spent and self.launched.child.poll() is None

    def retire(self) -> None:
        """Take no further file: this one left it short of memory."""
        self._spent = True

    def call(self, job: Job, patience_s: float) -> Any:
        """Have a job done.

        Raises:
            LungScanError: as the job raised it there.
            UnreadableFile: the process crashed (E_CRASH) or took longer than ``patience_s``
                (E_TIMEOUT); it is dead then.
        """
        future: Future[Any] = Future()
        with self._lock:
            if self._verdict:
                raise _again(self._verdict)
            number = next(self._numbers)
            self.waiting[number] = future
            self._send(Request(number, job))
            patience_s *= len(self.waiting)  # all of them share the process and the drive
        try:
            return _result(future, patience_s)
        except TimeoutError:
            self._kill(
                UnreadableFile(
                    f"Reading the file stood still for {patience_s:g} s; the drive does not "
                    "answer, or the file is damaged. Check the drive, then classify it again "
                    "(--timeout grants more time).",
                    code=Code.TIMEOUT,
                )
            )
            try:
                return future.result(launch.DEATH_S)  # raises the verdict
            except TimeoutError:  # a dead drive can keep even a killed process
                raise _again(cast(CaseError, self._verdict)) from None

    def read_tiles(
        self, handle: int, boxes: BoxArray, size_px: int, patience_s: float
    ) -> TilePixels:
        """See ``TileSource.read_tiles``; ``patience_s`` is for each ``SLOT_TILES`` of them."""
        parts = [
            self._read(handle, boxes[at : at + SLOT_TILES], size_px, patience_s)
            for at in range(0, len(boxes), SLOT_TILES)
        ]
        if len(parts) == 1:
            return parts[0]
        return TilePixels(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    @contextmanager
    def lend_tiles(
        self, handle: int, boxes: BoxArray, size_px: int, patience_s: float
    ) -> Iterator[TilePixels]:
        """At most ``SLOT_TILES`` tiles where they lie; others come there after the block."""
        slot = self._slots.get()
        try:
            read = self.call(ReadTiles(handle, boxes, size_px, slot), patience_s)
            yield TilePixels(self._pixels.tiles(slot, 0, len(boxes)), read.valid, read.failed)
        finally:
            self._slots.put(slot)

    def _read(self, handle: int, boxes: BoxArray, size_px: int, patience_s: float) -> TilePixels:
        with self.lend_tiles(handle, boxes, size_px, patience_s) as tiles:
            return tiles._replace(rgb=tiles.rgb.copy())

    def take_slot(self) -> int:
        """A slot of this caller's own until ``give_slot``."""
        return self._slots.get()

    def give_slot(self, slot: int) -> None:
        """Others may use the slot again."""
        self._slots.put(slot)

    def pixels(self, slot: int, read: ReadResult) -> TilePixels:
        """Copy tiles out of a slot."""
        rgb = self._pixels.tiles(slot, read.first, len(read.valid)).copy()
        return TilePixels(rgb, read.valid, read.failed)

    def stop(self) -> None:
        """End the child, whatever it is at; ``close`` lets go of the rest."""
        self._kill(UnreadableFile("The run has ended.", code=Code.CLOSED))

    def close(self) -> None:
        """End it, whatever it is at."""
        self._kill(UnreadableFile("The reading process has been closed.", code=Code.CRASH))
        self.launched.close()
        self._pixels.close()
        self._rest.close()

    def _send(self, message: object) -> None:
        with suppress(OSError):  # it died; the listener says why
            send(self.launched.requests, message)

    def _listen(self, replies: BinaryIO) -> None:
        with replies, suppress(EOFError, OSError):
            while True:
                answer: Answer = receive(replies)
                if answer.number == READY:
                    self._began = True
                    continue
                with self._lock:
                    future = self.waiting.pop(answer.number)
                if answer.kind == "value":
                    future.set_result(answer.value)
                else:
                    future.set_exception(answer.value)
        self._bury()

    def _bury(self) -> None:
        """Tell everybody who waits that the process is gone."""
        status = self.launched.child.wait()
        with self._lock:
            self._verdict = self._verdict or _crashed(status, began=self._began)
            waiting, self.waiting = self.waiting, {}
        for future in waiting.values():
            future.set_exception(_again(self._verdict))

    def _kill(self, verdict: CaseError) -> None:
        self._verdict = self._verdict or verdict  # no lock: a sender who cannot write may hold it
        with suppress(OSError):
            self.launched.child.kill()


def _result(future: Future[Any], patience_s: float) -> Any:
    """The result, waited for second by second: a run that is paused grows no less patient."""
    tick = min(1.0, patience_s)
    for _ in range(ceil(patience_s / tick)):
        with suppress(TimeoutError):
            return future.result(tick)
    raise TimeoutError


def _crashed(status: int, *, began: bool) -> UnreadableFile:
    try:
        how = signal.Signals(-status).name
    except ValueError:
        how = f"status {status}"
    if not began or status == 0:  # it ends without an error only when it is told to
        return UnreadableFile(
            f"The process that reads images did not start, or ended by itself ({how}). The file "
            "was not looked at, and nothing is known to be wrong with it. Classify it again; "
            "if it ends so once more, have the installation checked (`lungscan doctor`).",
            code=Code.CRASH,
        )
    return UnreadableFile(
        f"Reading the file ended the process that read it ({how}): the file is damaged in a way "
        "that a library does not survive, or needs too much memory. Copy it again from its source.",
        code=Code.CRASH,
    )


def _again(verdict: CaseError) -> CaseError:
    """A copy for each who is told: a raised error grows a traceback of its own."""
    return type(verdict)(str(verdict), code=verdict.code)
