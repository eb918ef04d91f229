"""A run of the engine in a process of its own: its events, one by one, and its end.

So the window stays smooth while Python computes, and a library that crashes costs a run, not the
window. The process is told its options on stdin, answers with events on stdout, and ends when
either end is closed; a second message on stdin asks it to stop.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from lungscan.errors import Code, MachineError
from lungscan.events import ScanEvent
from lungscan.options import ScanOptions
from lungscan_gui.engine import processes, receive, send

CHILD = "lungscan_gui.scanning.child"
# What a process that was asked to stop may take. What it has scored is on the disk, but for the
# last 128 tiles: a killed run loses them, and goes on from there.
STOP_S = 0.9


@dataclass(frozen=True, slots=True)
class Failure:
    """The run ended with an error. ``details`` are for whoever repairs it."""

    message: str
    code: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run ended because it was asked to; what it has scored is kept."""


JobEvent = ScanEvent | Failure | Stopped


class ChildJob:
    """One task in a process of its own. ``events`` is for one thread, ``stop`` for any."""

    def __init__(self, task: object, module: str, what: str, stop_s: float) -> None:
        """Start the process ``module`` and tell it its task.

        ``what`` is its work for people; one that was asked to stop is killed after ``stop_s``.
        Raises MachineError when the system will not.
        """
        self._what = what
        try:
            self._child = subprocess.Popen(  # noqa: S603  our own interpreter and module
                processes.command(module),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=processes.environment(),
            )
        except OSError as error:
            raise MachineError(
                f"No process for the {what} can be started ({error.strerror or error}). Close "
                "other programs, or ask for a higher limit of processes."
            ) from error
        self._lock = threading.Lock()
        self._stopping = False
        self._errors = b""
        self._killer = threading.Timer(stop_s, self.kill)
        self._killer.daemon = True
        self._tell(task)
        threading.Thread(target=self._listen, name="job-errors", daemon=True).start()

    @property
    def process_id(self) -> int:
        """The number of its process."""
        return self._child.pid

    def events(self) -> Iterator[Any]:
        """What it tells; when it ends otherwise than it should, ``Failure`` or ``Stopped``."""
        ended = yield from self._told()
        self._close()
        status = self._child.wait()
        if ended:
            return
        if self._stopping:
            yield Stopped()
        else:
            yield Failure(
                f"The {self._what} ended by itself (status {status}); the window is not affected. "
                "What was done is kept: start it again to go on.",
                Code.CRASH,
                self._errors.decode("utf-8", "replace")[-4000:],
            )

    def stop(self) -> None:
        """Ask it to end at its next step; it is killed when it does not."""
        if self._stopping:
            return
        self._stopping = True
        self._tell("stop")
        self._killer.start()

    def kill(self) -> None:
        """End it at once."""
        with suppress(OSError):
            self._child.kill()

    def _told(self) -> Generator[Any, None, bool]:
        """What the process tells; whether it came to its end."""
        replies = cast(BinaryIO, self._child.stdout)
        with replies, suppress(EOFError, OSError):
            while (event := receive(replies)) is not None:
                yield event
            return True
        return False

    def _close(self) -> None:
        """Nothing more is to be said."""
        self._killer.cancel()
        with self._lock, suppress(OSError):
            cast(BinaryIO, self._child.stdin).close()

    def _tell(self, message: object) -> None:
        with self._lock, suppress(OSError, ValueError):  # it is gone; ``events`` says so
            send(cast(BinaryIO, self._child.stdin), message)

    def _listen(self) -> None:
        with cast(BinaryIO, self._child.stderr) as stream:
            for line in stream:
                self._errors = (self._errors + line)[-8000:]


class ScanJob(ChildJob):
    """A run; its events end with ``RunFinished``, ``Failure`` or ``Stopped``."""

    def __init__(self, options: ScanOptions) -> None:
        """Start the process. Raises MachineError when the system will not."""
        super().__init__(options, CHILD, "analysis", STOP_S)
