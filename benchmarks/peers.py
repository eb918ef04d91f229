"""LungScan beside WSInfer and TIAToolbox: same slide, same network, same cores, in alternation.

    python benchmarks/peers.py [--work DIR] [--quick] [--repeats N] [--no-peers] [--peers-16x]
                               [--architecture NAME --size PX] [--write FILE] [--json FILE]

Draws the slides, installs the peers into environments of their own below ``--work``, gives all the
same network, runs every program as a fresh process in turns, and prints tables of what each took.
A peer that cannot be installed or run is left out with the reason. Wants Linux, a quiet machine and
the extra ``train``. See ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import peer_programs as programs
from peer_cases import (
    ALONE,
    CASES,
    DECODING,
    LUNGSCAN,
    NETWORK,
    QUICK,
    TIATOOLBOX,
    WSINFER,
    Job,
    jobs_for,
)
from peer_environments import NotInstalled
from peer_kind import Kind, shipped, unscaled
from peer_page import page, write_page
from peer_programs import Measured, Program, Turn
from peer_tables import Results, section
from runs import HERE, Bench, CommandFailed
from table import cores

CEILING_S = 6.0  # of each measurement of a part alone
BUSY_LOAD = 0.5  # a load average above this disturbs the figures


@dataclass
class Session:
    """What one measuring knows: its programs, what they took, and who was left out and why."""

    work: Path
    bench: Bench
    kind: Kind
    programs: dict[str, Program]
    skipped: dict[str, str]
    turns: dict[tuple[str, str], list[Turn]] = field(default_factory=dict)

    def input_of(self, case: str) -> Path:
        """The drawn input of a case; a slide lies alone in its folder, as WSInfer wants it."""
        drawing = CASES[case].drawing
        folder = self.work / "inputs" / "-".join(drawing).replace("--", "")
        folder.mkdir(parents=True, exist_ok=True)
        return into_cache(self.bench.draw(*drawing, folder=folder))

    def warm(self) -> None:
        """Let every program start once on a small slide: caches and byte code are made then."""
        for name in list(self.programs):
            self._run(Job(name, "warm", 1))
            self.turns.pop((name, "warm"), None)

    def measure(self, jobs: list[Job]) -> None:
        """Every job's turns, the programs taking turns with one another."""
        for turn in range(max(job.repeats for job in jobs)):
            for job in jobs:
                if turn < job.repeats and job.program in self.programs:
                    self._run(job)

    def _run(self, job: Job) -> None:
        case, program = CASES[job.case], self.programs[job.program]
        threads = min(case.cores or cores(), cores())
        path = self.input_of(job.case)
        try:
            turn = program.run(path, self.work, threads, case.cores, *case.options)
        except (CommandFailed, LookupError, OSError, ValueError) as error:
            reason = programs.last_word(str(error))
            if job.program in (LUNGSCAN, *ALONE):
                raise SystemExit(f"{job.program} failed on {job.case}: {error}") from error
            self.skipped[job.program] = f"failed on the case {job.case}: {reason}"
            del self.programs[job.program]
            return
        self.turns.setdefault((job.program, job.case), []).append(turn)
        rate = f"{turn.tiles / turn.timed.seconds:.3g}/s"
        took = "" if job.program in ALONE else f"{turn.timed.seconds:.1f} s, {turn.tiles:,} tiles, "
        note(f"{job.program}, {job.case}: {took}{rate}")

    def results(self) -> Results:
        """All that was measured."""
        return {key: Measured(tuple(turns)) for key, turns in self.turns.items()}


