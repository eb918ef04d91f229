"""The process of one run: ``python -m lungscan_gui.scanning.child``. See ``lungscan.apart``."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

<<<<<<< HEAD
from lungscan.apart import Send, Stopped, serve
=======
from lungscan.errors import Code, LungScanError
>>>>>>> main
from lungscan.events import RunFinished, TilesScored
from lungscan.options import ScanOptions
from lungscan_gui import engine

NO_BOXES = np.zeros((0, 4), np.int32)


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


<<<<<<< HEAD
=======
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
    except LungScanError as error:
        return Failure(str(error), error.code)
    except MemoryError:
        return Failure(OUT_OF_MEMORY, Code.MEMORY)
    except BrokenPipeError:
        return Stopped()
    except Exception as error:  # noqa: BLE001  the last line: a message instead of a dead process
        kind = f"{type(error).__name__}: {error}"
        return Failure(
            f"LungScan met something it does not know ({kind}). Cases already finished are safe.",
            Code.UNEXPECTED,
            traceback.format_exc(),
        )
    return Stopped()


>>>>>>> main
def main() -> None:
    """Start a reader process while this one is told what to do, then classify."""
    with engine.beforehand() as launched:

        def scan(options: ScanOptions, stop: threading.Event, send: Send) -> RunFinished | Stopped:
            slim = Slim()
            with closing(engine.scan(options, launched, stop)) as events:
                for event in events:
                    if isinstance(event, RunFinished):
                        return event  # and the folder is free before anybody is told
                    send(slim(event))
            return Stopped()

        serve(scan)


if __name__ == "__main__":
    main()
