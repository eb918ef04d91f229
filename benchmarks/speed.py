"""How fast LungScan is, whole process included, and how much memory it takes.

    python benchmarks/speed.py [--data DIR] [--work DIR] [--model NAME] [--repeats N] [--quick]
                               [--json FILE]

Every figure is the median of runs in fresh processes with fresh output folders; start-up, hashing
and writing the reports count. Rates are the run's own number of tiles (``run.json``) by the time on
the clock outside. Needs a quiet machine, Linux or macOS, and LungScan installed or a checkout with
its libraries. See ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from runs import ROOT, Bench
from table import Figure, digits, facts_of, show

SLIDE_PX = 11_200  # some 1,300 tissue tiles
LARGE_PX = 2 * SLIDE_PX  # four times the area
QUICK_FIELDS = 256
BUSY_LOAD = 0.5  # a load average above this disturbs the figures


def measure(bench: Bench, data: Path, *, quick: bool) -> Iterator[Figure]:
    """Every figure, in the order of the table."""
    field = bench.draw("224", "--field")
    yield Figure(
        "`lungscan --help`", bench.median("-m", "lungscan_cli", "--help"), "s", ("<=", 0.3)
    )
    yield Figure("`import lungscan`", 1000 * bench.import_seconds(), "ms")
    report = bench.ceiling()
    top = float(report["tiles_per_second"])
    how = f"{report['threads']} threads, batches of {report['batch']}"
    yield Figure("network alone", top, "tiles/s", None, how)
    one = bench.classify(field)
    yield Figure("one field", one.seconds, "s", ("<=", 2.0), one.detail)
    yield from measure_fields(bench, data / "lc25000-lung", top, quick=quick)
    yield from measure_slides(bench, top, quick=quick)


def measure_fields(bench: Bench, folder: Path, top: float, *, quick: bool) -> Iterator[Figure]:
    """A folder of field images; nothing when it is missing."""
    fields = sorted(folder.rglob("*.jp*g"))
    if not fields:
        note(f"skipped: {folder} holds no field images; name the data with --data")
        return
    scan = bench.classify(*fields[:QUICK_FIELDS]) if quick else bench.classify(folder)
    name = f"{scan.cases:,} fields"
    goal = None if quick else (">=", 150.0)  # start-up weighs more on few fields
    yield Figure(name, scan.cases / scan.seconds, "images/s", goal, scan.detail)
    yield Figure(f"{name}: of the network's speed", 100 * scan.rate / top, "%")
    yield Figure(f"{name}: peak memory", scan.peak_gb, "GB")


def measure_slides(bench: Bench, top: float, *, quick: bool) -> Iterator[Figure]:
    """A drawn slide and, unless ``quick``, one of four times its area."""
    scan = bench.classify(bench.draw(str(SLIDE_PX)))
    name = f"slide of {SLIDE_PX:,}² px"
    yield Figure(name, scan.rate, "tiles/s", (">=", 100.0), scan.detail)
    yield Figure(f"{name}: of the network's speed", 100 * scan.rate / top, "%")
    yield Figure(f"{name}: peak memory", scan.peak_gb, "GB", ("<=", 1.2))
    if quick:
        return
    large = bench.classify(bench.draw(str(LARGE_PX)))
    name = f"slide of {LARGE_PX:,}² px"
    yield Figure(name, large.rate, "tiles/s", None, large.detail)
    yield Figure(f"{name}: peak memory", large.peak_gb, "GB")
    ratio = large.peak_gb / scan.peak_gb
    yield Figure("peak memory, large slide : small", ratio, "", ("<=", 1.1))


def note(text: str) -> None:
    """Say on stderr what is going on."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description="How fast LungScan is, whole process included.")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--work", type=Path, help="scratch folder; drawn slides are kept there")
    parser.add_argument("--model", default="lung-histology", help="name, or a model's folder")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each scan (default 3)")
    parser.add_argument("--quick", action="store_true", help="one run each, the small inputs only")
    parser.add_argument("--json", type=Path, help="write all figures to this file, too")
    given = parser.parse_args()
    work: Path = given.work or Path(tempfile.gettempdir()) / "lungscan-speed"
    work.mkdir(parents=True, exist_ok=True)
    model = str(Path(given.model).resolve()) if Path(given.model).is_dir() else given.model
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        note(f"warning: other work runs here (load {load:.1f}); the figures will be too low")
    bench = Bench(work.resolve(), model, 1 if given.quick else max(1, given.repeats))
    figures = []
    for figure in measure(bench, given.data.resolve(), quick=given.quick):
        note(f"{figure.name}: {digits(figure.value)} {figure.unit}")
        figures.append(figure)
    quiet = "quiet" if load <= BUSY_LOAD else "not quiet, so the figures are too low"
    facts = facts_of(bench.run_json) | {"Load before": f"{load:.2f} ({quiet})"}
    print(show(facts, figures))
    if given.json:
        lines = [asdict(figure) | {"met": figure.met} for figure in figures]
        given.json.write_text(json.dumps({"facts": facts, "figures": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
