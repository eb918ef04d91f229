"""Read parts of a file from many threads through one descriptor."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class PositionalFile:
    """An open file without a position of its own, so that threads need not take turns.

    After an error it is opened once more, because that is what a network drive that was away for
    a moment wants. It closes itself when nobody holds it any more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._open: list[int] = []  # the last is in use; other threads may still be in the others
        self._open.append(self._descriptor())
        self.size = os.fstat(self._open[0]).st_size  # bytes

    def read(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset``; fewer where the file ends.

        Raises:
            OSError: it failed twice.
        """
        descriptor = self._open[-1]
        try:
            return self._read_at(descriptor, offset, size)
        except OSError:
            return self._read_at(self._replaced(descriptor), offset, size)

    def close(self) -> None:
        """Close the file. Call it when no thread reads any more."""
        while self._open:
            os.close(self._open.pop())

    def __del__(self) -> None:
        self.close()

    def _descriptor(self) -> int:
        return os.open(self._path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    def _replaced(self, broken: int) -> int:
        with self._lock:
            if self._open[-1] == broken:  # else another thread was faster
                self._open.append(self._descriptor())
            return self._open[-1]

    def _read_at(self, descriptor: int, offset: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(descriptor, size, offset)
        with self._lock:  # Windows
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, size)
