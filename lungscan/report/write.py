"""The door of the reports: all files of a case, all files of a run, and both again from JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from lungscan.errors import NothingToDo
from lungscan.report.case_json import DamagedRecord, from_json, to_json
from lungscan.report.case_pdf import write_case_pdf
from lungscan.report.cases_csv import write_cases_csv
from lungscan.report.files import write_atomic
from lungscan.report.geojson import numbered, write_tiles_geojson
from lungscan.report.heatmap import has_heatmap, render_heatmap
from lungscan.report.run_json import RunSummary, read_run_json, summarise, write_run_json
from lungscan.report.summary_pdf import SummaryRow, summary_row, write_summary_rows
from lungscan.report.tiles_csv import write_tiles_csv
from lungscan.types import CaseResult

FEW_FIELDS = 12  # a run of at most this many fields gets per-case files without asking


def write_case_files(
    folder: Path,
    result: CaseResult,
    *,
    pdf: bool,
    heatmap: bool,
    geojson: bool,
    tiles_csv: bool,
) -> None:
    """Write ``case.json``, durably and first, and the chosen files that are made from it.

    Files that a case has nothing for (tiles of a failed one) are left out. Raises MachineError.
    """
    write_atomic(folder / "case.json", to_json(result))
    _write_derived(folder, result, pdf=pdf, heatmap=heatmap, geojson=geojson, tiles_csv=tiles_csv)


def _write_derived(
    folder: Path,
    result: CaseResult,
    *,
    pdf: bool,
    heatmap: bool,
    geojson: bool,
    tiles_csv: bool,
) -> None:
    if tiles_csv and result.scores:
        write_tiles_csv(folder / "tiles.csv", result)
    if geojson and result.scores:
        write_tiles_geojson(folder, result)
    if heatmap:
        for index in range(len(result.files)):
            if has_heatmap(result, index):
                path = folder / numbered("heatmap.png", index)
                write_atomic(path, render_heatmap(result, index), durable=False)
    if pdf:
        write_case_pdf(folder / "report.pdf", result)


def write_run_files(
    out: Path, results: Iterable[CaseResult], summary: RunSummary, *, pdf: bool
) -> None:
    """Write ``cases.csv``, ``run.json`` and, if asked, ``summary.pdf``, in one pass.

    ``results`` may be a generator: no more than one record is held at a time. Raises MachineError.
    """
    rows: list[SummaryRow] = []
    passing = _noting(results, rows)
    write_cases_csv(out / "cases.csv", passing, summary.model.class_names)
    write_run_json(out / "run.json", summary)
    if pdf:
        write_summary_rows(out / "summary.pdf", rows, summary)


def _noting(results: Iterable[CaseResult], rows: list[SummaryRow]) -> Iterator[CaseResult]:
    for result in results:
        rows.append(summary_row(result))
        yield result


# Rebuilding -------------------------------------------------------------------------------------


def rebuild(out: Path) -> int:
    """Write every report below ``out`` again from its JSON files; return the number of cases.

    Slides, small runs and cases that already have per-case files get all of them. When
    ``run.json`` is missing, damaged or names other cases (a run was stopped), the run is summarised
    from its cases. Raises NothingToDo without cases; DamagedRecord, after all the others are
    written, naming the files that cannot be read; MachineError when a file cannot be written.
    """
    run = _run_summary(out)
    paths = _case_paths(out, run.case_keys if run else ())
    if not paths:
        raise NothingToDo(f"{out} holds no cases/*/case.json; point to the --out folder of a run.")
    if run is None or set(run.case_keys) != {path.parent.name for path in paths}:
        versions = run.versions if run else ()
        run = replace(summarise(_readable(paths, [])), versions=versions)
    damaged: list[str] = []
    rows = _rederived(_readable(paths, damaged), out / "cases", few=len(paths) <= FEW_FIELDS)
    write_run_files(out, rows, run, pdf=True)
    if damaged:
        raise DamagedRecord(
            f"{len(paths) - len(damaged)} of {len(paths)} cases were rebuilt; the others cannot "
            f"be read: {' '.join(damaged)}"
        )
    return len(paths)


def _run_summary(out: Path) -> RunSummary | None:
    """What ``run.json`` says; None when there is none or it is damaged, as the cases hold all."""
    try:
        return read_run_json((out / "run.json").read_bytes())
    except (FileNotFoundError, DamagedRecord):
        return None


def _case_paths(out: Path, keys: tuple[str, ...]) -> list[Path]:
    """Every ``case.json``, in the order of the run; those it does not name come last, by name."""
    order = {key: index for index, key in enumerate(keys)}
    found = out.glob("cases/*/case.json")
    return sorted(found, key=lambda p: (order.get(p.parent.name, len(order)), p.parent.name))


def _readable(paths: Iterable[Path], damaged: list[str]) -> Iterator[CaseResult]:
    """The cases that can be read; for each of the others a sentence is added to ``damaged``."""
    for path in paths:
        try:
            result = from_json(path.read_bytes())
        except DamagedRecord as error:
            damaged.append(f"{path.parent.name}: {error}")
        except OSError as error:
            damaged.append(f"{path.parent.name}: {error.strerror or error}.")
        else:
            if result.key == path.parent.name:  # a forged key could point out of the folder
                yield result
            else:
                damaged.append(f"{path.parent.name}: the record belongs to {result.key!r}.")


def _rederived(results: Iterable[CaseResult], cases: Path, *, few: bool) -> Iterator[CaseResult]:
    """Pass the cases on, after writing the files of those that should have them."""
    for result in results:
        folder = cases / result.key
        had = any(folder.glob("report.pdf")) or any(folder.glob("tiles.csv"))
        if few or had or any(file.kind == "slide" for file in result.files):
            _write_derived(folder, result, pdf=True, heatmap=True, geojson=True, tiles_csv=True)
        yield result
