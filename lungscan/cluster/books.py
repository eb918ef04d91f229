"""The driver's books: what workers have finished comes to its place."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from lungscan.layout import LIST, RECORD, REVIEW, record_name
from lungscan.results.atomic_files import into_place, machine_error
from lungscan.results.case_json import from_json
from lungscan.scanning.ledger import Ledger, Written
from lungscan.types import CaseResult


class ClusterLedger(Ledger):
    """Books of a run whose cases' files were written elsewhere."""

    def adopt(self, result: CaseResult, stage: Path, record_sha256: str) -> Written:
        """Move a finished case to its place: in one step, unless an earlier answer lies there.

        One that was reviewed is written here: its report shows the review, its list names it.

        Raises:
            MachineError: it cannot be moved, or is not there.
        """
        if self._is_withheld(result) and self._earlier(result.key):
            shutil.rmtree(stage, ignore_errors=True)
            return self.write(result)
        folder = self._store.folder(result.key)
        if (folder / REVIEW).exists():  # in report and list, too; the worker did not know of it
            return self._write_here(stage)
        self._unseal()
        self._store.drop_journals(result.key)
        left = self._store.clear(result.key, stale=True)
        try:
            _move(stage, folder)
        except OSError as error:
            raise machine_error(error, folder) from error
        if self.wants_dicom(result.key):  # of its tiles, too, which did not come along
            self.write_dicom(from_json((folder / RECORD).read_bytes()), record_sha256)
        self._records[record_name(result.key)] = record_sha256
        self._outdated += [f"{path} is of an earlier answer. Close and remove it." for path in left]
        return Written(result, resumed=False)

    def _write_here(self, stage: Path) -> Written:
        """Write a finished case from its record, as a run on one machine does."""
        try:
            result = from_json((stage / RECORD).read_bytes())
        except OSError as error:
            raise machine_error(error, stage / RECORD) from error
        written = self.write(result)
        self._store.drop_journals(result.key)
        shutil.rmtree(stage, ignore_errors=True)
        return written


def _move(stage: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        (folder / RECORD).unlink()  # of an earlier answer; all else of it is gone
    with suppress(OSError):
        folder.rmdir()
    try:
        into_place(stage, folder)
    except OSError:
        if not folder.is_dir():
            raise
    else:
        return
    # It holds something of the user's, who may not lose it. The list of checksums comes last.
    names = sorted((path.name for path in stage.iterdir()), key=lambda name: name == LIST)
    for name in names:
        into_place(stage / name, folder / name)
    stage.rmdir()
