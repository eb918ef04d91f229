"""The process of the training page: ``python -m lungscan_gui.learning.child``. See ``job``."""

from __future__ import annotations

import _thread
import signal
import threading
from contextlib import closing, suppress
from types import FrameType
from typing import BinaryIO

from lungscan_gui.engine import receive, send
from lungscan_gui.learning.engine import Told, done
from lungscan_gui.learning.tasks import Task
from lungscan_gui.scanning.child import take_over, told
from lungscan_gui.scanning.job import Failure, Stopped


class Wish:
    """The wish to stop, carried into the middle of a computation but never of a message."""

    def __init__(self, replies: BinaryIO) -> None:
        self._replies = replies
        self._sending = self._asked = False
        signal.signal(signal.SIGTERM, self._come)

    def tell(self, event: Told) -> None:
        """Send a whole message. Raises KeyboardInterrupt after it if the wish came meanwhile."""
        self._sending = True
        send(self._replies, event)
        self._sending = False
        if self._asked:
            raise KeyboardInterrupt

    def listen(self, requests: BinaryIO) -> None:
        """Wait for it: a second message, or none to come because the window is gone."""
        with suppress(EOFError, OSError):
            receive(requests)
        _thread.interrupt_main(signal.SIGTERM)

    def _come(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if not self._sending:
            raise KeyboardInterrupt


def run(requests: BinaryIO, replies: BinaryIO) -> None:
    """Do the task, and tell everything."""
    task: Task = receive(requests)
    wish = Wish(replies)
    threading.Thread(target=wish.listen, args=(requests,), name="stop", daemon=True).start()
    last = _work(task, wish)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is over: there is nothing to stop
    if last is not None:
        send(replies, last)
    send(replies, None)


def _work(task: Task, wish: Wish) -> Failure | Stopped | None:
    """Send all events; returns why there are no more, where that is not the end."""
    try:
        with closing(done(task)) as events:
            for event in events:
                wish.tell(event)
    except (KeyboardInterrupt, BrokenPipeError):
        return Stopped()
    except Exception as error:  # noqa: BLE001  the last line: a message instead of a dead process
        return told(error)
    return None


def main() -> None:
    """Work, until either end is closed."""
    try:
        run(*take_over())
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return  # the window is gone


if __name__ == "__main__":
    main()
