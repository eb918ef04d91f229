"""Run one command and print, as JSON, how long it took and how much memory it held at most.

    python benchmarks/timed.py COMMAND [ARGUMENT ...]

A process of its own because the system keeps one peak for all children of a process, and because
a child of a large process starts with its parent's size. Linux and macOS only.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time


def main() -> None:
    """Time the command in the arguments; its text is kept for the case that it fails."""
    begun = time.perf_counter()
    done = subprocess.run(sys.argv[1:], check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # its children included, once waited for
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    report = {
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * unit,
        "exit_code": done.returncode,
        "text": done.stdout + done.stderr[-2000:],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
