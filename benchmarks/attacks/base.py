"""What all attacks share: a line of the card, a scratch folder, LungScan as a user starts it."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lungscan.errors import LungScanError
from lungscan.results.case_json import from_json

ROOT = Path(__file__).resolve().parents[2]
Row = dict[str, str]

VOLATILE = {"seconds"}  # columns of cases.csv that differ between two equal runs
_KIB = 1024
_LOOK_SECONDS = 0.02  # between two looks at the memory of a run


@dataclass(frozen=True)
class Line:
    """One line of the card: what was tried, and what was counted.

    Every count in ``bad`` must be 0. A line that could not be run says why in ``not_run`` and never
    counts as met.
    """

    name: str
    tried: int
    bad: dict[str, int]
    detail: str = ""
    not_run: str = ""

    @property
    def met(self) -> bool:
        """Whether it was run and nothing went wrong."""
        return not self.not_run and self.tried > 0 and not any(self.bad.values())


@dataclass(frozen=True)
class Done:
    """A process that has ended; ``code`` is negative after a signal, None after a timeout."""

    code: int | None
    out: str
    err: str
    peak_bytes: int = 0  # of the whole process tree, if it was watched

    @property
    def crashed(self) -> bool:
        """Whether it ended by a signal, a traceback, an unforeseen fault or not at all."""
        orderly = self.code is not None and self.code >= 0 and self.code != 70
        return not orderly or "Traceback" in self.err


@dataclass(frozen=True)
class Bench:
    """Where attacks work, and with what."""

    work: Path
    model: Path
    seed: int = 0

    @contextmanager
    def folder(self, name: str) -> Iterator[Path]:
        """An empty folder that is gone afterwards."""
        path = self.work / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def command(self, out: Path, *more: object) -> list[str]:
        """``lungscan classify`` into ``out``; answers are never withheld, so that there are some.

        ``more`` are paths and options; without them no PDF and no map is made.
        """
        fixed = ("--out", out, "--model", self.model, "--abstain", "never", "--quiet")
        words = ("classify", *fixed, *more)
        return [sys.executable, "-m", "lungscan_cli", *map(str, words)]

    def classify(self, out: Path, *more: object, timeout: float = 600, **env: str) -> Done:
        """Run ``command`` to its end."""
        return execute(self.command(out, *more), timeout=timeout, **env)


PLAIN = ("--pdf", "none", "--no-heatmap", "--no-geojson")  # results only


def environment(**more: str) -> dict[str, str]:
    """The environment of every process here: the checkout first, no debug output."""
    folders = [str(ROOT / part) for part in ("", "cli", "gui", "models", "benchmarks")]
    folders += [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    kept = {key: text for key, text in os.environ.items() if not key.startswith("LUNGSCAN_")}
    return kept | {"PYTHONPATH": os.pathsep.join(folders), "NO_COLOR": "1"} | more


def start(command: Sequence[str], **env: str) -> subprocess.Popen[str]:
    """Start a command as the leader of its own session, so that all it starts can be found."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        text=True,
        errors="replace",
        env=environment(**env),
        start_new_session=True,
    )


def execute(command: Sequence[str], *, timeout: float = 600, **env: str) -> Done:
    """Run a command to its end, or kill it and all that it started."""
    return _finish(start(command, **env), timeout)


def watch(command: Sequence[str], *, timeout: float = 600, **env: str) -> Done:
    """Run a command and note the most memory that it and its children held at once.

    The sum of each process's own high-water mark is at least the peak of the whole, so no peak
    between two looks is missed while a process lives.
    """
    process = start(command, **env)
    ended = threading.Event()
    peaks = [0]

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            peaks.append(max(peaks.pop(), sum(map(_high_water, session(process.pid)))))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        done = _finish(process, timeout)
    finally:
        ended.set()
        looking.join()
    return replace(done, peak_bytes=peaks[0])


def _finish(process: subprocess.Popen[str], timeout: float) -> Done:
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        kill_session(process.pid)
        out, err = process.communicate()
        return Done(None, out, err)
    return Done(process.returncode, out, err)


def session(leader: int) -> list[int]:
    """Processes that belong to the session of ``leader`` and live (Linux)."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # The name stands in brackets and may hold anything; the state follows.
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue  # it has just ended
            if int(fields[3]) == leader and fields[0] not in "ZX":
                found.append(int(folder.name))
    return found


def kill_session(leader: int) -> None:
    """Kill -9 every process of a session that ``start`` began, also those it is just starting."""
    while pids := session(leader):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_SECONDS)


def _high_water(pid: int) -> int:
    """The most memory that a process has held, in bytes; 0 when it has ended."""
    try:
        lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * _KIB for line in lines if line.startswith("VmHWM")), 0)


# Results ------------------------------------------------------------------------------------------


def rows(out: Path) -> list[Row]:
    """``cases.csv``; [] when there is none."""
    try:
        with (out / "cases.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def table(out: Path) -> list[Row]:
    """``cases.csv`` without what differs from run to run."""
    return [{name: cell for name, cell in row.items() if name not in VOLATILE} for row in rows(out)]


def tiles(out: Path) -> dict[str, bytes]:
    """The bytes of each ``tiles.csv`` by the case's key."""
    return {path.parent.name: path.read_bytes() for path in out.glob("cases/*/tiles.csv")}


def records(out: Path) -> dict[str, bytes]:
    """The bytes of each whole ``case.json`` by key; damaged ones are left out."""
    found = {}
    for path in out.glob("cases/*/case.json"):
        data = path.read_bytes()
        try:
            from_json(data)
        except LungScanError:
            continue
        found[path.parent.name] = data
    return found


def leftovers(out: Path) -> list[Path]:
    """Hidden files (temporary ones, locks, journals) that a finished run should not have left."""
    return [path for path in out.rglob(".*") if path.is_file()]


def missing_and_doubled(found: Sequence[Row], expected: Sequence[Row]) -> tuple[int, int]:
    """How many rows of ``expected`` are not there, and how many paths stand there twice."""
    paths = [row["relative_path"] for row in found]
    missing = sum(row["relative_path"] not in paths for row in expected)
    return missing, len(paths) - len(set(paths))


Attack = Callable[..., list[Line]]
