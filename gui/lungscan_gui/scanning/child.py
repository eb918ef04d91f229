"""The process of one run, see ``lungscan.opening.apart``."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from lungscan.events import RunFinished, TilesScored
from lungscan.opening.apart import Send, Stopped, serve
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


def main() -> None:
    """Start a reader process, load what every run needs, then wait for a task and classify."""
    with engine.beforehand() as launched:
        from lungscan_gui.scanning.engine import load_libraries  # beside the reader's start

        load_libraries()

        def scan(options: ScanOptions, stop: threading.Event, send: Send) -> RunFinished | Stopped:
            slim = Slim()
            with closing(engine.scan(options, launched, stop)) as events:
                for event in events:
                    if isinstance(event, RunFinished):
                        return event  # and the folder is free before anybody hears of it
                    send(slim(event))
            return Stopped()

        serve(scan)


if __name__ == "__main__":
    main()
