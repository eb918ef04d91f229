"""Before anything is scored: are the options sensible, what are the inputs, what would be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from lungscan.classification.loading import wanted_model
from lungscan.dicom_out import require_libraries, require_sources
from lungscan.errors import NothingToDo, UsageProblem, case_error
from lungscan.inputs import discover
from lungscan.layout import TABLE
from lungscan.opening.choice import open_readers
from lungscan.opening.opener import Readers
from lungscan.options import ScanOptions
from lungscan.report.wording import failure, flag_text
from lungscan.scanning.deidentify import check_names, hide, nameless_inputs
from lungscan.scanning.own_tables import require_own_tables
from lungscan.types import CaseInput, Inputs, SkippedFile

SHOWN_REASONS = 3  # for which files were skipped, in a sentence


def looks_like_fields(case: CaseInput) -> bool:
    """Whether no file is a slide, as far as the names tell."""
    return all(file.kind == "field" for file in case.files)


@dataclass(frozen=True)
class PlannedCase:
    """What ``--dry-run`` says of a case."""

    case_id: str
    kind: str  # slide, field or skipped
    tiles: int
    mpp: float | None  # of its last file that could be opened
    note: str


def planned_cases(options: ScanOptions) -> Generator[PlannedCase, None, None]:
    """Open and tile every case without loading the network or writing anything.

    Skipped files come last.

    Raises:
        UsageProblem, NothingToDo, ModelError: as ``scan``.
    """
    check_options(options)
    card = wanted_model(options)
    inputs = find_inputs(options)
    with open_readers(options, card, threads=1) as readers:
        for case in inputs.cases:
            yield _plan_case(case, readers, options)
    for file in inputs.skipped:
        yield PlannedCase(file.relative_path, "skipped", 0, None, file.reason)


def _plan_case(case: CaseInput, readers: Readers, options: ScanOptions) -> PlannedCase:
    tiles, mpp, kinds = 0, None, set()
    notes: list[str] = []
    for file in case.files:
        try:
            planned = readers.plan(file, picture=False, digest="not needed")
        except Exception as error:  # noqa: BLE001  libraries raise many kinds on damaged files
            problem = case_error(error)
            notes.append(failure(problem.code) if options.deidentify else str(problem))
            continue
        planned.source.close()
        kinds.add(planned.source.kind)
        tiles += len(planned.grid.boxes)
        mpp = planned.result.info.scale.mpp_um
        notes += map(flag_text, planned.result.info.scale.flags)
    kind = "slide" if "slide" in kinds else case.files[0].kind
    return PlannedCase(case.case_id, kind, tiles, mpp, " ".join(notes))


def check_options(options: ScanOptions) -> None:
    """Refuse to overwrite what the user wrote, before anything is opened.

    Raises:
        UsageProblem: which file, and what to do.
    """
    if options.cases is not None and options.cases.resolve() == (options.out / TABLE).resolve():
        name = "" if options.deidentify else f" {options.cases.name}"
        raise UsageProblem(
            f"The results would overwrite the manifest{name}: give it another name, or choose "
            "another folder for results (--out)."
        )
    check_names(options)
    require_own_tables(options.out)
    if options.dicom_sr:
        require_libraries()


def find_inputs(options: ScanOptions) -> Inputs:
    """All cases and skipped files that ``options`` point at, under pseudonyms if so asked.

    Raises:
        UsageProblem: a path or the manifest is wrong, or ``dicom_sr`` has nothing to refer to.
        NothingToDo: there is no case, and nothing that failed to be one.
        MachineError: the disk stands in the way of the search.
    """
    with nameless_inputs(options.deidentify):
        inputs = discover(options.paths, options.cases, options.found)
    if not inputs.cases and not any(file.error_code for file in inputs.skipped):
        raise NothingToDo(
            f"No slide or field image was found{_left_out(inputs.skipped)}. "
            "LungScan reads what OpenSlide opens, CT slices in DICOM, and JPEG, PNG, TIFF, BMP "
            "and WebP."
        )
    if options.dicom_sr:
        require_sources(inputs.cases)
    return hide(inputs) if options.deidentify else inputs


def _left_out(skipped: Sequence[SkippedFile]) -> str:
    """How many files were skipped, and the commonest reasons, in brackets; "" for none."""
    if not skipped:
        return ""
    count = len(skipped)
    reasons = Counter(file.reason for file in skipped).most_common(SHOWN_REASONS)
    shown = "; ".join(reason for reason, _ in reasons)
    return f" ({count:,} {'file was' if count == 1 else 'files were'} skipped: {shown})"
