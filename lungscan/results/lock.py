"""One writer at a time in an output folder."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lungscan.errors import OutputLocked
from lungscan.inputs import show
from lungscan.layout import LOCK
from lungscan.results.atomic_files import machine_error
from lungscan.results.provenance import utc_now

EMPTY_FOR = 60.0  # seconds after which a lock without a word belongs to a killed process

_held: set[Path] = set()  # by this process: its number alone cannot tell its own runs apart


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock. What a system cannot tell is ""."""

    pid: int
    host: str
    started_utc: str = ""  # when the run began
    boot: str = ""  # which start of the machine
    namespace: str = ""  # in which the number counts: a container has its own
    born: str = ""  # when the process began, in ticks since the boot

    @property
    def told(self) -> str:
        """The owner in words: ``process 12 on ward-3, begun 2026-01-31T10:00:00+00:00``."""
        begun = f", begun {show(self.started_utc)}" if self.started_utc else ""
        return f"process {self.pid} on {show(self.host)}{begun}"


@contextmanager
def output_lock(out: Path) -> Iterator[None]:
    """Make the folder ``out`` and hold it for one run.

    Raises:
        OutputLocked: another live run holds it; the message names it.
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


def refuse_if_locked(out: Path) -> None:
    """Raise OutputLocked when a live run holds ``out``; nothing is written."""
    path = out / LOCK
    if path.exists() and not _is_stale(path):
        raise _locked(path)


def _take(path: Path) -> None:
    for _ in range(2):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            if not _is_stale(path):
                raise _locked(path) from None
            path.unlink(missing_ok=True)
            continue
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(_this_process()), file)
        except OSError:
            path.unlink(missing_ok=True)  # an empty lock would keep everybody out for a while
            raise
        return
    raise OutputLocked(f"Another run has just begun to write to {path.parent}. Wait for it.")


def _locked(path: Path) -> OutputLocked:
    owner = _owner(path)
    who = f": {owner.told}" if owner else ""
    return OutputLocked(
        f"Another run is writing to {path.parent}{who}. Wait for it, or choose another --out "
        f"folder. If no run is alive, remove {path}."
    )


def _this_process() -> Owner:
    pid = os.getpid()
    return Owner(pid, socket.gethostname(), utc_now(), _boot(), _namespace(), _born(pid))


def _owner(path: Path) -> Owner | None:
    """Who holds the lock; None when it does not say."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        names = ("host", "started_utc", "boot", "namespace", "born")
        return Owner(int(values["pid"]), *(str(values.get(name, ""))[:80] for name in names))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_stale(path: Path) -> bool:
    """Whether the lock's process is known to be gone; a lock of another host never is."""
    owner = _owner(path)
    if owner is None:
        return _is_old_and_empty(path)
    if owner.host != socket.gethostname():
        return False
    if owner.boot and _boot() and owner.boot != _boot():
        return True  # the machine was started anew since
    if owner.namespace and _namespace() and owner.namespace != _namespace():
        return False  # of another container: its numbers mean nothing here
    if owner.pid == os.getpid():  # a run of this process, or of one long gone that had its number
        return path.resolve() not in _held
    return _is_gone(owner)


def _is_old_and_empty(path: Path) -> bool:
    """Whether a process was killed between making the lock and writing into it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return status.st_size == 0 and time.time() - status.st_mtime > EMPTY_FOR


def _is_gone(owner: Owner) -> bool:
    if os.name == "nt":
        return False  # Windows has no harmless way to ask
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it lives and belongs to somebody else
    except (OSError, OverflowError):
        return False  # no number of a process at all
    born = _born(owner.pid)
    return bool(born and owner.born) and born != owner.born  # its number went to another process


# What Linux tells of processes; elsewhere "" ------------------------------------------------------


def _boot() -> str:
    """A number that each start of the machine draws anew."""
    return _told(Path("/proc/sys/kernel/random/boot_id"))


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _born(pid: int) -> str:
    # The name in the second field may itself hold spaces and brackets; field 22 is the 20th after.
    fields = _told(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def _told(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
