"""The door of the reports: all files of a case, all files of a run, and both again from JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from lungscan.layout import (
    EXPLANATION,
    GEOJSON,
    HEATMAP,
    RECORD,
    REPORT,
    REVIEW,
    RUN,
    SLICES,
    SUMMARY,
    TABLE,
    TILES,
    case_folder,
    numbered,
)
from lungscan.options import PDF_CHOICES, PdfChoice, require_choice
from lungscan.report.cases_csv import write_cases_csv
from lungscan.report.geojson import has_geojson, write_tiles_geojson
from lungscan.report.heatmap import has_heatmap, render_heatmap
from lungscan.report.pdf.case import write_case_pdf
from lungscan.report.pdf.summary import SummaryRow, summary_row, write_summary_rows
from lungscan.report.records import found_cases, one_run, read_run, readable, summary_of
from lungscan.report.tiles_csv import table_name, write_tiles_csv
from lungscan.results.atomic_files import put, write_atomic
from lungscan.results.case_json import DamagedRecord, to_json
from lungscan.results.checksums import (
    Sums,
    known_sums,
    sealed,
    seals_of_cases,
)
from lungscan.results.review_json import Beside, review_beside
from lungscan.results.run_json import RunSummary, write_run_json
from lungscan.results.shard_files import (
    ShardPlan,
    finished_shards,
    forget_shards,
    read_plan,
    records_of_shards,
)
from lungscan.types import CaseResult

FEW_FIELDS = 12  # a run of at most this many fields gets per-case files without asking


Places = dict[Path, Path]  # where a file was wanted -> where it lies, see ``put``


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """What ``write_case_files`` wrote."""

    sha256: str  # of case.json, hexadecimal
    places: Places  # of the files made from it


def write_case_files(
    folder: Path,
    result: CaseResult,
    *,
    pdf: bool,
    heatmap: bool,
    geojson: bool,
    tiles_csv: bool,
) -> CaseFiles:
    """Write ``case.json``, durably and first, the chosen files made from it, and their checksums.

    Files that a case has nothing for (tiles of a failed one) are left out. Raises MachineError.
    """
    data = to_json(result)
    digest = sha256(data).hexdigest()
    beside = review_beside(folder, result)  # a person's word outlives a run that answers alike
    with sealed(folder) as written:
        write_atomic(folder / RECORD, data)
        written[RECORD] = digest
        places = _write_derived(
            folder, result, beside, pdf=pdf, heatmap=heatmap, geojson=geojson, tiles_csv=tiles_csv
        )
        written.update(dict.fromkeys(path.name for path in places.values()))
        if beside.review is not None:
            written[REVIEW] = None
    return CaseFiles(digest, places)


def _write_derived(
    folder: Path,
    result: CaseResult,
    beside: Beside,
    *,
    pdf: bool,
    heatmap: bool,
    geojson: bool,
    tiles_csv: bool,
) -> Places:
    """Write the chosen files."""
    places: Places = {}

    def write(name: str, make: Callable[[Path], None]) -> None:
        places[folder / name] = put(folder / name, make)

    maps = [i for i in range(len(result.files)) if heatmap and has_heatmap(result, i)]
    with _drawing(result, maps) as drawn:
        if tiles_csv and result.scores:
            write(table_name(result), lambda path: write_tiles_csv(path, result))
        if geojson and has_geojson(result):
            wanted = [folder / numbered(GEOJSON, part.file_index) for part in result.scores]
            places |= zip(wanted, write_tiles_geojson(folder, result), strict=True)
        if result.explained:  # asked for, so whatever else the case gets
            write(EXPLANATION, lambda path: _write_explanation(path, result))
        if pdf:
            write(REPORT, lambda path: write_case_pdf(path, result, beside))
        for index, picture in drawn.items():
            save = partial(write_atomic, data=picture.result(), durable=False)
            write(numbered(HEATMAP, index), save)
    return places


def _write_explanation(path: Path, result: CaseResult) -> None:
    from lungscan.report.explained import render_explanation

    write_atomic(path, render_explanation(result), durable=False)


@contextmanager
def _drawing(result: CaseResult, maps: Sequence[int]) -> Iterator[dict[int, Future[bytes]]]:
    """The heat maps of these files, drawn by a thread: packing pictures leaves Python to others.

    Whoever leaves the block by an error waits for the one being drawn, and for no more.
    """
    if not maps:  # a record of a field has none, and there are thousands of them
        yield {}
        return
    beside = ThreadPoolExecutor(1, "heat map")
    try:
        yield {index: beside.submit(render_heatmap, result, index) for index in maps}
    finally:
        beside.shutdown(cancel_futures=True)


def moved(places: Places, out: Path, cure: str = "") -> tuple[str, ...]:
    """Sentences about files below ``out`` that lie elsewhere than wanted, and the ``cure``."""
    cure = cure or f"have the reports written again (`lungscan report {out}`)"
    return tuple(
        f"{path.relative_to(out).as_posix()} could not be replaced, because another program has it "
        f"open, so the new one is {place.name!r} beside it. Close the old one and "
        f"{cure}."
        for path, place in places.items()
        if place != path
    )


def write_run_files(
    out: Path,
    results: Iterable[CaseResult],
    summary: RunSummary,
    *,
    pdf: bool,
    records: Sums | None = None,
) -> tuple[str, ...]:
    """Write ``cases.csv``, ``run.json`` and, if asked, ``summary.pdf``, in one pass; seal the run.

    ``results`` may be a generator: no more than one record is held at a time. ``records`` are the
    checksums of ``case.json`` files, where they are known better than from the run's last list or
    the files, named as ``record_name`` does. Returns sentences about files that had to go
    elsewhere because another program has the old one open. Raises MachineError.
    """
    rows: list[SummaryRow] = []
    passing, names = _noting(results, rows), summary.model.class_names
    table, report = out / TABLE, out / SUMMARY
    known = known_sums(out) | (records or {})
    with sealed(out) as written:
        places = {table: put(table, lambda path: write_cases_csv(path, passing, names))}
        write_run_json(out / RUN, summary)
        if pdf:
            places[report] = put(report, lambda path: write_summary_rows(path, rows, summary))
        written.update(dict.fromkeys([RUN, *(path.name for path in places.values())]))
        written.update(seals_of_cases(out, known))
    return moved(places, out)


def write_tables(out: Path, draft: RunSummary, records: Sums) -> tuple[str, ...]:
    """Write the tables of the cases that ``draft`` names from their records; no image is read.

    ``records`` are checksums, as for ``write_run_files``, and so are the returned sentences.
    Raises MachineError; DamagedRecord, after all the others are written, naming the records that
    cannot be read.
    """
    paths = [out / "cases" / key / RECORD for key in draft.case_keys]
    damaged: list[str] = []
    run = summary_of(readable(paths, [], records), draft)
    rows = readable(paths, damaged, records)
    notices = write_run_files(out, rows, run, pdf=run.pdf != "none", records=records)
    _require_sound(damaged, len(paths))
    return notices


def _require_sound(damaged: Sequence[str], cases: int) -> None:
    if damaged:
        raise DamagedRecord(
            f"{cases - len(damaged)} of {cases} cases were rebuilt; the others cannot "
            f"be read: {' '.join(damaged)}"
        )


def _noting(results: Iterable[CaseResult], rows: list[SummaryRow]) -> Iterator[CaseResult]:
    for result in results:
        rows.append(summary_row(result))
        yield result


# Rebuilding -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What ``rebuild`` did."""

    cases: int  # in the tables
    notices: tuple[str, ...]  # sentences about cases left out, files that had to go elsewhere


