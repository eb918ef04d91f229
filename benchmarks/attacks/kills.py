"""``kill -9`` at random moments, again and again, until each run has come to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from attacks import pictures
from attacks.base import (
    Bench,
    Line,
    Row,
    kill_session,
    leftovers,
    missing_and_doubled,
    records,
    session,
    start,
    table,
    tiles,
)

GRACE_SECONDS = 10.0  # in which the children of a killed run must have ended
_OPTIONS = ("--pdf", "none", "--no-heatmap", "--threads", 2, "--overlap", 0.5)


@dataclass
class _Whole:
    """What an undisturbed run left, and how long it worked."""

    table: list[Row]
    tiles: dict[str, bytes]
    seconds: float


@dataclass
class _Tally:
    kills: int = 0
    during_work: int = 0
    runs: int = 0
    bad: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            (
                "results lost",
                "results doubled",
                "tables that differ",
                "tiles.csv that differ",
                "runs that could not go on",
                "children left alive",
                "files left over",
            ),
            0,
        )
    )


def attack(bench: Bench, kills: int = 200, slides: int = 4, fields: int = 12) -> list[Line]:
    """Kill runs over the same batch until ``kills`` were killed; compare each that ends."""
    rng, tally = Random(bench.seed), _Tally()  # noqa: S311
    with bench.folder("kills") as folder:
        batch = _draw(folder / "in", slides, fields)
        whole = _undisturbed(bench, folder / "whole", batch)
        while tally.kills < kills:
            _one_batch(bench, folder / "out", batch, whole, rng, kills, tally)
    detail = (
        f"{tally.kills} kills, {tally.during_work} of them after the first result was there, "
        f"over {tally.runs} runs that were then finished and compared"
    )
    return [Line("kill -9 at random moments", tally.kills, tally.bad, detail)]


def _draw(folder: Path, slides: int, fields: int) -> Path:
    for number in range(slides):
        pictures.slide(folder / f"slide{number}.svs", 768, number)
    for number in range(fields):
        pictures.field(folder / "fields" / f"{number}.png", seed=number)
    return folder


def _undisturbed(bench: Bench, out: Path, batch: Path) -> _Whole:
    process = start(bench.command(out, batch, *_OPTIONS))
    begun = _when(process, out / ".lungscan-lock")
    _, err = process.communicate()
    seconds = time.monotonic() - begun
    if process.returncode != 0:
        raise RuntimeError(f"the undisturbed run failed: {err}")
    return _Whole(table(out), tiles(out), seconds)


def _one_batch(
    bench: Bench, out: Path, batch: Path, whole: _Whole, rng: Random, kills: int, tally: _Tally
) -> None:
    """Begin in an empty folder; kill and go on until a run comes to its end, then compare."""
    with bench.folder("kills/out"):
        while True:
            before = records(out)
            process = start(bench.command(out, batch, *_OPTIONS))
            if tally.kills < kills:
                _when(process, out / ".lungscan-lock")
                _wait(process, rng.uniform(0, 1.2 * whole.seconds))
                _kill(process, rng)
            process.wait()
            tally.bad["children left alive"] += _orphans(process.pid)
            process.communicate()  # only now: an orphan would keep the pipes open
            if process.returncode != -signal.SIGKILL:
                break
            tally.kills += 1
            after = records(out)
            tally.during_work += bool(after)
            tally.bad["results lost"] += len(set(before) - set(after))
        tally.runs += 1
        tally.bad["runs that could not go on"] += process.returncode != 0
        _compare(out, whole, tally.bad)


def _compare(out: Path, whole: _Whole, bad: dict[str, int]) -> None:
    found = table(out)
    lost, doubled = missing_and_doubled(found, whole.table)
    bad["results lost"] += lost
    bad["results doubled"] += doubled
    bad["tables that differ"] += found != whole.table
    bad["tiles.csv that differ"] += sum(
        tiles(out).get(key) != data for key, data in whole.tiles.items()
    )
    bad["files left over"] += len(leftovers(out))


def _kill(process: subprocess.Popen[str], rng: Random) -> None:
    """Kill the run alone, whose children must then end by themselves, or all of them at once."""
    if process.poll() is None:
        if rng.random() < 0.5:
            kill_session(process.pid)
        else:
            os.kill(process.pid, signal.SIGKILL)


def _when(process: subprocess.Popen[str], path: Path) -> float:
    """Wait until ``path`` is there or the process has ended; returns the time."""
    return until(lambda: path.exists() or process.poll() is not None, 120)


def _orphans(leader: int) -> int:
    """How many processes of a session still live when they should have ended; they are killed."""
    until(lambda: not session(leader), GRACE_SECONDS)
    alive = len(session(leader))
    kill_session(leader)
    return alive


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for ``condition``, no longer than ``seconds``; returns when it was met."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return time.monotonic()


def _wait(process: subprocess.Popen[str], seconds: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
