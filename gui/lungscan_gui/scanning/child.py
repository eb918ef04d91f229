"""The process of one run: ``python -m lungscan_gui.scanning.child``. See ``scanning.job``."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from contextlib import closing
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from lungscan.errors import Code, LungScanError
from lungscan.events import RunFinished, TilesScored
from lungscan.options import ScanOptions
from lungscan_gui import engine
from lungscan_gui.scanning.job import Failure, Stopped

NO_BOXES = np.zeros((0, 4), np.int32)
OUT_OF_MEMORY = (
    "This machine ran out of memory. Close other programs, or try a smaller batch or fewer threads."
)


class Slim:
    """Sends the boxes of a file once: they are the same in every event of it."""

    def __init__(self) -> None:
        self._sent: tuple[str, int] | None = None

    def __call__(self, event: Any) -> Any:
        """The event as it is sent."""
        if not isinstance(event, TilesScored) or event.tiles is None:
            return event
        file = (event.key, event.tiles.file_index)
        if file == self._sent:
            return replace(event, tiles=replace(event.tiles, grid=NO_BOXES))
        self._sent = file
        return event


def run(requests: BinaryIO, replies: BinaryIO) -> None:
    """Classify, and tell everything."""
    stop = threading.Event()
    with engine.beforehand() as launched:
        options: ScanOptions = engine.receive(requests)

        def listen() -> None:
            try:
                engine.receive(requests)
            except (EOFError, OSError):
                stop.set()  # the window is gone
            stop.set()

        threading.Thread(target=listen, name="stop", daemon=True).start()
        engine.send(replies, _scan(options, launched, stop, replies))
    engine.send(replies, None)


def _scan(
    options: ScanOptions, launched: engine.Launched | None, stop: threading.Event, replies: BinaryIO
) -> RunFinished | Failure | Stopped:
    """Send all events but the last one, and return that."""
    slim = Slim()
    try:
        with closing(engine.scan(options, launched, stop)) as events:
            for event in events:
                if isinstance(event, RunFinished):
                    return event  # and the folder is free before anybody is told
                engine.send(replies, slim(event))
    except BrokenPipeError:
        return Stopped()
    except Exception as error:  # noqa: BLE001  the last line: a message instead of a dead process
        return told(error)
    return Stopped()


def told(error: Exception) -> Failure:
    """What the window says of an error; called while it is handled."""
    if isinstance(error, LungScanError):
        return Failure(str(error), error.code)
    if isinstance(error, MemoryError):
        return Failure(OUT_OF_MEMORY, Code.MEMORY)
    kind = f"{type(error).__name__}: {error}"
    return Failure(
        f"LungScan met something it does not know ({kind}). What is finished is safe.",
        Code.UNEXPECTED,
        traceback.format_exc(),
    )


def take_over() -> tuple[BinaryIO, BinaryIO]:
    """Stdin and stdout for messages alone, so that no library's chatter gets among them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the window's to handle
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return requests, replies


def main() -> None:
    """Run, until either end is closed."""
    try:
        run(*take_over())
    except (EOFError, BrokenPipeError):
        return  # the window is gone


if __name__ == "__main__":
    main()
