"""A process that is started before it is wanted, so that whoever wants it need not wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """A process that can be ended."""

    def close(self) -> None:
        """End it."""


P = TypeVar("P", bound=Closable)


class Spare(Generic[P]):
    """Keeps one process ready. May be used by several threads."""

    def __init__(self, start: Callable[[], P], problem: type[Exception]) -> None:
        """Of this ``start``; its ``problem`` is left to whoever finds no process waiting."""
        self._start, self._problem = start, problem
        self._waiting: P | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def waiting(self) -> P | None:
        """The process that waits."""
        return self._waiting

    def prepare(self) -> None:
        """Start one, unless one waits already or ``close`` was called."""
        with self._lock:
            if self._waiting is None and not self._closed:
                with suppress(self._problem):
                    self._waiting = self._start()

    def prepare_beside(self, name: str) -> None:
        """The same in a thread of this name; does not wait for it."""
        threading.Thread(target=self.prepare, name=name, daemon=True).start()

    def take(self) -> P | None:
        """The process that waits, which is the caller's from here on."""
        with self._lock:
            taken, self._waiting = self._waiting, None
        return taken

    def close(self) -> None:
        """End the process that waits, and start none any more."""
        with self._lock:
            self._closed, waiting, self._waiting = True, self._waiting, None
        if waiting is not None:
            waiting.close()
