"""A review put beside its record, with the lists of checksums kept true."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

from lungscan.errors import OutputLocked, UsageProblem
from lungscan.layout import LIST, RECORD, REPORT, REVIEW, case_folder, list_name, record_name
from lungscan.report.pdf.case import write_case_pdf
from lungscan.report.write import Places, moved
from lungscan.results.atomic_files import machine_error, put, write_atomic
from lungscan.results.case_json import DamagedRecord
from lungscan.results.checksums import (
    Sums,
    digest_of,
    dump_sums,
    known_sums,
    read_sums,
    record_differs,
    sealed,
)
from lungscan.results.lock import output_lock
from lungscan.results.review_json import Beside, Review, answer_digest, review_to_json
from lungscan.types import CaseResult


def save_review(out: Path, result: CaseResult, review: Review) -> tuple[str, ...]:
    """Write ``review.json`` into the case's folder below ``out``, and its report again.

    Returns sentences about a report that had to go elsewhere, as ``write_run_files`` does.

    ``case.json`` stays as it is. A run that is writing to ``out`` meanwhile takes the case's new
    list of checksums into its own when it ends; else the run's list is brought up to date here.

    Raises:
        UsageProblem: the review is of another answer, or there is no such case.
        DamagedRecord: ``case.json`` is not what its checksum says.
        MachineError: the disk is full, or the folder may not be written.
    """
    if review.answer_sha256 != answer_digest(result) or review.key != result.key:
        raise UsageProblem("The review is of another answer than the one in this folder.")
    folder = case_folder(out, result.key)
    places: Places = {}
    with _lock_unless_run(out) as locked:
        listed = known_sums(out)
        digest = _believed(out, folder, result.key, listed)
        with sealed(folder) as written:
            write_atomic(folder / REVIEW, review_to_json(review))
            written |= {RECORD: digest, REVIEW: None}
            if (folder / REPORT).is_file():
                report = put(
                    folder / REPORT, lambda path: write_case_pdf(path, result, Beside(review))
                )
                written[report.name] = None
                places[folder / REPORT] = report
        if locked and listed:
            _name_in_run(out, result.key, listed)
    return moved(places, out, "save the review again")


@contextmanager
def _lock_unless_run(out: Path) -> Iterator[bool]:
    """Hold ``out`` for a moment; False when a run holds it, which ends with a list of its own."""
    with ExitStack() as stack:
        try:
            stack.enter_context(output_lock(out))
        except OutputLocked:
            locked = False
        else:
            locked = True
        yield locked


def _believed(out: Path, folder: Path, key: str, listed: Sums) -> str:
    """The checksum of the record; this and the case's list must be what the run wrote."""
    try:
        data = (folder / RECORD).read_bytes()
    except FileNotFoundError as error:
        raise UsageProblem(f"{folder} holds no {RECORD} any more; nothing was saved.") from error
    except OSError as error:
        raise machine_error(error, folder / RECORD) from error
    pin = listed.get(list_name(key))
    sums = read_sums(folder)
    changed = pin is not None and sums is not None and pin != digest_of(folder / LIST)
    if changed or record_differs(out, key, data, listed):
        raise DamagedRecord(
            "The files of this case were changed since its run wrote them, so no review is saved "
            "beside them; classify the case again."
        )
    return sha256(data).hexdigest()


def _name_in_run(out: Path, key: str, sums: Sums) -> None:
    """Let the run's list name the case's list as it is now."""
    shown = list_name(key)
    rest = {name: digest for name, digest in sums.items() if name != record_name(key)}
    try:
        rest[shown] = digest_of(out / shown)
    except OSError as error:
        raise machine_error(error, out / shown) from error
    write_atomic(out / LIST, dump_sums({name: rest[name] for name in sorted(rest)}), durable=False)
