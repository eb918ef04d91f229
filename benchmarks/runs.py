"""Commands run in fresh processes, timed from outside."""

from __future__ import annotations

import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
STARTS = 7  # of a short command
GB = 1e9


@dataclass(frozen=True)
class Timed:
    """One run of a command, as ``timed.py`` saw it."""

    seconds: float
    cpu_seconds: float  # user and system, of all threads and processes
    peak_bytes: int  # of all processes together
    text: str
    read_bytes: int | None = None  # by read calls; None where the system does not say
    processes: int = 1  # the most that were seen at once
    others_cpu_seconds: float = 0.0  # what else ran on the machine meanwhile


@dataclass(frozen=True)
class Scan:
    """Several runs of ``lungscan classify`` on the same inputs."""

    runs: tuple[Timed, ...]
    cases: int
    tiles: int  # all that went through the network
    tiles_used: int  # those that the answers rest on

    @property
    def seconds(self) -> float:
        """Median of the runs."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def rate(self) -> float:
        """Tiles per second, whole process."""
        return self.tiles / self.seconds

    @property
    def peak_gb(self) -> float:
        """The most memory that any of the runs held, in GB."""
        return max(run.peak_bytes for run in self.runs) / GB

    @property
    def detail(self) -> str:
        """What was counted, and how far the runs lie apart."""
        each = ", ".join(f"{run.seconds:.1f}" for run in self.runs)
        cpu = statistics.median(run.cpu_seconds for run in self.runs)
        counts = f"tiles: {self.tiles:,}, used: {self.tiles_used:,}"
        return f"{counts}; {each} s; CPU {cpu:.1f} s"


class Bench:
    """Runs commands in a scratch folder, each in a fresh process."""

    def __init__(self, work: Path, model: str, repeats: int) -> None:
        self._work, self._model, self._repeats = work, model, repeats
        self._env = environment()
        self.run_json: dict[str, Any] = {}  # of the last scan

    def run(self, *command: str) -> Timed:
        """Run Python with these arguments; SystemExit with what it said when it fails."""
        try:
            return timed([sys.executable, *command], self._work, self._env)
        except CommandFailed as error:
            raise SystemExit(f"python {' '.join(command[:4])} ... failed:\n{error}") from error

    def classify(self, *paths: Path) -> Scan:
        """Classify some paths, each time into an empty folder."""
        out = self._work / "out"
        options = ("--out", str(out), "--model", self._model, "--quiet")
        runs = []
        for _ in range(self._repeats):
            shutil.rmtree(out, ignore_errors=True)
            runs.append(self.run("-m", "lungscan_cli", "classify", *map(str, paths), *options))
        self.run_json = json.loads((out / "run.json").read_text(encoding="utf-8"))
        with (out / "cases.csv").open(encoding="utf-8", newline="") as table:
            used = sum(int(row["tiles_used"]) for row in csv.DictReader(table))
        cases = sum(self.run_json[status] for status in ("ok", "no_result", "partial"))
        shutil.rmtree(out)
        return Scan(tuple(runs), cases, self.run_json["tiles"], used)

    def median(self, *command: str) -> float:
        """Median seconds of a short command, after one run that warms the disk's cache."""
        return statistics.median([self.run(*command).seconds for _ in range(STARTS + 1)][1:])

    def import_seconds(self) -> float:
        """Median seconds of ``import lungscan`` inside an interpreter that has started."""
        code = (
            "import time; t = time.perf_counter(); import lungscan; print(time.perf_counter() - t)"
        )
        runs = [float(self.run("-c", code).text) for _ in range(STARTS + 1)]
        return statistics.median(runs[1:])

    def ceiling(self) -> dict[str, Any]:
        """The report of ``ceiling.py`` whose speed is the median."""
        command = (str(HERE / "ceiling.py"), "--model", self._model)
        reports = [json.loads(self.run(*command).text) for _ in range(self._repeats)]
        reports.sort(key=lambda report: float(report["tiles_per_second"]))
        median: dict[str, Any] = reports[len(reports) // 2]
        return median

    def draw(self, *arguments: str, folder: Path | None = None) -> Path:
        """Path of a drawing in the scratch folder or another, made now or by an earlier run."""
        script = str(HERE / "drawing.py")
        return Path(self.run(script, str(folder or self._work), *arguments).text.strip())


class CommandFailed(Exception):
    """A command that was timed ended with an error; the text is what it said."""


def timed(command: list[str], folder: Path, env: dict[str, str], cores: int | None = None) -> Timed:
    """Run a command in a folder, on the first ``cores`` cores or on all; raises CommandFailed."""
    limit = [] if cores is None else ["--cores", str(cores)]
    timer = [sys.executable, str(HERE / "timed.py"), *limit, *command]
    done = subprocess.run(timer, check=True, stdout=subprocess.PIPE, text=True, cwd=folder, env=env)
    report = json.loads(done.stdout)
    if report.pop("exit_code"):
        raise CommandFailed(report["text"])
    return Timed(**report)


def environment() -> dict[str, str]:
    """The environment of the commands: with the checkout on the path if LungScan is not there."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    folders = [str(Path(part).resolve()) for part in given if part]
    if find_spec("lungscan_cli") is None:
        folders += [str(ROOT), str(ROOT / "cli"), str(ROOT / "models")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(folders)}
