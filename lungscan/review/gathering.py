"""All reviews below a folder, each with what it was a review of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lungscan.errors import NothingToDo
from lungscan.inputs import show
from lungscan.layout import CASES, KEY, RECORD, REVIEW
from lungscan.results.case_json import DamagedRecord, from_json
from lungscan.results.checksums import known_sums, record_differs
from lungscan.results.review_json import Review, answer_digest, read_review
from lungscan.types import CaseResult


@dataclass(frozen=True)
class Reviewed:
    """A case with its review."""

    run: str  # the run's folder, below the one that was asked about; "." for itself
    result: CaseResult
    review: Review


@dataclass(frozen=True)
class Gathered:
    """What was found; ``damaged`` and ``outdated`` are sentences about reviews left aside."""

    cases: tuple[Reviewed, ...]
    damaged: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()  # of another answer than the one that lies there now


def reviews_below(root: Path) -> Gathered:
    """Every review of the runs in ``root`` and below, in the order of runs and keys.

    Records come without pictures; links to folders are not followed.

    Raises:
        NothingToDo: there is no review.
    """
    cases, damaged, outdated = [], [], []
    for folder in review_folders(root):
        out = folder.parents[1]
        run = show(out.relative_to(root).as_posix())
        shown = f"{CASES}/{folder.name}" if run == "." else f"{run}/{CASES}/{folder.name}"
        try:
            review = read_review(folder)
            result = _record(out, folder)
        except DamagedRecord as error:
            damaged.append(f"{shown}: {error}")
            continue
        if review is None:
            continue
        if review.answer_sha256 != answer_digest(result):
            outdated.append(f"{shown}: its review is of another answer than the one there now.")
        else:
            cases.append(Reviewed(run, result, review))
    if not (cases or damaged or outdated):
        raise NothingToDo(
            f"{root} holds no reviewed cases; review some in the window (`lungscan gui`) and save."
        )
    return Gathered(tuple(cases), tuple(damaged), tuple(outdated))


def review_folders(root: Path) -> Iterator[Path]:
    """Folders of cases that hold a review, sorted."""
    found = (path.parent for path in root.rglob(f"{CASES}/*/{REVIEW}"))
    yield from sorted(folder for folder in found if KEY.fullmatch(folder.name))


def _record(out: Path, folder: Path) -> CaseResult:
    """The record beside a review. Raises DamagedRecord."""
    try:
        data = (folder / RECORD).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DamagedRecord(f"Its {RECORD} cannot be read ({reason}).") from error
    result = from_json(data)
    if result.key != folder.name:
        raise DamagedRecord(f"The record belongs to {show(result.key)!r}.")
    if record_differs(out, folder.name, data, known_sums(out)):
        raise DamagedRecord("The record was changed; classify the case again.")
    files = tuple(replace(file, thumbnail_jpeg=None) for file in result.files)
    return replace(result, pictures=(), files=files)
