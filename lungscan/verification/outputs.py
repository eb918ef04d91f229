"""The files of a run against their checksums."""

from __future__ import annotations

import re
import stat
from collections.abc import Generator, Iterator
from pathlib import Path

from lungscan.inputs.names import natural
from lungscan.layout import (
    CASE_FILES,
    CASES,
    KEY,
    LIST,
    RECORD,
    REVIEW,
    RUN,
    RUN_FILES,
    SUMMARY,
    TABLE,
    case_folder,
    record_name,
)
from lungscan.results.case_json import DamagedRecord
from lungscan.results.checksums import Sums, digest_of, read_sums
from lungscan.verification.checks import Check, State
from lungscan.verification.records import CaseFacts, read_facts

_TABLES = (TABLE, RUN, SUMMARY)
_GO_ON = "Run the same command again."
_NO_TABLES = f"The run was stopped before it wrote its tables. {_GO_ON}"
_NO_LIST = f"It was removed, or a later run was stopped before its end. {_GO_ON}"
_NO_CASE_LIST = f"This case has no checksum, because a run was stopped before its end. {_GO_ON}"

_STRAY_REVIEW = (
    "It is of another answer than the one here, or was put there by hand; the reports do not show "
    "it. Review the case again, or move the file away."
)
_OF_A_CASE = re.compile(CASE_FILES.pattern + "|" + re.escape(REVIEW))

Checks = Iterator[Check]


def holds_results(out: Path) -> bool:
    """Whether a run, even one that was stopped, has written to ``out``."""
    return _has_tables(out) or (out / LIST).exists() or bool(_case_folders(out))


def check_outputs(out: Path) -> Generator[Check, None, tuple[CaseFacts, ...]]:
    """Check every file below ``out``; returns the facts of the cases whose records are sound."""
    absent = Check("output", State.NOT_CHECKED, "", _NO_TABLES)
    if _has_tables(out):
        absent = Check("output", State.MISSING, LIST, _NO_LIST)
    sums = yield from _list(out, "", absent)
    pinned = {name: digest for name, digest in (sums or {}).items() if "/" in name}
    tables = {name: digest for name, digest in (sums or {}).items() if "/" not in name}
    yield from _files(out, "", tables)
    if sums is not None:
        yield from _foreign_files(out, "", RUN_FILES, {LIST, *tables})
    present, facts = _case_folders(out), []
    for key in sorted({name.split("/")[1] for name in pinned} | present, key=natural):
        shown, folder = f"{CASES}/{key}/", case_folder(out, key)
        pin, alone = pinned.get(shown + LIST), pinned.get(record_name(key))
        if key not in present:
            yield Check("output", State.MISSING, shown, "The whole case is gone.")
        elif pin is None and alone is None and sums is not None:
            text = "The run that wrote the tables knows no such case."
            yield Check("output", State.UNEXPECTED, shown, text)
        elif pin is None and alone is not None:
            facts.append((yield from _contents(folder, shown, {RECORD: alone}, set())))
        else:
            facts.append((yield from _case(folder, shown, pin)))
    return tuple(found for found in facts if found is not None)


def _case(folder: Path, shown: str, pin: str | None) -> Generator[Check, None, CaseFacts | None]:
    """Check a case with a list of its own; ``pin`` is the list's checksum, where the run has it."""
    if pin is not None:
        listed = _check(folder, shown, LIST, pin)
        yield listed
        if listed.state is not State.SAME:
            return None
    absent = Check("output", State.NOT_CHECKED, shown, _NO_CASE_LIST)
    sums = yield from _list(folder, shown, absent)
    if sums is None:
        return None
    return (yield from _contents(folder, shown, sums, {LIST}))


def _contents(
    folder: Path, shown: str, sums: Sums, known: set[str]
) -> Generator[Check, None, CaseFacts | None]:
    """Check the files of a case against ``sums``; none but these and the ``known`` belong there."""
    sound = yield from _files(folder, shown, sums)
    yield from _foreign_files(folder, shown, _OF_A_CASE, known | set(sums))
    return (yield from _facts(folder, shown)) if RECORD in sound else None


def _facts(folder: Path, shown: str) -> Generator[Check, None, CaseFacts | None]:
    try:
        return read_facts(folder / RECORD)
    except DamagedRecord as error:
        yield Check("output", State.DAMAGED, shown + RECORD, str(error))
    except OSError as error:
        yield _unreadable(shown + RECORD, error)
    return None


def _list(folder: Path, shown: str, absent: Check) -> Generator[Check, None, Sums | None]:
    """The list of a folder; None, after telling so, when there is none or it is damaged."""
    try:
        sums = read_sums(folder)
    except DamagedRecord as error:
        text = f"{error} What it named was not checked."
        yield Check("output", State.DAMAGED, shown + LIST, text)
        return None
    if sums is None:
        yield absent
    return sums


def _files(folder: Path, shown: str, sums: Sums) -> Generator[Check, None, set[str]]:
    """Check what the list of a folder names; returns the names of sound files."""
    sound = set()
    for name in sorted(sums):
        check = _check(folder, shown, name, sums[name])
        yield check
        if check.state is State.SAME:
            sound.add(name)
    return sound


def _check(folder: Path, shown: str, name: str, expected: str) -> Check:
    path = folder / name
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # a link could lead anywhere, a pipe never end
            text = "It is no regular file any more."
            return Check("output", State.CHANGED, shown + name, text)
        if digest_of(path) == expected:
            return Check("output", State.SAME, shown + name)
    except FileNotFoundError:
        return Check("output", State.MISSING, shown + name, "The run wrote it, and it is gone.")
    except OSError as error:
        return _unreadable(shown + name, error)
    return Check("output", State.CHANGED, shown + name, "It is not what the run wrote.")


def _foreign_files(folder: Path, shown: str, ours: re.Pattern[str], known: set[str]) -> Checks:
    """Files that bear a name of ours without being listed; what people put there is theirs."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        yield _unreadable(shown, error)
        return
    for name in names:
        if ours.fullmatch(name) and name not in known and not name.startswith("."):
            text = "The last run did not write it; it may be left from an earlier one."
            text = _STRAY_REVIEW if name == REVIEW else text
            yield Check("output", State.UNEXPECTED, shown + name, text)


def _has_tables(out: Path) -> bool:
    return any((out / name).exists() for name in _TABLES)


def _case_folders(out: Path) -> set[str]:
    """The keys of the folders of cases; links are not followed."""
    cases = out / CASES
    found = () if cases.is_symlink() else (p for p in cases.glob("*") if KEY.fullmatch(p.name))
    return {path.name for path in found if path.is_dir() and not path.is_symlink()}


def _unreadable(shown: str, error: OSError) -> Check:
    reason = error.strerror or type(error).__name__
    return Check("output", State.UNREADABLE, shown, f"It cannot be read ({reason}).")
