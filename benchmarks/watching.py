"""``lungscan classify DIR --watch`` for an hour: slides arrive, grow, are renamed and removed.

    python benchmarks/watching.py [--minutes 60] [--seed 1] [--keep FOLDER]

The program runs as a process of its own. Every few seconds something happens in its folder, drawn
at random; twice it is ended (SIGTERM, SIGKILL) and started again, once the folder is away for a
minute. In the end its tables must hold each slide once, under its last name, with the answer that a
plain run gives: 0 lost, 0 doubled. Memory of the program and its readers is taken every 10 seconds.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from drawing import draw_slide

STEP_S = 15.0  # between two things that happen
GROW_S = 2.0  # between two pieces of a slide that grows
CALM_S = 60.0  # without a new row: then all is done


class Scanner:
    """Writes, renames and removes slides, and knows what must be in the tables."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self._rng, self._count = folder, random.Random(seed), 0  # noqa: S311
        self._whole = folder.with_name("whole")
        self._whole.mkdir()
        folder.mkdir()
        self.expected: dict[str, Path] = {}  # name in the tables -> the slide's picture
        self.happened: dict[str, int] = {}

    def step(self, finished: set[str]) -> None:
        """One thing happens; only what is finished is renamed or removed."""
        here = [name for name in finished if self._path(name).exists()]
        kinds = ["arrives", "arrives", "grows"] + (["is renamed", "is removed"] if here else [])
        kind = self._rng.choice(kinds)
        self.happened[kind] = self.happened.get(kind, 0) + 1
        if kind == "is renamed":
            self._rename(self._rng.choice(sorted(here)))
        elif kind == "is removed":
            self._path(self._rng.choice(sorted(here))).unlink()
        else:
            self._write(slow=kind == "grows")

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.svs"

    def _write(self, *, slow: bool) -> None:
        self._count += 1
        name = f"slide{self._count:04d}"
        side = self._rng.choice((1120, 1344, 1568))
        whole = draw_slide(self._whole / f"{name}.svs", side)
        data = bytearray(whole.read_bytes())
        data += self._count.to_bytes(8, "little")  # no two slides alike
        whole.write_bytes(data)
        with self._path(name).open("wb") as file:
            for piece in np.array_split(np.arange(len(data)), 5 if slow else 1):
                file.write(data[piece[0] : piece[-1] + 1])
                file.flush()
                time.sleep(GROW_S if slow else 0)
        self.expected[name] = whole

    def _rename(self, name: str) -> None:
        self._count += 1
        new = f"renamed{self._count:04d}"
        self._path(name).rename(self._path(new))
        self.expected[new] = self.expected.pop(name)


class Program:
    """The watching process."""

    def __init__(self, folder: Path, out: Path, log: Path) -> None:
        self._words = [sys.executable, "-m", "lungscan_cli", "classify", str(folder)]
        self._words += ["--out", str(out), "--watch", "--pdf", "summary", "--threads", "1"]
        self._log = log.open("a", encoding="utf-8")
        self.memory: list[tuple[float, float]] = []  # (seconds, MB)
        self._begun = time.monotonic()
        self.start()

    def start(self) -> None:
        """Begin to watch."""
        self._process = subprocess.Popen(self._words, stderr=self._log, stdout=self._log)

    def end(self, number: int) -> None:
        """End by a signal, and wait for it."""
        self._process.send_signal(number)
        self._process.wait(60)

    @property
    def alive(self) -> bool:
        """Whether it still watches."""
        return self._process.poll() is None

    def take_memory(self) -> None:
        """Note the resident memory of the process and its children."""
        total = sum(_rss_mb(pid) for pid in (self._process.pid, *_children(self._process.pid)))
        self.memory.append((time.monotonic() - self._begun, total))


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]


