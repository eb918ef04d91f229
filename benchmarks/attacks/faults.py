"""Every write fails once: the 1st, the 2nd, the 3rd ... until a run passes without meeting one.

The way SQLite is tested. What fails are the calls that change the disk: opening a file to write,
writing, syncing, renaming, making a folder, removing; as a full disk, a drive that is gone and a
missing permission let them fail.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attacks import pictures
from attacks.base import Bench, Line, Row, leftovers, records, table, tiles
from lungscan.errors import MachineError
from lungscan.events import CaseFinished
from lungscan.options import ScanOptions
from lungscan.scanning.scan import scan
from lungscan.types import CaseResult

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_BY_PATH = ("mkdir", "replace", "rename", "link", "symlink", "unlink", "remove", "rmdir")
_BY_DESCRIPTOR = ("write", "writev", "pwrite", "ftruncate", "fsync", "fdatasync")


class FaultyDisk:
    """A folder in which operation number ``fail_at`` (counted from 1) fails; 0: none does."""

    def __init__(self, folder: Path, fail_at: int, number: int) -> None:
        self._folder, self._fail_at, self._errno = os.path.realpath(folder), fail_at, number
        self.operations = 0
        self.failed = ""  # the operation that did

    def count(self, name: str, place: object) -> None:
        """Note an operation; raises OSError when its turn to fail has come."""
        path = self._path(place)
        if path is None:
            return
        self.operations += 1
        if self.operations == self._fail_at:
            self.failed = f"{name} {Path(path).name}"
            raise OSError(self._errno, os.strerror(self._errno), path)

    def _path(self, place: object) -> str | None:
        """The path that an operation means, if it lies in the folder."""
        if isinstance(place, int):
            place = f"/proc/self/fd/{place}"
        path = os.path.realpath(os.fspath(place))  # type: ignore[call-overload]
        return path if path.startswith(self._folder) else None


class _FaultyFile(io.FileIO):
    """An open file whose writes are counted, also those that a buffer above it does."""

    disk: FaultyDisk

    def write(self, data: Any, /) -> int:
        self.disk.count("write", self.fileno())
        return super().write(data)


@contextmanager
def faulty(disk: FaultyDisk) -> Iterator[None]:
    """Let every write of this process go through ``disk``."""
    saved = {name: getattr(os, name) for name in (*_BY_PATH, *_BY_DESCRIPTOR, "open")}
    opening = io.open

    def counted(name: str) -> Callable[..., Any]:
        def call(place: Any, *more: Any, **named: Any) -> Any:
            target = more[0] if name in ("replace", "rename", "link", "symlink") else place
            disk.count(name, target)
            return saved[name](place, *more, **named)

        return call

    def open_descriptor(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & _WRITING:
            disk.count("open", path)
        return int(saved["open"](path, flags, *more, **named))

    def open_file(file: Any, mode: str = "r", buffering: int = -1, *more: Any, **named: Any) -> Any:
        if not set(mode) & set("wxa+"):
            return opening(file, mode, buffering, *more, **named)
        if not isinstance(file, int):
            disk.count("open", file)
        raw = _FaultyFile(file, mode.replace("b", "").replace("t", ""), named.get("closefd", True))
        raw.disk = disk
        named.pop("closefd", None)
        if buffering == 0:
            return raw
        buffer = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
        return buffer if "b" in mode else io.TextIOWrapper(buffer, *more, **named)

    try:
        for name in (*_BY_PATH, *_BY_DESCRIPTOR):
            setattr(os, name, counted(name))
        os.open, io.open, builtins.open = open_descriptor, open_file, open_file
        yield
    finally:
        for name, function in saved.items():
            setattr(os, name, function)
        io.open = builtins.open = opening


# The attack ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Stage:
    """A batch half done by an earlier run, and what the whole of it should look like."""

    options: ScanOptions
    half: Path
    table: list[Row]
    tiles: dict[str, bytes]


_BAD = (
    "finished results lost",
    "results wrong at the end",
    "runs that could not go on",
    "ends without an error a user understands",
    "files left over",
)


def attack(bench: Bench, most: int | None = None, step: int = 1) -> list[Line]:
    """Fail every operation once with each error; ``step`` and ``most`` make a sample."""
    bad = dict.fromkeys(_BAD, 0)
    injected, silent, longest = 0, 0, 0
    with bench.folder("faults") as folder:
        stage = _prepare(bench, folder)
        for number in ERRORS:
            fail_at = 1
            while most is None or fail_at <= most:
                disk = FaultyDisk(stage.options.out, fail_at, number)
                stopped = _one(stage, disk, bad)
                if not disk.failed:
                    break
                injected += 1
                silent += not stopped
                longest = max(longest, fail_at)
                fail_at += step
    names = ", ".join(errno.errorcode[number] for number in ERRORS)
    detail = (
        f"operations 1 to {longest} of a run failed in turn with {names}; {injected - silent} "
        f"stopped the run, {silent} did not matter to it"
    )
    return [Line("every write failed once", injected, bad, detail)]


def _prepare(bench: Bench, folder: Path) -> _Stage:
    source = folder / "in"
    pictures.slide(source / "a.svs", 256)
    pictures.slide(source / "b.svs", 256, seed=1)
    for number in range(3):
        pictures.field(source / f"{number}.png", seed=number)
    options = ScanOptions(
        paths=(source,),
        out=folder / "whole",
        model=str(bench.model),
        threads=1,
        pdf="none",
        heatmap=False,
        abstain="never",
    )
    if hasattr(options, "isolate"):
        # Only this process writes, so who reads makes no difference but to the time it takes.
        options = replace(options, isolate=False)
    _run(options)
    half = folder / "half"
    _run(replace(options, out=half), stop_after=2)
    whole = (table(options.out), tiles(options.out))
    return _Stage(replace(options, out=folder / "out"), half, *whole)


def _run(options: ScanOptions, stop_after: int = 0) -> list[CaseResult]:
    """Run a scan, or leave it after so many cases."""
    done, events = [], scan(options)
    for event in events:
        if isinstance(event, CaseFinished):
            done.append(event.result)
            if len(done) == stop_after:
                events.close()
                break
    return done


def _one(stage: _Stage, disk: FaultyDisk, bad: dict[str, int]) -> bool:
    """One failed operation and one run after it; returns whether the failure stopped the run."""
    out = stage.options.out
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(stage.half, out)
    before, stopped = records(out), False
    reported: set[str] = set()
    try:
        with faulty(disk):
            events = scan(stage.options)
            for event in events:
                if isinstance(event, CaseFinished):
                    reported.add(event.result.key)
    except MachineError:
        stopped = True
    except Exception:  # noqa: BLE001  whatever else comes out is what is counted here
        stopped = True
        bad["ends without an error a user understands"] += 1
    kept = records(out)
    # What was there, and what the run said it had finished, must be there whole.
    bad["finished results lost"] += len((set(before) | reported) - set(kept))
    try:
        _run(stage.options)
    except Exception:  # noqa: BLE001  as above
        bad["runs that could not go on"] += 1
        return stopped
    wrong = table(out) != stage.table or tiles(out) != stage.tiles
    bad["results wrong at the end"] += wrong
    bad["files left over"] += len(leftovers(out))
    return stopped
