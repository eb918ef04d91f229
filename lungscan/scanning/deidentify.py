"""``--deidentify``: no name of a file, folder or case leaves the run.

Names are taken away where they come in: the cases of a run get pseudonyms before anything is
opened, so no key, record, table, picture, event or journal can bear a name. What remains are texts
about things that went wrong; those are put in words that know nothing of the file.

See docs/decisions/0013-hidden-names.md.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from operator import attrgetter
from pathlib import Path

from lungscan.errors import LungScanError, MachineError, UsageProblem
from lungscan.options import ScanOptions
from lungscan.report.wording import failure
from lungscan.results.atomic_files import machine_error
from lungscan.results.csv_table import text_cell, write_csv
from lungscan.types import CaseInput, CaseResult, HiddenName, InputFile, Inputs

COLUMNS = ("case_id", "relative_path", "original_path", "original_case_id")

_BLOCKS, _BLOCK_BYTES = 8, 16 << 10  # of a file, spread over all of it
_LOOK = "Without --deidentify the message names it."
_INPUTS = (
    "A path does not exist, or the cases manifest cannot be read, names a file that is not among "
    f"the images, or one twice. {_LOOK}"
)
_SEARCH = f"The search for images failed: the disk stood in the way. Check the drive. {_LOOK}"
_RUN = f"The run cannot go on, for a reason that holds a name. {_LOOK}"


# Cases --------------------------------------------------------------------------------------------


def hide(found: Inputs) -> Inputs:
    """Cases and skipped files under pseudonyms; ``hidden`` says whose.

    A case is called after the contents of its files, so the same images get the same pseudonym on
    every machine, and no name can be tried out on it. A file left out, which may not be readable at
    all, is called after the reason. The order is that of the pseudonyms: that of the names would
    tell who is who to whoever has a list of them.
    """
    pseudonyms = _Pseudonyms()
    cases, skipped, names = [], [], []
    for case in found.cases:
        hidden, its_names = _hidden_case(case, pseudonyms)
        cases.append(hidden)
        names += its_names
    for file in found.skipped:
        key = pseudonyms.make(f"{file.reason} {file.error_code}".encode())
        skipped.append(replace(file, key=key, relative_path=key))
        names.append(HiddenName(key, key, file.relative_path, ""))
    by_key = attrgetter("key")
    return Inputs(
        tuple(sorted(cases, key=by_key)), tuple(sorted(skipped, key=by_key)), tuple(names)
    )


def _hidden_case(case: CaseInput, pseudonyms: _Pseudonyms) -> tuple[CaseInput, list[HiddenName]]:
    prints = sorted(((_fingerprint(file), file) for file in case.files), key=lambda pair: pair[0])
    key = pseudonyms.make(b"".join(digest for digest, _ in prints))
    files, names = [], []
    for number, (_, file) in enumerate(prints, 1):
        shown = key if len(prints) == 1 else f"{key}/{number}"
        files.append(replace(file, relative_path=shown))
        names.append(HiddenName(key, shown, file.relative_path, case.case_id))
    return CaseInput(key, key, tuple(files)), names


class _Pseudonyms:
    """Hands out pseudonyms, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._copies: Counter[bytes] = Counter()

    def make(self, seed: bytes) -> str:
        """The next one of ``seed``: copies of an image are told apart by a number."""
        while True:
            self._copies[seed] += 1
            digest = sha256(seed + str(self._copies[seed]).encode()).hexdigest()
            name = f"case-{digest[:10]}"
            if name not in self._taken:
                self._taken.add(name)
                return name


def _fingerprint(file: InputFile) -> bytes:
    """A digest of sizes and samples: slides are too large to be read twice.

    It only has to name a case. Whether results may be taken over, the whole file's hash decides.
    """
    digest = sha256()
    for path in file.parts or (file.path,):
        try:
            digest.update(_sample(path))
        except OSError:
            digest.update(b"unreadable")  # the case will say so
    return digest.digest()


