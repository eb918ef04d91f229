"""The programs that are compared: how each is called, and where its tiles are counted."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peer_environments as environments
from drawing import MPP_UM
from peer_kind import Kind
from runs import GB, HERE, Timed, environment, timed

BATCH = "32"  # of the peers: WSInfer's own default, more than TIAToolbox's

Command = Callable[[Path, Path, int], list[str]]  # input, empty output folder, workers
Reader = Callable[[Path, Timed], "Turn"]  # output folder, how the run went


@dataclass(frozen=True)
class Turn:
    """One run of a program on one input."""

    timed: Timed
    tiles: int


@dataclass(frozen=True)
class Program:
    """A command line, and how to read the number of tiles from what it left."""

    name: str
    command: Command
    env: dict[str, str]
    read: Reader

    def run(self, path: Path, work: Path, workers: int, cores: int | None, *options: str) -> Turn:
        """Run it into an empty folder, which is removed again; raises CommandFailed."""
        out = work / "out"
        shutil.rmtree(out, ignore_errors=True)
        command = [*self.command(path, out, workers), *options]
        done = timed(command, work, self.env, cores)
        turn = self.read(out, done)
        shutil.rmtree(out, ignore_errors=True)
        return turn


@dataclass(frozen=True)
class Measured:
    """All runs of a program on one input."""

    turns: tuple[Turn, ...]

    @property
    def tiles(self) -> int:
        """Tiles (or fields) that the program says it scored."""
        return self.turns[-1].tiles

    @property
    def seconds(self) -> float:
        """Median, whole process."""
        return statistics.median(turn.timed.seconds for turn in self.turns)

    @property
    def cpu_seconds(self) -> float:
        """Median, all processes."""
        return statistics.median(turn.timed.cpu_seconds for turn in self.turns)

    @property
    def rate(self) -> float:
        """Median of tiles per second, whole process."""
        return statistics.median(turn.tiles / turn.timed.seconds for turn in self.turns)

    @property
    def peak_gb(self) -> float:
        """The most that all its processes together held in any run."""
        return max(turn.timed.peak_bytes for turn in self.turns) / GB

    @property
    def read_gb(self) -> float:
        """Median of what read calls returned."""
        return statistics.median(turn.timed.read_bytes or 0 for turn in self.turns) / GB

    @property
    def processes(self) -> int:
        """The most that were seen at once."""
        return max(turn.timed.processes for turn in self.turns)

    @property
    def each(self) -> str:
        """How far the runs lie apart."""
        return ", ".join(f"{turn.timed.seconds:.1f}" for turn in self.turns) + " s"


def lungscan(name: str, model: Path, home: Path) -> Program:
    """LungScan as a user calls it."""

    def command(path: Path, out: Path, workers: int) -> list[str]:
        call = [sys.executable, "-m", "lungscan_cli", "classify", str(path), "--out", str(out)]
        return [*call, "--model", str(model), "--threads", str(workers), "--quiet"]

    def read(out: Path, done: Timed) -> Turn:
        text = (out / "run.json").read_text(encoding="utf-8")
        (home / "run.json").write_text(text, encoding="utf-8")  # names the versions
        return Turn(done, int(json.loads(text)["tiles"]))

    return Program(name, command, environment() | {"HOME": str(home)}, read)


def ceiling(name: str, model: Path, home: Path, seconds: float) -> Program:
    """The network alone on ready batches."""

    def command(_path: Path, _out: Path, _workers: int) -> list[str]:
        script = str(HERE / "ceiling.py")
        return [sys.executable, script, "--model", str(model), "--seconds", str(seconds)]

    return _self_timed(name, command, home)


def decoding(name: str, kind: Kind, home: Path, seconds: float) -> Program:
    """The pixels of the input decoded, and nothing else."""

    def command(path: Path, _out: Path, _workers: int) -> list[str]:
        script = str(HERE / "decoding.py")
        covers = round(kind.size_px * kind.spacing_um / MPP_UM)
        sizes = ["--size", str(kind.size_px), "--covers", str(covers)]
        return [sys.executable, script, str(path), *sizes, "--seconds", str(seconds)]

    return _self_timed(name, command, home)


def _self_timed(name: str, command: Command, home: Path) -> Program:
    """One of our scripts that measures a rate itself; the seconds are those of 1,000 s of it."""

    def read(_out: Path, done: Timed) -> Turn:
        rate = float(json.loads(done.text)["tiles_per_second"])
        tiles = round(rate * 1000)
        return Turn(dataclasses.replace(done, seconds=tiles / rate), tiles)

    return Program(name, command, environment() | {"HOME": str(home)}, read)


def wsinfer(name: str, folder: Path, network: Path, home: Path) -> Program:
    """WSInfer's ``run`` with the network as TorchScript; raises NotInstalled."""
    python = environments.environment_of(environments.WSINFER, folder)
    script, env = str(HERE / "peer_wsinfer.py"), clean_environment(home)
    model = network / "wsinfer"
    call([str(python), script, "prepare", str(network), str(model)], env)

    def command(path: Path, out: Path, workers: int) -> list[str]:
        places = ["--wsi-dir", str(path.parent), "--results-dir", str(out)]
        files = ["--config", str(model / "config.json")]
        files += ["--model-path", str(model / "torchscript_model.pt")]
        sizes = ["--batch-size", BATCH, "--num-workers", str(workers)]
        return [str(python), script, "run", *places, *files, *sizes]

    def read(out: Path, done: Timed) -> Turn:
        (table,) = (out / "model-outputs-csv").glob("*.csv")
        with table.open(encoding="utf-8") as rows:
            return Turn(done, sum(1 for _ in rows) - 1)

    return Program(name, command, env, read)


def tiatoolbox(name: str, folder: Path, network: Path, home: Path) -> Program:
    """TIAToolbox's PatchPredictor with the network in torch; raises NotInstalled."""
    python = environments.environment_of(environments.TIATOOLBOX, folder)
    script, env = str(HERE / "peer_tiatoolbox.py"), clean_environment(home)
    call([str(python), script, str(network), "--check"], env)

    def command(path: Path, out: Path, workers: int) -> list[str]:
        places = [str(network), str(path), str(out)]
        return [str(python), script, *places, "--workers", str(workers), "--batch", BATCH]

    def read(_out: Path, done: Timed) -> Turn:
        answer = next(line for line in done.text.splitlines() if line.startswith('{"tiles"'))
        return Turn(done, int(json.loads(answer)["tiles"]))

    return Program(name, command, env, read)


def call(command: list[str], env: dict[str, str]) -> None:
    """Prepare a peer; raises NotInstalled with its last word when it fails."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
    if done.returncode:
        raise environments.NotInstalled(last_word(done.stderr))


def last_word(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason was given"


def clean_environment(home: Path) -> dict[str, str]:
    """Ours, without our import path, and with a home folder of its own for what peers leave."""
    env: dict[str, Any] = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return env | {"HOME": str(home)}
