"""A run of the engine in a process of its own, seen from both ends.

So whoever shows it stays smooth while Python computes, and a library that crashes costs a run, not
the program. The process is told its task on stdin, answers with events on stdout, and ends when
either end is closed; a second message on stdin asks it to stop. Messages are pickles: both ends are
this very program.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from lungscan import processes
from lungscan.errors import Code, LungScanError, MachineError
from lungscan.opening.messages import receive, send

DEATH_S = 5.0  # what a killed process may take to end
STOP_S = 10.0  # what a process that was asked to stop may take; what it has scored is on the disk
OUT_OF_MEMORY = (
    "This machine ran out of memory. Close other programs, or try a smaller batch or fewer threads."
)


@dataclass(frozen=True, slots=True)
class Failure:
    """The run ended with an error. ``details`` are for whoever repairs it."""

    message: str
    code: Code
    details: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run ended because it was asked to; what it has scored is kept."""


class Apart:
    """A process that waits for its task. ``events`` is for one thread, all else for any."""

    def __init__(
        self, module: str, *, others: str, stop_s: float = STOP_S, what: str = "analysis"
    ) -> None:
        """Start it.

        Args:
            module: of ours, which calls ``serve``.
            others: what its crash leaves alone, for the message about it: "the window is".
            stop_s: what it may take to stop before it is killed.
            what: its work, for messages.

        Raises:
            MachineError: the system will not start a process.
        """
        self._others, self._what = others, what
        try:
            self._child = processes.start(
                module, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
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
        threading.Thread(target=self._listen, name="apart-errors", daemon=True).start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the process lives."""
        return self._child.poll() is None

    def begin(self, task: object) -> None:
        """Give it its task, once."""
        self._send(task)

    def events(self) -> Iterator[Any]:
        """The run's events; ended by a ``Failure`` or ``Stopped`` unless it sent its own end."""
        ended = yield from self._replies()
        self._close()
        status = self._child.wait()
        if ended:
            return
        if self._stopping:
            yield Stopped()
        else:
            yield Failure(
                f"The {self._what} ended by itself (status {status}); {self._others} not affected. "
                "What was done is kept: start it again to go on.",
                Code.CRASH,
                self._errors.decode("utf-8", "replace")[-4000:],
            )

    def stop(self) -> None:
        """Ask it to end at its next step; it is killed when it does not."""
        with self._lock:
            asked_before, self._stopping = self._stopping, True
        if not asked_before:
            self._send("stop")
            self._killer.start()

    def kill(self) -> None:
        """End it at once."""
        with suppress(OSError):
            self._child.kill()

    def close(self) -> None:
        """End a process whose events nobody reads, if it lives, and let go of its pipes."""
        self.kill()
        self._close()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(DEATH_S)
        cast(BinaryIO, self._child.stdout).close()

    def _replies(self) -> Generator[Any, None, bool]:
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

    def _send(self, message: object) -> None:
        with self._lock, suppress(OSError, ValueError):  # it is gone; ``events`` says so
            send(cast(BinaryIO, self._child.stdin), message)

    def _listen(self) -> None:
        with cast(BinaryIO, self._child.stderr) as stream:
            for line in stream:
                self._errors = (self._errors + line)[-8000:]


# The other end ----------------------------------------------------------------------------------

Send = Callable[[object], None]
Work = Callable[[Any, threading.Event, Send], object]


def serve(work: Work) -> None:
    """Be such a process: take over stdin and stdout, do one task, and end.

    ``work`` is called with the task, an event that is set when it should stop, and what sends an
    event; what it returns is the last event. Errors become a ``Failure``. Libraries that print get
    nowhere near the events.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the other end to handle
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    with suppress(EOFError, BrokenPipeError):  # the other end is gone
        task = receive(requests)
        stop = threading.Event()
        threading.Thread(target=_wait, args=(requests, stop), name="stop", daemon=True).start()
        send(replies, _ended(work, task, stop, lambda event: send(replies, event)))
        send(replies, None)


def _wait(requests: BinaryIO, stop: threading.Event) -> None:
    with suppress(EOFError, OSError):  # the other end is gone
        receive(requests)
    stop.set()


def _ended(work: Work, task: object, stop: threading.Event, reply: Send) -> object:
    """The last event."""
    try:
        return work(task, stop, reply)
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
