"""The output folder of a run: finished cases found again, stale files removed."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from lungscan.errors import CaseError, LungScanError, UsageProblem
from lungscan.inputs import sha256_of
from lungscan.layout import (
    CASE_FILES,
    CASES,
    COPIES,
    DERIVED,
    JOURNAL,
    KEY,
    PSEUDONYM,
    RECORD,
    RUN_FILES,
    TEMPORARY,
    case_folder,
    journal_name,
)
from lungscan.results.atomic_files import machine_error
from lungscan.results.case_json import from_json
from lungscan.results.checksums import Sums, known_sums, record_differs
from lungscan.types import CaseInput, CaseResult, CaseStatus


class RunStore:
    """Where a run's cases lie."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.listed: Sums = {}  # the list of the last run; see ``tidy``

    def folder(self, key: str) -> Path:
        """The folder of one case."""
        return case_folder(self.out, key)

    def journal(self, key: str, file_index: int) -> Path:
        """Where the tiles of a case's file are kept while it runs."""
        return self.folder(key) / journal_name(file_index)

    def drop_journals(self, key: str) -> None:
        """Remove the journals of a case whose result is on the disk. Raises MachineError."""
        _remove(self.folder(key), JOURNAL)

    def finished(
        self, case: CaseInput, model_sha256: str, settings_hash: str, *, pictures: bool
    ) -> CaseResult | None:
        """The record of an earlier run, if input, model and settings are still the same.

        Failed and partial cases are always tried again, and so are those whose record lacks the
        ``pictures`` that a report needs.
        """
        result = self.recorded(case.key, model_sha256, settings_hash)
        if result is None or result.status not in {CaseStatus.OK, CaseStatus.NO_RESULT}:
            return None
        if result.case_id != case.case_id:
            return None
        if pictures and any(file.thumbnail_jpeg is None for file in result.files):
            return None
        return result if _hashes(case) == [file.sha256 for file in result.files] else None

    def recorded(self, key: str, model_sha256: str, settings_hash: str) -> CaseResult | None:
        """What an earlier run with this model and these settings recorded of a case, if anything.

        Its input may have changed since.
        """
        try:
            data = (self.folder(key) / RECORD).read_bytes()
            result = from_json(data)
        except (OSError, LungScanError):
            return None  # none yet, or damaged
        if record_differs(self.out, key, data, self.listed):
            return None  # changed since: it may say anything
        same = (key, model_sha256, settings_hash)
        return result if (result.key, result.model.sha256, result.settings_hash) == same else None

    def is_cut_off(self, key: str) -> bool:
        """Whether a file made from a case's record is empty, as a power cut leaves it."""
        files = _children(self.folder(key), DERIVED)
        with suppress(OSError):
            return any(path.stat().st_size == 0 for path in files)
        return False

    def clear(self, key: str, *, stale: bool) -> list[Path]:
        """Make room for a case's files: remove what a killed process left half-written.

        With ``stale`` all that was made from an earlier ``case.json`` goes too, so that nothing
        contradicts the new one. Returns files that stay, because another program has them open.

        Raises:
            MachineError: a file cannot be removed for another reason.
        """
        return _remove(self.folder(key), DERIVED if stale else TEMPORARY, spare_open=True)

    def tidy(self) -> None:
        """Remove what a killed process left half-written of the tables. Raises MachineError.

        The checksums of the last run are kept in ``listed``: they go with the first file written.
        """
        _remove(self.out, TEMPORARY)
        self.listed = known_sums(self.out)

    def refuse_names(self) -> None:
        """Raise UsageProblem when a run that did not hide names has left any here."""
        folders = _children(self.out / CASES, KEY)
        named = [folder for folder in folders if not PSEUDONYM.fullmatch(folder.name)]
        named += _children(self.out, COPIES)
        if named or (not folders and _children(self.out, RUN_FILES)):
            raise UsageProblem(
                "The --out folder holds results that show names. Choose a new one for --deidentify."
            )

    def forget_case(self, key: str) -> None:
        """Remove what was written of one case, and nothing else. Raises MachineError."""
        folder = self.folder(key)
        if KEY.fullmatch(key) and folder.is_dir() and not folder.is_symlink():
            _remove(folder, CASE_FILES)
            _remove_empty(folder)

    def forget(self) -> None:
        """Remove what earlier runs wrote (``--fresh``), and nothing else.

        Whatever else lies in the folder stays: it may be the one with the slides.

        Raises:
            MachineError: a file may not be removed.
        """
        _remove(self.out, RUN_FILES)
        cases = self.out / CASES
        for folder in _children(cases, KEY):
            if folder.is_dir() and not folder.is_symlink():
                _remove(folder, CASE_FILES)
                _remove_empty(folder)
        _remove_empty(cases)


def _hashes(case: CaseInput) -> list[str]:
    """SHA-256 of each file; empty when one cannot be read: opening it will say why."""
    try:
        return [sha256_of(file) for file in case.files]
    except CaseError:
        return []


def _remove(folder: Path, names: re.Pattern[str], *, spare_open: bool = False) -> list[Path]:
    """Remove the files in ``folder`` that bear one of ``names``; return those that are spared."""
    spared = []
    for path in _children(folder, names):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            if not (spare_open and isinstance(error, PermissionError)):
                raise machine_error(error, path) from error
            spared.append(path)
    return spared


def _children(folder: Path, names: re.Pattern[str]) -> list[Path]:
    """What bears one of ``names`` in ``folder``, which need not be there."""
    try:
        return [path for path in folder.iterdir() if names.fullmatch(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise machine_error(error, folder) from error


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # it holds something of the user's, or is not there
        folder.rmdir()