def gather(work: Path, bench: Bench, kind: Kind, *, peers: bool) -> Session:
    """Make the network and all programs that can be had here."""
    home, network = work / "home", work / "-".join(("network", *kind.words))
    home.mkdir(exist_ok=True)
    note("the network, and the peers' environments (minutes when they are made) ...")
    bench.run(str(HERE / "peer_network.py"), str(network), *kind.words)
    model, folder = network / "lungscan", work / "environments"
    makers: dict[str, Callable[[str], Program]] = {
        LUNGSCAN: lambda name: programs.lungscan(name, model, home),
        NETWORK: lambda name: programs.ceiling(name, model, home, CEILING_S),
        DECODING: lambda name: programs.decoding(name, kind, home, CEILING_S),
    }
    if peers:
        makers[WSINFER] = lambda name: programs.wsinfer(name, folder, network, home)
        makers[TIATOOLBOX] = lambda name: programs.tiatoolbox(name, folder, network, home)
    made, skipped = {}, {}
    for name, maker in makers.items():
        try:
            made[name] = maker(name)
        except NotInstalled as error:
            skipped[name] = f"could not be installed: {error}"
            note(f"{name} {skipped[name]}")
    return Session(work, bench, kind, made, skipped)


def into_cache(path: Path) -> Path:
    """Read a file or folder once, so that no program pays for the disk on behalf of the others."""
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        with file.open("rb") as handle:
            while handle.read(1 << 20):
                pass
    return path


def record(session: Session) -> list[dict[str, Any]]:
    """Every single run, as measured."""
    return [
        {"program": program, "case": case, "tiles": turn.tiles}
        | {key: value for key, value in asdict(turn.timed).items() if key != "text"}
        for (program, case), turns in session.turns.items()
        for turn in turns
    ]


def note(text: str) -> None:
    """Say on stderr what is going on."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure everything and print the tables."""
    parser = argparse.ArgumentParser(description="LungScan beside WSInfer and TIAToolbox.")
    parser.add_argument("--work", type=Path, help="scratch folder (some 4 GB); kept for next time")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each case (default 3)")
    parser.add_argument("--quick", action="store_true", help="one run each on the small slide")
    parser.add_argument("--no-peers", action="store_true", help="LungScan and its ceiling alone")
    parser.add_argument("--peers-16x", action="store_true", help="run the peers there, too")
    parser.add_argument("--architecture", help="another network than the shipped one, of timm")
    parser.add_argument("--size", type=int, help="px of its input (default 224)")
    parser.add_argument("--write", type=Path, help="put the tables into this page, too")
    parser.add_argument("--json", type=Path, help="write every single run to this file")
    given = parser.parse_args()
    if given.size and not given.architecture:
        parser.error("--size goes with --architecture")
    given.size = given.size or 224
    if sys.platform != "linux":
        raise SystemExit("The peers are measured on Linux only; benchmarks/speed.py runs on macOS.")
    work = (given.work or Path(tempfile.gettempdir()) / "lungscan-peers").resolve()
    work.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        note(f"warning: other work runs here (load {load:.1f}); the figures will be disturbed")
    kind = unscaled(given.architecture, given.size) if given.architecture else shipped()
    session = gather(work, Bench(work, "", 1), kind, peers=not given.no_peers)
    jobs = QUICK if given.quick else jobs_for(max(1, given.repeats), peers_16x=given.peers_16x)
    session.warm()
    try:
        session.measure(jobs)
    finally:  # what was measured before an interruption is not lost
        (given.json or work / "peers.json").write_text(json.dumps(record(session), indent=1) + "\n")
    run = json.loads((work / "home" / "run.json").read_text(encoding="utf-8"))
    found = section(session.results(), session.skipped, run, load, command(given))
    print(page(found, "", session.kind))
    if given.write:
        write_page(given.write, found, session.kind)
    plot(session.results(), work / "peers.png")


def command(given: argparse.Namespace) -> str:
    """The command line, without folders and files."""
    kind = f" --architecture {given.architecture} --size {given.size}" if given.architecture else ""
    return "python benchmarks/peers.py" + kind + (" --quick" if given.quick else "")


def plot(results: Results, path: Path) -> None:
    """Draw the scaling, where matplotlib is installed."""
    try:
        from peer_plot import draw
    except ImportError:
        note("no plot: matplotlib is not installed")
        return
    draw(results, path)
    note(f"plot: {path}")


if __name__ == "__main__":
    main()