def _sample(path: Path) -> bytes:
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        last = max(0, size - _BLOCK_BYTES)
        parts = [str(size).encode()]
        for number in range(_BLOCKS):  # a small file is covered whole
            stream.seek(last * number // (_BLOCKS - 1))
            parts.append(stream.read(_BLOCK_BYTES))
    return b" ".join(parts)


# Texts --------------------------------------------------------------------------------------------


def hide_message(result: CaseResult) -> CaseResult:
    """The record with the code alone of its error: libraries put paths into their messages."""
    code = result.error_code  # a file left out by choice has none, and a reason without names
    return replace(result, error_message=failure(code)) if code else result


@contextmanager
def nameless_inputs(hidden: bool) -> Iterator[None]:
    """Tell of what is wrong with paths, manifest or disk without any name.

    Raises UsageProblem, MachineError.
    """
    try:
        yield
    except (UsageProblem, MachineError) as error:
        if not hidden:
            raise
        usage = isinstance(error, UsageProblem)
        nameless = UsageProblem(_INPUTS) if usage else MachineError(_SEARCH)
        raise nameless.with_traceback(error.__traceback__) from None


@contextmanager
def nameless_errors(hidden: Sequence[HiddenName]) -> Iterator[None]:
    """Let no error end the run that names one of what is ``hidden``; nothing to do without any.

    What caused an error is dropped as well, since a traceback would show it.
    """
    try:
        yield
    except (MemoryError, UsageProblem):
        raise
    except Exception as error:
        if not hidden:
            raise
        raise _nameless(error, hidden).with_traceback(error.__traceback__) from None


def _nameless(error: Exception, hidden: Sequence[HiddenName]) -> Exception:
    match error:
        case LungScanError():
            text = str(error)
            named = any(word in text for name in hidden for word in _words(name))
            return type(error)(_RUN if named else text, code=error.code)
        case OSError():
            return OSError(error.errno, error.strerror)  # without its file
        case _:
            return RuntimeError(type(error).__name__)


def _words(name: HiddenName) -> tuple[str, ...]:
    return name.original_path.rpartition("/")[2], name.case_id or name.original_path


# The way back -------------------------------------------------------------------------------------


def check_names(options: ScanOptions) -> None:
    """Refuse a table of names where it would give them away, or cost somebody a file.

    Raises:
        UsageProblem: what is wrong.
    """
    if options.names is None:
        return
    if not options.deidentify:
        raise UsageProblem("--names says what --deidentify hid: give both, or neither.")
    if options.names.resolve().is_relative_to(options.out.resolve()):
        raise UsageProblem("--names must lie outside of --out, which is to hold no name.")
    if not _is_ours(options.names):
        raise UsageProblem("The file that --names gives is another one; choose a new name.")


def _is_ours(path: Path) -> bool:
    """Whether there is no such file yet, or only an earlier table of names."""
    try:
        _rows_there(path)
    except (OSError, ValueError):
        return False
    return True


def write_names(path: Path, hidden: Sequence[HiddenName]) -> None:
    """Write which pseudonym is whose; what earlier runs wrote of others stays.

    Raises MachineError, also when somebody made another file of it since the run began.
    """
    try:
        there = _rows_there(path)
    except OSError as error:
        raise machine_error(error, path) from error
    except ValueError as error:
        raise MachineError(
            "The table that --names gives was changed by another program and can no longer be "
            "read, so it is left as it is. Move it elsewhere; then a new one is written."
        ) from error
    new = ((name.key, name.relative_path, name.original_path, name.case_id) for name in hidden)
    rows = {row[1]: [text_cell(cell) for cell in row] for row in new}
    write_csv(path, COLUMNS, (there | rows).values())


def _rows_there(path: Path) -> dict[str, list[str]]:
    """Rows of an earlier table, as they stand there, by the path under the pseudonym.

    Raises OSError; ValueError when it is another file.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.reader(stream, strict=True) if row]
    except FileNotFoundError:
        return {}
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if rows[:1] != [list(COLUMNS)] or any(len(row) != len(COLUMNS) for row in rows):
        raise ValueError(f"{path.name} is no table of names")
    return {row[1]: row for row in rows[1:]}