def rebuild(out: Path, *, pdf: PdfChoice | None = None) -> Rebuilt:
    """Write every report below ``out`` again from its JSON files.

    Slides, small runs and cases that already have per-case files get those that the run wanted,
    but for cases of which no file could be read, as in a run; ``pdf`` replaces its choice of PDFs.
    The tables are of one run, see ``one_run``: cases of others keep to their own reports. When
    ``run.json`` is missing, damaged or not that of the last run (which was stopped, or its shards
    are not finished), the run is summarised from its cases.
    Raises UsageProblem for another ``pdf``; NothingToDo without cases;
    DamagedRecord, after all the others are written, naming the files that cannot be read;
    MachineError when a file cannot be written.
    """
    if pdf is not None:
        require_choice("--pdf", pdf, PDF_CHOICES)
    plan, listed = _shard_plan(out), known_sums(out)
    if plan:
        listed |= dict(plan.listed) | records_of_shards(out, plan.shards)
    found = one_run(out, plan, listed)
    run = found.summary if pdf is None else replace(found.summary, pdf=pdf)
    damaged: list[str] = []
    places: Places = {}
    for _ in _rederived(readable(found.others, damaged, listed), out, run, places, few=False):
        pass  # reports alone
    few = plan.few_fields if plan else len(found.paths) <= FEW_FIELDS
    rows = _rederived(readable(found.paths, damaged, listed), out, run, places, few=few)
    notices = write_run_files(out, rows, run, pdf=run.pdf != "none", records=listed)
    _require_sound(damaged, len(found.paths) + len(found.others))
    if plan and len(finished_shards(out, plan.shards)) == plan.shards:
        forget_shards(out)
    return Rebuilt(len(found.paths), found.notices() + moved(places, out) + notices)


def recorded_cases(out: Path) -> tuple[tuple[CaseResult, ...], tuple[str, ...]]:
    """All cases of a finished or stopped run, in its order, and a sentence for each unreadable one.

    Raises NothingToDo without cases.
    """
    listed = known_sums(out)
    run, _ = read_run(out, listed)
    damaged: list[str] = []
    results = tuple(readable(found_cases(out, run), damaged, listed))
    return results, tuple(damaged)


def _shard_plan(out: Path) -> ShardPlan | None:
    """The plan of shards that have not all finished; a damaged one is left out of account."""
    try:
        return read_plan(out)
    except DamagedRecord:
        return None


def _rederived(
    results: Iterable[CaseResult], out: Path, run: RunSummary, places: Places, *, few: bool
) -> Iterator[CaseResult]:
    """Pass the cases on, after writing the files of those that should have them."""
    for result in results:
        folder = case_folder(out, result.key)
        had = any(any(folder.glob(name)) for name in (REPORT, TILES, SLICES))
        fields = few or run.pdf == "cases"
        more = had or any(fields or file.kind != "field" for file in result.files)
        if more or result.explained:
            beside = review_beside(folder, result)
            with sealed(folder) as written:
                written[RECORD] = None
                derived = _write_derived(
                    folder,
                    result,
                    beside,
                    pdf=more and run.pdf in {"auto", "cases"},
                    heatmap=more and run.heatmap,
                    geojson=more and run.geojson,
                    tiles_csv=more,
                )
                written.update(dict.fromkeys(path.name for path in derived.values()))
                if beside.review is not None:
                    written[REVIEW] = None
            places |= derived
        yield result