def _rss_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def rows(out: Path) -> list[dict[str, str]]:
    """``cases.csv``; [] while there is none."""
    try:
        with (out / "cases.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def finished(out: Path) -> set[str]:
    """Ids of the cases that have an answer."""
    return {row["case_id"] for row in rows(out) if row["status"] in {"ok", "no_result"}}


def play(scanner: Scanner, program: Program, out: Path, minutes: float) -> None:
    """All that happens, in time."""
    begun, length = time.monotonic(), minutes * 60
    once = {0.3: "SIGTERM", 0.5: "away", 0.7: "SIGKILL"}
    while (now := time.monotonic() - begun) < length:
        due = [share for share in once if now > share * length]
        for what in [once.pop(share) for share in due]:
            print(f"{now / 60:.1f} min: {what}", flush=True)
            if what == "away":
                away = scanner.folder.with_name("away")
                scanner.folder.rename(away)
                time.sleep(min(60, length / 20))
                away.rename(scanner.folder)
            else:
                program.end(getattr(signal, what))
                program.start()
        if not program.alive:
            raise SystemExit("The program ended by itself; see the log.")
        scanner.step(finished(out))
        program.take_memory()
        time.sleep(STEP_S)


def settle(program: Program, out: Path, expected: set[str]) -> None:
    """Wait until the tables hold what they must, or nothing new comes."""
    last, since = -1, time.monotonic()
    while finished(out) != expected and time.monotonic() - since < CALM_S:
        if len(rows(out)) != last:
            last, since = len(rows(out)), time.monotonic()
        time.sleep(2)
    program.take_memory()


def judge(scanner: Scanner, out: Path, work: Path) -> tuple[int, int, int]:
    """Slides lost, doubled, and answered otherwise than by a plain run."""
    names = [row["case_id"] for row in rows(out)]
    lost = len(set(scanner.expected) - set(names))
    doubled = len(names) - len(set(names)) + len(set(names) - set(scanner.expected))
    plain = work / "plain"
    words = [sys.executable, "-m", "lungscan_cli", "classify", str(work / "whole")]
    subprocess.run([*words, "--out", str(plain), "--pdf", "none", "--quiet"], check=True)
    answers = {row["case_id"]: _answer(row) for row in rows(plain)}
    found = {row["case_id"]: _answer(row) for row in rows(out)}
    other = sum(found.get(name) != answers[whole.stem] for name, whole in scanner.expected.items())
    return lost, doubled, other


def _answer(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("sha256", "status", "label", "confidence", "tiles"))


def main() -> int:
    """Play, judge, tell."""
    parser = argparse.ArgumentParser(description="An hour of --watch.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for everything, kept afterwards")
    given = parser.parse_args()
    work = given.keep or Path(tempfile.mkdtemp(prefix="lungscan-watching-"))
    work.mkdir(parents=True, exist_ok=True)
    out = work / "results"
    scanner = Scanner(work / "scanner", given.seed)
    program = Program(scanner.folder, out, work / "log.txt")
    try:
        play(scanner, program, out, given.minutes)
        settle(program, out, set(scanner.expected))
    finally:
        if program.alive:
            program.end(signal.SIGTERM)
    lost, doubled, other = judge(scanner, out, work)
    happened = ", ".join(f"{count} {kind}" for kind, count in sorted(scanner.happened.items()))
    print(f"{given.minutes:.0f} minutes; slides: {happened}; {len(scanner.expected)} in the tables")
    print(f"lost {lost}, doubled {doubled}, answered otherwise than by a plain run {other}")
    levels = [mb for _, mb in program.memory]
    thirds = np.array_split(np.array(levels), 3)
    ranges = ", ".join(f"{third.min():.0f} to {third.max():.0f}" for third in thirds if len(third))
    print(f"memory of program and readers in each third of the time: {ranges} MB")
    if given.keep is None:
        shutil.rmtree(work, ignore_errors=True)
    return int(bool(lost or doubled or other))


if __name__ == "__main__":
    sys.exit(main())
