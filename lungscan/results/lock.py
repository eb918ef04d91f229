"""One writer at a time in an output folder, or several that share one run as its shards."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from threading import Event, Thread

from lungscan.errors import OutputLocked
from lungscan.layout import LOCK, SHARDS
from lungscan.results.atomic_files import into_place, machine_error
from lungscan.results.lock_owner import (
    Owner,
    boot_id,
    is_gone,
    owner_of,
    pid_namespace,
    text_of,
    this_process,
)

EMPTY_FOR = 60.0  # seconds after which a lock without a word belongs to a killed process
RENEW_S = 60.0  # between two signs of life of a shard
LEASE_S = 900.0  # without a sign of life after which the shard of another machine counts as dead

_held: set[str] = set()  # what this process's locks say: its number alone cannot tell them apart


@contextmanager
def output_lock(out: Path) -> Iterator[None]:
    """Make the folder ``out`` and hold it for one run.

    Raises:
        OutputLocked: another live run, or a shard of one, holds it; the message names it.
        MachineError: the folder cannot be made or written.
    """
    with _held_lock(out / LOCK, lambda: _shard_locks(out), this_process()):
        yield


class ShardLock:
    """The lock of one shard; the shards of a run hold one each, and all keep whole runs out."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text

    def require(self) -> None:
        """Raises OutputLocked when another machine has taken this shard for dead, and its place."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except OSError:  # of a drive that is away, writing will tell more
            return
        if text != self._text:
            raise OutputLocked(
                "This shard gave no sign of life for so long that another process took its place. "
                "That one goes on; this one ends."
            )


@contextmanager
def shard_lock(out: Path, number: int) -> Iterator[ShardLock]:
    """Make the folder ``out`` and hold it for one shard of a run, beside its other shards.

    A thread renews the lock, so that one of another machine that died can be told from a live one.
    Raises OutputLocked and MachineError as ``output_lock``.
    """
    path = out / SHARDS / f"{number}.lock"
    owner = this_process(LEASE_S)
    with _held_lock(path, lambda: _locks_of(out / LOCK), owner) as text, _renewing(path):
        yield ShardLock(path, text)


def refuse_if_locked(out: Path) -> None:
    """Raise OutputLocked when a live run holds ``out``; nothing is written."""
    for path in (*_locks_of(out / LOCK), *_shard_locks(out)):
        if path.exists() and not _is_stale(path):
            raise _locked(path)


def _locks_of(path: Path) -> list[Path]:
    """The lock ``path``, and what was set aside of it, see ``_remove``."""
    return [path, *sorted(path.parent.glob(f"{path.name}.*"))]


def _shard_locks(out: Path) -> list[Path]:
    return sorted((out / SHARDS).glob("*.lock*"))


@contextmanager
def _held_lock(path: Path, rivals: Callable[[], list[Path]], owner: Owner) -> Iterator[str]:
    """Hold the lock ``path``; yields what it says. Nobody may hold one of the ``rivals``.

    Those are looked at once the own lock stands: of two that begin in one moment none goes on,
    rather than both.
    """
    text = json.dumps(asdict(owner))
    _held.add(text)
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _take(path, owner)
        except OSError as error:
            raise machine_error(error, path) from error
        for rival in rivals():
            if not _is_stale(rival):
                raise _locked(rival)
        _require_none_aside(path, text)
        yield text
    finally:
        _give_up(path, text)
        _held.discard(text)


def _take(path: Path, owner: Owner) -> None:
    for _ in range(2):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            judged = _seen(path)
            if not _is_stale(path):
                raise _locked(path) from None
            _remove(path, judged)
            continue
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(owner), file)
        except OSError:
            path.unlink(missing_ok=True)  # an empty lock would keep everybody out for a while
            raise
        return
    raise OutputLocked(f"Another run has just begun to write to {_out_of(path)}. Wait for it.")


def _remove(path: Path, judged: tuple[bytes, int] | None) -> None:
    """Remove a stale lock, but only the one that was ``judged``.

    Another process may have taken it over since. So it is set aside under a new name, as only one
    process can, and looked at there. Another's lock is put back, and holds meanwhile under that
    name: whoever takes the free place looks for such.
    """
    aside = path.with_name(f"{path.name}.{secrets.token_hex(6)}")
    try:
        into_place(path, aside)
    except FileNotFoundError:
        return  # another process was faster
    if _seen(aside) != judged:
        with suppress(OSError):  # the place was taken, or the disk knows no links: it stays aside
            os.link(aside, path)
            aside.unlink()
        return
    aside.unlink(missing_ok=True)


def _seen(path: Path) -> tuple[bytes, int] | None:
    """What tells one lock from the next: its content, and when it was written or renewed."""
    try:
        return path.read_bytes(), path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _require_none_aside(path: Path, text: str) -> None:
    """Raise OutputLocked when a live process's lock was set aside; the dead ones' are removed."""
    for aside in _locks_of(path)[1:]:
        if text_of(aside) == text:
            continue  # this process's own, about to be put back
        if not _is_stale(aside):
            raise _locked(aside)
        aside.unlink(missing_ok=True)


def _give_up(path: Path, text: str) -> None:
    """Remove the lock, unless another process has taken it over."""
    with suppress(OSError):  # a drive that is away keeps it
        for lock in reversed(_locks_of(path)):
            if text_of(lock) == text:
                lock.unlink(missing_ok=True)


@contextmanager
def _renewing(path: Path) -> Iterator[None]:
    """Touch the lock again and again while the block runs."""
    ended = Event()

    def renew() -> None:
        while not ended.wait(RENEW_S):
            with suppress(OSError):  # the drive may be away for a while
                os.utime(path)

    thread = Thread(target=renew, name="lungscan-lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _out_of(path: Path) -> Path:
    """The output folder that a lock belongs to."""
    return path.parent.parent if path.parent.name == SHARDS else path.parent


def _locked(path: Path) -> OutputLocked:
    owner = owner_of(path)
    who = f": {owner.text}" if owner else ""
    return OutputLocked(
        f"Another run is writing to {_out_of(path)}{who}. Wait for it, or choose another "
        f"folder (--out). If no run is alive, remove {path}."
    )


def _is_stale(path: Path) -> bool:
    """Whether the lock's process is known to be gone.

    Of another host that is known only of a shard, once its lock was not renewed for too long.
    """
    owner = owner_of(path)
    if owner is None:
        return _is_old_and_empty(path)
    if owner.host != socket.gethostname():
        return _is_overdue(owner, path)
    if owner.boot and boot_id() and owner.boot != boot_id():
        return True  # the machine was started anew since
    if owner.namespace and pid_namespace() and owner.namespace != pid_namespace():
        return _is_overdue(owner, path)  # of another container: its numbers mean nothing here
    if owner.pid == os.getpid():  # a run of this process, or of one long gone that had its number
        return text_of(path) not in _held
    return is_gone(owner)


def _is_old_and_empty(path: Path) -> bool:
    """Whether a process was killed between making the lock and writing into it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return status.st_size == 0 and time.time() - status.st_mtime > EMPTY_FOR


def _is_overdue(owner: Owner, path: Path) -> bool:
    return owner.lease_s > 0 and _age_s(path) > owner.lease_s


def _age_s(path: Path) -> float:
    """Seconds since a lock was renewed, by the clock of the machine that has the disk."""
    probe = path.with_name(f".clock-{secrets.token_hex(4)}")
    try:
        probe.touch()
        return probe.stat().st_mtime - path.stat().st_mtime
    except OSError:
        return 0.0
    finally:
        with suppress(OSError):
            probe.unlink()
