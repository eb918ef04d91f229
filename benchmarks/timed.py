"""Run one command and print, as JSON, how long it took and what it and all it started used.

    python benchmarks/timed.py [--cores N] COMMAND [ARGUMENT ...]

A process of its own because a child of a large process starts with its parent's size, and because
the system adds up the children of a process. ``--cores`` lets the command run on the first N cores
that are allowed here (Linux). Linux and macOS only; on macOS ``peak_bytes`` is that of the largest
single process, and bytes read are not known.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from typing import IO

import tree

LINUX = sys.platform == "linux"
PATIENCE_S = 5.0  # for what the command leaves running behind it


def measure(command: list[str], cores: int | None) -> dict[str, object]:
    """Run a command to its end. Its text is kept, the end of what it said on stderr too."""
    if LINUX:
        tree.adopt_orphans()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        allowed = limit(cores)
        busy, begun = tree.busy_seconds(), time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=err)
        if LINUX:
            os.sched_setaffinity(0, allowed)  # the looking may go elsewhere
        watch = tree.Watch(child.pid) if LINUX else None
        read = await_end(child)
        seconds, busy = time.perf_counter() - begun, tree.busy_seconds() - busy
        if watch:
            watch.stop()
            read = read + reap_orphans()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)  # of all that were waited for
        spent = used.ru_utime + used.ru_stime
        largest = used.ru_maxrss * (1024 if LINUX else 1)  # KiB on Linux: of one process, exact
        return {
            "seconds": seconds,
            "cpu_seconds": spent,
            "peak_bytes": max(largest, watch.peak_bytes if watch else 0),
            "exit_code": child.returncode,
            "text": text_of(out) + text_of(err)[-2000:],
            "read_bytes": read if LINUX else None,
            "processes": watch.most_processes if watch else 1,
            "others_cpu_seconds": max(0.0, busy - spent - time.process_time()),
        }


def limit(cores: int | None) -> set[int]:
    """Keep to the first cores; returns all that were allowed before."""
    if not LINUX:
        return set()
    allowed = os.sched_getaffinity(0)
    if cores is not None:
        os.sched_setaffinity(0, sorted(allowed)[:cores])
    return allowed


def await_end(child: subprocess.Popen[bytes]) -> int:
    """Wait for a child; returns the bytes read by it and by those it waited for."""
    read = 0
    if LINUX:  # its figures stand until it is waited for
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        read = tree.bytes_read_by(child.pid)
    child.wait()
    return read


def reap_orphans() -> int:
    """Wait for what the command left behind; returns the bytes read by it."""
    read, deadline = 0, time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            break
        if ended is None:
            time.sleep(0.02)
            continue
        read += tree.bytes_read_by(ended.si_pid)
        os.waitpid(ended.si_pid, 0)
    return read


def text_of(stream: IO[str]) -> str:
    """All that was written to a file."""
    stream.seek(0)
    return stream.read()


def main() -> None:
    """Measure the command in the arguments."""
    arguments, cores = sys.argv[1:], None
    if arguments[:1] == ["--cores"]:
        cores, arguments = int(arguments[1]), arguments[2:]
    print(json.dumps(measure(arguments, cores)))


if __name__ == "__main__":
    main()
