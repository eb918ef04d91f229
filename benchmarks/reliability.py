"""The reliability card: what was done to LungScan, and how often it lost or broke something.

    python benchmarks/reliability.py [--quick | --full] [--only NAME] [--seed N] [--write FILE]

Each line counts what this very run saw. ``--quick`` (the default) takes minutes; ``--full`` makes
10,000 damaged files and 200 kills. Wants Linux for some lines, and says which it could not run. All
files are drawn here, with a model that costs nothing, so that the time goes into LungScan.

Exit code 0 when every count is 0 (lines that could not be run are named and count as neither).
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(ROOT / part) for part in ("", "cli", "gui", "models") if str(ROOT / part) not in sys.path
]

from attacks import (  # noqa: E402  the checkout must be on the path first
    bombs,
    ct,
    disk,
    faults,
    kills,
    malformed,
    models,
    names,
    packages,
    page,
    privacy,
    readers,
    single,
)
from attacks.base import Attack, Bench, Line  # noqa: E402
from attacks.model import build  # noqa: E402
from table import cores, processor  # noqa: E402

from lungscan import __version__  # noqa: E402


@dataclass(frozen=True)
class Planned:
    """An attack with its sizes."""

    attack: Attack
    quick: dict[str, Any] = field(default_factory=dict)
    full: dict[str, Any] = field(default_factory=dict)


ATTACKS = {
    "malformed": Planned(malformed.attack, {"count": 500}, {"count": 10_000}),
    "kills": Planned(kills.attack, {"kills": 20}, {"kills": 200}),
    "faults": Planned(faults.attack, {"step": 4}),
    "disk": Planned(disk.attack),
    "names": Planned(names.attack, {"count": 60}, {"count": 200}),
    "models": Planned(models.attack, {"every": 3}),
    "privacy": Planned(privacy.attack),
    "bombs": Planned(bombs.attack, {"every": 2}),
    "tile": Planned(single.one_tile),
    "loop": Planned(single.link_loop),
    "readers": Planned(readers.attack),
    "ct": Planned(ct.attack, {"slices": 200}, {"slices": 4_000}),
    "network": Planned(single.network),
    "page": Planned(page.attack),
    "packages": Planned(packages.attack),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the attacks asked for and print the card; returns the exit code."""
    parser = argparse.ArgumentParser(description="Print the reliability card.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="samples; minutes (the default)")
    size.add_argument(
        "--full", action="store_true", help="everything; some 15 minutes on two cores"
    )
    parser.add_argument("--only", action="append", choices=ATTACKS, help="may be given again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="write the card to this file as well")
    parser.add_argument("--recipe", type=int, help="write damaged file number N here, and stop")
    given = parser.parse_args(arguments)
    if given.recipe is not None:
        print(write_recipe(given.recipe, given.seed))
        return 0
    chosen = {name: ATTACKS[name] for name in given.only or ATTACKS}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lungscan-reliability-") as scratch:
        bench = Bench(Path(scratch), build(Path(scratch) / "model").folder, given.seed)
        lines = list(run(bench, chosen, full=given.full, say=_say))
    card = show(lines, facts(given.full, given.seed, time.monotonic() - begun, given.only or ()))
    print(card)
    if given.write:
        given.write.write_text(card + "\n", encoding="utf-8")
    return 0 if all(line.met or line.not_run for line in lines) else 1


def run(
    bench: Bench, chosen: dict[str, Planned], *, full: bool, say: Callable[[str], None]
) -> Iterable[Line]:
    """The lines of the attacks, one after the other. One that breaks is a line that is not met."""
    for name, planned in chosen.items():
        begun = time.monotonic()
        try:
            lines = planned.attack(bench, **(planned.full if full else planned.quick))
        except Exception as error:  # noqa: BLE001  the others still have something to say
            lines = [
                Line(name, 0, {"the attack itself broke": 1}, f"{type(error).__name__}: {error}")
            ]
        for line in lines:
            say(f"{line.name}: {_verdict(line)} ({time.monotonic() - begun:.0f} s)")
            yield line


def write_recipe(number: int, seed: int) -> Path:
    """Write one damaged file into the working folder, to look at it."""
    from attacks.recipes import make

    recipe = make(number, seed)
    path = Path(recipe.name)
    path.write_bytes(recipe.data)
    return path


# The card -----------------------------------------------------------------------------------------


def facts(full: bool, seed: int, seconds: float, only: Sequence[str]) -> dict[str, str]:
    """What the card was made on, and by which command."""
    flags = ["--full" if full else "--quick", *(f"--only {name}" for name in only)]
    flags += [f"--seed {seed}"] if seed else []
    return {
        "Date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "Machine": f"{processor()}, {cores()} cores, {platform.system()} {platform.machine()}",
        "Program": f"LungScan {__version__}, Python {platform.python_version()}",
        "Command": f"python benchmarks/reliability.py {' '.join(flags)}",
        "Took": f"{seconds / 60:.1f} min",
    }


def show(lines: Sequence[Line], facts: dict[str, str]) -> str:
    """The card as Markdown, legible as it is."""
    head = ("attack", "tried", "what must be 0", "all 0", "how")
    cells = [head, *((line.name, f"{line.tried:,}", *_counts(line)) for line in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    rows = ["| " + " | ".join((*_padded(row[:4], widths), row[4])) + " |" for row in cells]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|---|"
    top = [f"{name}: {value}  " for name, value in facts.items()]
    return "\n".join(["# Reliability card", "", *top, "", rows[0], rule, *rows[1:]])


def _counts(line: Line) -> tuple[str, str, str]:
    if line.not_run:
        return "", "not run", _plain(line.not_run)
    bad = ", ".join(f"{name} {number}" for name, number in line.bad.items())
    return bad, "yes" if line.met else "**NO**", _plain(line.detail)


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]


def _plain(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


def _verdict(line: Line) -> str:
    if line.not_run:
        return f"not run, {line.not_run}"
    return "all 0" if line.met else f"NOT all 0: {line.bad} {line.detail}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
