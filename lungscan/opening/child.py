"""The reader process: ``python -m lungscan.opening.child [DESCRIPTOR]``.

The descriptor is that of memory to share, where the system has such. The process reads requests
from stdin, answers on stdout, and ends when stdin does: when the run closes it, and also when the
run is killed. It never outlives its run, not even inside a library that hangs.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, BinaryIO, cast

import numpy as np

from lungscan.errors import CaseError, LungScanError, case_error
from lungscan.opening.local import LocalReaders, open_to_look, out_of_memory
from lungscan.opening.memory_limit import MEMORY_BYTES, THREAD_BYTES, limit_memory
from lungscan.opening.messages import (
    LOOK_PX,
    READY,
    Answer,
    AreSlides,
    Close,
    FieldAnswer,
    Job,
    Look,
    Looked,
    PlanFields,
    PlanFile,
    Planned,
    PlannedField,
    ReadResult,
    ReadTiles,
    Recolour,
    Request,
    Setup,
    Start,
    receive,
    send,
)
from lungscan.opening.plan import Plan
from lungscan.opening.profiled import Profile, Profiled, profile_of
from lungscan.opening.shared_memory import SLOT_TILES, Slots
from lungscan.reading import ImageSource, TilePixels
from lungscan.reading.source import TileSource
from lungscan.types import Overview

QUICK_PIXELS = 64e6  # of the level that an overview is made from: below a second


class Child:
    """Opens files and reads tiles, on as many threads as requests are in flight."""

    def __init__(self, setup: Setup | None, slots: Slots) -> None:
        self._setup = setup
        self._slots = slots
        self._open: dict[int, TileSource] = {}
        self._profiles: dict[int, Profile] = {}  # of what is looked at
        self._numbers = count()

    def answer(self, request: Request) -> Answer:
        """Do a job; whatever goes wrong becomes an error to send back."""
        try:
            return Answer(request.number, "value", self._do(request.job))
        except MemoryError:
            return Answer(request.number, "error", out_of_memory())
        except LungScanError as error:
            return Answer(request.number, "error", error)
        except Exception as error:  # noqa: BLE001  libraries raise many kinds on damaged files
            return Answer(request.number, "error", case_error(error))

    @property
    def _local(self) -> LocalReaders:
        if self._setup is None:
            raise ValueError("without a setup files can only be looked at")
        return LocalReaders(self._setup.options, self._setup.card)

    def _do(self, job: Job) -> Any:  # noqa: PLR0911  one return per kind of job
        match job:
            case PlanFile(file, picture, digest):
                return self._keep(self._local.plan(file, picture=picture, digest=digest))
            case PlanFields():
                return self._fields(job)
            case ReadTiles(handle, boxes, size_px, slot):
                into = self._slots.tiles(slot, 0, len(boxes))
                _, valid, failed = self._open[handle].read_tiles(boxes, size_px, into)
                return ReadResult(0, valid, failed)
            case AreSlides(files):
                return self._local.are_slides(files)
            case Look():
                return self._look(job)
            case Recolour(handle, by_profile):
                return self._recolour(handle, by_profile=by_profile)
            case Close(handle):
                self._open.pop(handle).close()
                return None

    def _look(self, job: Look) -> Looked:
        file = job.file
        source, info = open_to_look(file, job.mpp)
        handle = next(self._numbers)
        self._open[handle] = source
        profile = profile_of(file, source)
        if profile is not None:
            self._profiles[handle] = profile
        name = profile.name if profile else ""
        later = job.soon and not _quickly_seen(source)
        overview = None if later else source.overview(LOOK_PX)
        return Looked(handle, source.kind, info, overview, name)

    def _recolour(self, handle: int, *, by_profile: bool) -> Overview:
        """Whoever reads meanwhile gets the old colours or the new ones."""
        source = self._open[handle]
        plain = source.plain if isinstance(source, Profiled) else cast(ImageSource, source)
        shown = Profiled(plain, self._profiles[handle]) if by_profile else plain
        self._open[handle] = shown
        return shown.overview(LOOK_PX)

    def _fields(self, job: PlanFields) -> list[FieldAnswer]:
        answers: list[FieldAnswer] = []
        used = 0
        for opened in self._local.fields(job.files, picture=job.picture):
            if isinstance(opened, CaseError):
                answers.append(opened)
                continue
            read = None
            if opened.pixels and used + len(opened.pixels.valid) <= SLOT_TILES:
                read = self._into_slot(opened.pixels, job.slot, used)
                used += len(read.valid)
            done = read is not None and not job.picture
            answers.append(PlannedField(self._keep(opened.plan, done=done), read))
        return answers

    def _into_slot(self, pixels: TilePixels, slot: int, first: int) -> ReadResult:
        np.copyto(self._slots.tiles(slot, first, len(pixels.valid)), pixels.rgb)
        return ReadResult(first, pixels.valid, pixels.failed)

    def _keep(self, plan: Plan, *, done: bool = False) -> Planned:
        source, handle = plan.source, None
        if done:
            source.close()
        else:
            handle = next(self._numbers)
            self._open[handle] = source
        return Planned(handle, source.kind, source.info, plan.grid, plan.result, plan.unreadable)


def _quickly_seen(source: ImageSource) -> bool:
    """Whether an overview takes little: not of a slide whose smallest level is large."""
    from lungscan.reading.slides.slide import SlideSource

    return not isinstance(source, SlideSource) or source.overview_pixels(LOOK_PX) <= QUICK_PIXELS


def serve(requests: BinaryIO, replies: BinaryIO, memory: int | None) -> None:
    """Answer until the requests end."""
    start: Start = receive(requests)
    descriptor = os.open(start.file, os.O_RDWR) if memory is None else memory
    child, lock = Child(start.setup, Slots(descriptor, start.layout)), threading.Lock()
    limit_memory(MEMORY_BYTES + start.threads * THREAD_BYTES)
    send(replies, Answer(READY, "value", None))

    def work(answer: Callable[[Request], Answer], request: Request) -> None:
        reply = answer(request)
        with lock:
            send(replies, reply)

    pool = ThreadPoolExecutor(start.threads, "reader")
    while True:
        pool.submit(work, child.answer, receive(requests))


def main(arguments: list[str]) -> None:
    """Take over stdin and stdout, so that no library's chatter gets among the answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the run's to handle
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    try:
        serve(requests, replies, int(arguments[0]) if arguments else None)
    except (EOFError, BrokenPipeError):
        os._exit(0)  # at once: other threads may hang inside a library


if __name__ == "__main__":
    main(sys.argv[1:])
