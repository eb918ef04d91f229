"""Start a reader process before anything is known of the run that it will read for.

It takes as long to load its libraries as the run takes for its own, and both can do so at once. So
this module imports next to nothing: whoever is about to scan may call it first.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, cast

from lungscan import processes

CHILD = "lungscan.opening.child"
DEATH_S = 5.0  # what a killed process may take to end


class Launched:
    """A process that waits for its first message; see ``lungscan.opening.process``."""

    def __init__(self) -> None:
        """Start it. Raises OSError when the system will not."""
        # Memory that both will map; where the system has none without a name, it will be a file.
        self.memory = os.memfd_create("lungscan") if hasattr(os, "memfd_create") else None
        self.closed = False
        try:
            self.child = _start(self.memory)
        except BaseException:
            self.let_go_of_memory()
            raise
        self.requests = cast(BinaryIO, self.child.stdin)
        self._replies: BinaryIO | None = cast(BinaryIO, self.child.stdout)

    def hand_over_replies(self) -> BinaryIO:
        """What it says; once only, and from then on the caller's to close when it has ended."""
        replies, self._replies = self._replies, None
        return cast(BinaryIO, replies)

    def let_go_of_memory(self) -> None:
        """Close the descriptor, which whoever has mapped the memory needs no more."""
        memory, self.memory = self.memory, None
        if memory is not None:
            os.close(memory)

    def close(self) -> None:
        """End it, whatever it is at. Waited for once only: a dead drive can keep even a killed one.

        Not to be called by two threads at once.
        """
        if self.closed:
            return
        self.closed = True
        with suppress(OSError):
            self.child.kill()
        with suppress(OSError):
            self.requests.close()
        with suppress(subprocess.TimeoutExpired):
            self.child.wait(DEATH_S)
        if self._replies is not None:
            self._replies.close()
        self.let_go_of_memory()


@contextmanager
def beforehand() -> Iterator[Launched | None]:
    """A process for ``lungscan.scanning.scan``, ended with the block.

    None where the system will not start one: the run will try again, and say what is the matter.
    """
    launched = None
    with suppress(OSError):
        launched = Launched()
    try:
        yield launched
    finally:
        if launched is not None:
            launched.close()


def _start(memory: int | None) -> subprocess.Popen[bytes]:
    return processes.start(
        CHILD,
        *([] if memory is None else [str(memory)]),
        more={"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "4"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=() if memory is None else (memory,),
    )
