"""How much a reader process may take."""

from __future__ import annotations

import sys
from pathlib import Path

MEMORY_BYTES = 4 << 30  # beside what the libraries take; the largest picture decoded needs 2 GB

THREAD_BYTES = 16 << 20  # of address space, for the stack of each


def limit_memory(more: int) -> None:
    """Let this process take ``more`` bytes of address space from now on.

    Then an allocation fails, which Python reports as MemoryError and some libraries by aborting;
    the machine does not begin to swap. Only where the system knows such a limit (Linux).
    """
    if sys.platform != "linux":
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + more
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
