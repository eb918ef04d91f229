"""One writer at a time in an output folder."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lungscan.errors import OutputLocked
from lungscan.report.files import machine_error

LOCK = ".lungscan-lock"

_held: set[Path] = set()  # by this process: its number alone cannot tell its own runs apart


@contextmanager
def output_lock(out: Path) -> Iterator[None]:
    """Make the folder ``out`` and hold it for one run.

    Raises:
        OutputLocked: another live run holds it.
        MachineError: the folder cannot be made or written.
    """
    path = out / LOCK
    try:
        out.mkdir(parents=True, exist_ok=True)
        _take(path)
    except OSError as error:
        raise machine_error(error, path) from error
    name = path.resolve()
    _held.add(name)
    try:
        yield
    finally:
        _held.discard(name)
        with suppress(OSError):
            path.unlink()


def _take(path: Path) -> None:
    for _ in range(2):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            if not _is_stale(path):
                raise OutputLocked(
                    f"Another run is writing to {path.parent}. Wait for it, or choose another "
                    f"--out folder. If no run is alive, remove {path}."
                ) from None
            path.unlink(missing_ok=True)
            continue
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        except OSError:
            path.unlink(missing_ok=True)  # an empty lock would keep everybody out for ever
            raise
        return
    raise OutputLocked(f"Another run has just begun to write to {path.parent}. Wait for it.")


def _is_stale(path: Path) -> bool:
    """Whether the lock's process is known to be gone; a lock of another host never is."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        pid = int(owner["pid"])
        if owner["host"] != socket.gethostname():
            return False
    except FileNotFoundError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if pid == os.getpid():  # a run of this process, or of one long gone that had its number
        return path.resolve() not in _held
    return _is_gone(pid)


def _is_gone(pid: int) -> bool:
    if os.name == "nt":
        return False  # Windows has no harmless way to ask
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False  # it lives and belongs to somebody else, or is no process at all
    return False
