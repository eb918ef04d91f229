"""What a folder of very many cases costs: tables, report, verify, reading back.

    python benchmarks/many_cases.py [--cases 1000 10000 100000] [--folder DIR] [--json FILE]

The answers are drawn: one field's record under as many names, written as a run writes them, so that
only what comes after the network is measured. Each step is a process of its own; its time is by the
clock, its memory the most that it held. Per case both should stay the same however many there are.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

STEPS = ("write", "tables", "report", "verify", "read_results")
STEP_NAMES = {
    "write": "write the records",
    "tables": "tables of all shards (cases.csv, summary.pdf, run.json, checksums)",
    "report": "lungscan report",
    "verify": "lungscan verify",
    "read_results": "read_results as a pandas table",
}


def drawn_result() -> Any:
    """The record of one real field of the demo."""
    import lungscan

    field = next((Path(lungscan.__file__).parent / "demo" / "fields").rglob("*.jpeg"))
    result = lungscan.classify(field, threads=1)
    return replace(result, scores=result.scores, pictures=())


def write(out: Path, cases: int) -> None:
    """Records, and a plan of shards by which the tables can be made."""
    from lungscan.inputs.names import KeyMaker
    from lungscan.options import ScanOptions
    from lungscan.report.write import write_case_files
    from lungscan.results.run_json import summarise
    from lungscan.results.shard_files import ShardDone, ShardPlan, make_plan, write_done

    result, keys = drawn_result(), KeyMaker()
    nothing = {"pdf": False, "heatmap": False, "geojson": False, "tiles_csv": False}
    names = [f"field{index:07d}" for index in range(cases)]
    made, sums = [], []
    begun = time.perf_counter()
    for name in names:
        path = f"fields/{name}.jpeg"
        key = keys.make(name, path)
        files = tuple(replace(file, relative_path=path) for file in result.files)
        one = replace(result, key=key, case_id=name, relative_paths=(path,), files=files)
        written = write_case_files(out / "cases" / key, one, **nothing)
        made.append(key)
        sums.append((f"cases/{key}/case.json", written.sha256))
    print(json.dumps({"seconds": time.perf_counter() - begun}))
    options = ScanOptions(paths=(out,), out=out)
    run = replace(summarise([result]), case_keys=tuple(made), pdf=options.pdf)
    paths = tuple((f"fields/{name}.jpeg",) for name in names)
    plan = ShardPlan(1, (1,) * cases, tuple(names), paths, few_fields=False, run=run, listed=())
    make_plan(out, plan)
    write_done(out, 1, ShardDone(tuple(sums), ()))


def tables(out: Path, _cases: int) -> None:
    """What the last shard does."""
    from lungscan.scanning.sharding.closing import close_shards

    assert close_shards(out) is not None  # noqa: S101


def report(out: Path, _cases: int) -> None:
    """``lungscan report``."""
    import lungscan
    from lungscan.door.jobs import RebuildOptions

    for _ in lungscan.rebuild(RebuildOptions(out)):
        pass


def verify(out: Path, _cases: int) -> None:
    """``lungscan verify``."""
    from lungscan.verification.verify import AMISS
    from lungscan.verification.verify import verify as check

    found = [one for one in check(out) if one.state in AMISS]
    assert not found, found[:3]  # noqa: S101


def read_results(out: Path, cases: int) -> None:
    """The table as pandas has it."""
    import lungscan

    assert len(lungscan.read_results(out)) == cases  # noqa: S101


def in_its_own_process(step: str, out: Path, cases: int, no_sync: bool) -> dict[str, float]:
    """Seconds and MB of one step."""
    words = [sys.executable, __file__, "--step", step, "--folder", str(out), "--cases", str(cases)]
    words += ["--no-sync"] if no_sync else []
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    figures: dict[str, float] = {}
    for line in done.stdout.splitlines():
        figures = json.loads(line) | figures if figures else json.loads(line)
    return figures


def run_step(step: str, out: Path, cases: int) -> None:
    """Do it and tell what it cost."""
    begun = time.perf_counter()
    globals()[step](out, cases)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "mb": peak}))


def table(found: dict[int, dict[str, dict[str, float]]]) -> str:
    """A Markdown table: seconds, ms a case, MB."""
    lines = ["| step | cases | seconds | ms a case | most memory, MB |", "|---|--:|--:|--:|--:|"]
    for step in STEPS:
        for cases, steps in found.items():
            cost = steps[step]
            each = cost["seconds"] / cases * 1e3
            numbers = f"{cost['seconds']:.1f} | {each:.2f} | {cost['mb']:.0f}"
            lines.append(f"| {STEP_NAMES[step]} | {cases:,} | {numbers} |")
    return "\n".join(lines)


def shape(out: Path, cases: int) -> str:
    """What the folder holds, per case: its records, and each table."""
    records = [path.stat() for path in out.glob("cases/*/*")]
    blocks = sum(stat.st_blocks for stat in records) * 512
    size = sum(stat.st_size for stat in records)
    parts = [f"{size / cases / 1e3:.1f} kB of records in {blocks / cases / 1e3:.1f} kB of blocks"]
    tables = sorted(path for path in out.iterdir() if path.is_file())
    parts += [f"{path.name} {path.stat().st_size / cases:.0f} bytes" for path in tables]
    return f"{cases:,} cases, a folder each; of each {', '.join(parts)}"


def main() -> None:
    """Every step for every number of cases."""
    parser = argparse.ArgumentParser(description="Costs of very many cases.")
    parser.add_argument("--cases", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--no-sync", action="store_true", help="write the records without fsync")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.no_sync:
        os.fsync = lambda _: None  # type: ignore[assignment,misc]
    if given.step:
        run_step(given.step, given.folder, given.cases[0])
        return
    work = given.folder or Path(tempfile.mkdtemp(prefix="lungscan-many-"))
    found: dict[int, dict[str, dict[str, float]]] = {}
    for cases in given.cases:
        out = work / str(cases)
        found[cases] = {step: in_its_own_process(step, out, cases, given.no_sync) for step in STEPS}
        print(shape(out, cases), flush=True)
        shutil.rmtree(out)
    print(table(found))
    if given.json:
        given.json.write_text(json.dumps(found))
    if given.folder is None:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
