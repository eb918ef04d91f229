"""Memory and bytes read of a command and of all that it starts, on Linux, from ``/proc``.

Memory is the proportional set size: a page that several processes share is counted once, in equal
parts, so that forked workers and shared pixels are not counted over and over.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from pathlib import Path

PROC = Path("/proc")
LEAST_PAUSE = 0.05  # seconds between two looks
SHARE = 0.02  # of one core, at most, is spent on looking
IDLE = (3, 4)  # of the columns of /proc/stat: idle, and waiting for the disk
PR_SET_CHILD_SUBREAPER = 36


class Watch:
    """Looks at the tree below a process until ``stop`` is called, in a thread of its own."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0  # the most that the whole tree held at any look
        self.most_processes = 0
        self._pid = pid
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the looking."""
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            begun = time.thread_time()
            found = descendants(self._pid)
            self.most_processes = max(self.most_processes, len(found))
            self.peak_bytes = max(self.peak_bytes, sum(map(memory_of, found)))
            pause = max(LEAST_PAUSE, (time.thread_time() - begun) / SHARE)


def adopt_orphans() -> None:
    """Make this process the parent of what its descendants leave behind, so that it is counted."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the system has no subreapers")


def descendants(pid: int) -> list[int]:
    """A process and all below it that live now."""
    found = [pid]
    for parent in found:  # grows as it is walked
        for thread in _entries(PROC / str(parent) / "task"):
            found += [int(child) for child in _text(thread / "children").split()]
    return found


def memory_of(pid: int) -> int:
    """Proportional set size in bytes; where it may not be read, the resident one; 0 once dead."""
    for line in _text(PROC / str(pid) / "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    for line in _text(PROC / str(pid) / "status").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def bytes_read_by(pid: int) -> int:
    """Bytes that read calls gave a process and those of its children that it has waited for.

    Holds for a process that has ended until it is waited for. Includes what lay in the page cache,
    and pipes; not what was read through mapped memory.
    """
    for line in _text(PROC / str(pid) / "io").splitlines():
        if line.startswith("rchar:"):
            return int(line.split()[1])
    return 0


def busy_seconds() -> float:
    """CPU time that all cores together have spent since the machine began; 0 if it is not told."""
    numbers = _text(PROC / "stat").split("\n", 1)[0].split()[1:9]
    spent = [int(number) for at, number in enumerate(numbers) if at not in IDLE]
    return sum(spent) / os.sysconf("SC_CLK_TCK")


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # the process has ended
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:  # the process has ended, or may not be looked at
        return ""
