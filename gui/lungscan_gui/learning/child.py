"""The process of a page that makes models, see ``lungscan.opening.apart``."""

from __future__ import annotations

import _thread
import signal
import threading
from contextlib import closing
from types import FrameType

from lungscan.opening.apart import Send, Stopped, serve
from lungscan_gui.learning.engine import LearnEvent, done
from lungscan_gui.learning.tasks import Task


class StopRequest:
    """The request to stop, carried into the middle of a computation but never of a message."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sending = self._asked = False
        signal.signal(signal.SIGTERM, self._come)

    def send(self, event: LearnEvent) -> None:
        """Send a whole message. Raises KeyboardInterrupt after it if the request came meanwhile."""
        self._sending = True
        self._send(event)
        self._sending = False
        if self._asked:
            raise KeyboardInterrupt

    def wait(self, stop: threading.Event) -> None:
        """Wait for it, in a thread."""
        stop.wait()
        _thread.interrupt_main(signal.SIGTERM)

    def _come(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if not self._sending:
            raise KeyboardInterrupt


def work(task: Task, stop: threading.Event, send: Send) -> Stopped | None:
    """Do the task and send all events; returns why there are no more, where that is not the end."""
    stop_request = StopRequest(send)
    threading.Thread(
        target=stop_request.wait, args=(stop,), name="stop-request", daemon=True
    ).start()
    try:
        with closing(done(task)) as events:
            for event in events:
                stop_request.send(event)
    except KeyboardInterrupt:
        return Stopped()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is over: there is nothing to stop
    return None


if __name__ == "__main__":
    serve(work)
