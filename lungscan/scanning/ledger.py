"""What has become of each case: its files at once, the tables of the run at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from lungscan.classification.case_record import RunContext
from lungscan.dicom_out import has_source, sourceless, write_dicom
from lungscan.errors import MachineError
from lungscan.events import CaseFinished, RunFinished
from lungscan.inputs.motion import IN_MOTION
from lungscan.inputs.parts import scattered
from lungscan.layout import (
    DICOM_REPORT,
    EXPLANATION,
    GEOJSON,
    HEATMAP,
    REPORT,
    numbered,
    record_name,
)
from lungscan.opening.retrying import AWAY
from lungscan.options import ScanOptions
from lungscan.report.geojson import has_geojson
from lungscan.report.heatmap import has_heatmap
from lungscan.report.tiles_csv import table_name
from lungscan.report.write import FEW_FIELDS, Places, moved, write_run_files
from lungscan.results.checksums import known_sums, unseal
from lungscan.results.provenance import library_versions, utc_now
from lungscan.results.run_json import RunSummary, summarise
from lungscan.results.store import RunStore
from lungscan.scanning.casefiles import CaseFilesWanted, file_case
from lungscan.types import CaseInput, CaseResult, CaseStatus, FileKind, Inputs

MOST_UNREAD = 5  # cases in a row; then the drive is away, and it would take all the others


class DriveAway(MachineError):
    """The drive with the images no longer hands them out."""


@dataclass(frozen=True)
class Written:
    """A case whose files are on the disk."""

    result: CaseResult
    resumed: bool  # an earlier run had finished it


class Ledger:
    """The books of one run: ``write`` may be called by several threads, the rest by one."""

    def __init__(
        self, options: ScanOptions, run: RunContext, store: RunStore, inputs: Inputs
    ) -> None:
        self._options, self._run, self._store = options, run, store
        self._clock, self._started = time.perf_counter(), utc_now()
        self._keys = [case.key for case in inputs.cases] + [file.key for file in inputs.skipped]
        fields = sum(file.kind == "field" for case in inputs.cases for file in case.files)
        self._few_fields = fields <= FEW_FIELDS
        self._results: dict[str, CaseResult] = {}  # without tiles and pictures
        self._records = store.listed  # checksums of ``case.json``, by name; kept true here
        self._unsealed = False
        self._resumed = 0
        self._unread = 0  # cases in a row, up to the last one, that the disk withheld
        self._places: Places = {}  # of cases' files that lie elsewhere than wanted
        self._outdated: list[str] = []  # files of earlier answers, open in another program
        self._dicom = {case.key: case for case in inputs.cases if _wants_dicom(case, options)}
        # What is to be told of cases, and what could not be made of them.
        self._untold = [
            *scattered(inputs.cases),
            *(sourceless(inputs.cases) if options.dicom_sr else ()),
        ]
        self.notices: tuple[str, ...] = ()  # what ``close`` has to tell beside the counts

    @property
    def next_index(self) -> int:
        """Which case, counted from 1, is the next to be recorded."""
        return len(self._results) + 1

    def wants_files(self, kind: FileKind) -> bool:
        """Whether a case of this kind gets more than ``case.json``."""
        return self.wanted.of(kind)

    @property
    def wanted(self) -> CaseFilesWanted:
        """Which files the cases get."""
        return CaseFilesWanted(self._options, self._few_fields)

    def write(self, result: CaseResult, *, resumed: bool = False) -> Written:
        """Put a case on the disk.

        Raises:
            MachineError: a file cannot be written.
        """
        if self._is_withheld(result) and self._earlier(result.key):
            released = self._released(result)
            kept = f"{released.error_message} The result of an earlier run is kept."
            return Written(replace(released, error_message=kept), resumed)
        if not (resumed and self._is_complete(result)):
            result = self._write(self._released(result), keep=resumed)
        return Written(result, resumed)

    def record(self, written: Written) -> CaseFinished:
        """Keep what the tables need of a case, and tell of it."""
        result, resumed, index = written.result, written.resumed, self.next_index
        self._results[result.key] = for_tables(result)
        self._resumed += resumed
        self._unread = self._unread + 1 if self._is_withheld(result) else 0
        return CaseFinished(result, index, resumed)

    def require_drive(self) -> None:
        """Raises DriveAway when so many cases in a row were withheld by the disk."""
        if self._unread >= MOST_UNREAD:
            raise DriveAway(
                f"{self._unread} cases in a row could not be read from the disk, so the drive or "
                "the network seems to be away. Connect it, then start it again: "
                "finished cases are kept. If these files alone cannot be read (cases.csv names "
                "them), move them elsewhere first."
            )

    def fill(self) -> None:
        """Take what earlier runs recorded of the cases that this one did not come to."""
        for key in self._keys:
            if key not in self._results and (earlier := self._earlier(key)):
                self._results[key] = for_tables(earlier)

    def close(self) -> RunFinished:
        """Write the tables of the run, and note what to tell of them. Raises MachineError."""
        seconds = time.perf_counter() - self._clock
        summary = self._summary(seconds)
        out, options = self._store.out, self._options
        ordered = (self._results[key] for key in self._keys if key in self._results)
        elsewhere = write_run_files(
            out, ordered, summary, pdf=options.pdf != "none", records=self._records
        )
        self.notices = (*self.notices_of_cases(), *elsewhere)
        return RunFinished(
            summary.ok,
            summary.no_result,
            summary.partial,
            summary.failed,
            summary.skipped,
            summary.tiles,
            seconds,
            out,
        )

    def notices_of_cases(self) -> tuple[str, ...]:
        """Notices about cases' files."""
        moved_files = moved(self._places, self._store.out)
        return (*self._left_for_later(), *moved_files, *self._outdated, *self._untold)

    def _left_for_later(self) -> tuple[str, ...]:
        """Cases that the next run will take."""
        moving = sum(result.error_code == IN_MOTION for result in self._results.values())
        if not moving:
            return ()
        return (
            f"Left for the next run, because files are still being written: {moving:,}. Start "
            "it again when the copy is finished.",
        )

    def _write(self, result: CaseResult, *, keep: bool) -> CaseResult:
        """Write a case, without what an earlier run left of it unless that still holds."""
        folder = self._store.folder(result.key)
        self._unseal()
        wanted = self.wanted
        left = self._store.clear(result.key, stale=not keep)

        def clear() -> None:
            left[:] = self._store.clear(result.key, stale=True)

        filed = file_case(folder, result, wanted, clear)
        result, files = filed.result, filed.files
        self.write_dicom(result, files.sha256)
        self._records[record_name(result.key)] = files.sha256
        self._places |= {path: place for path, place in files.places.items() if path != place}
        self._outdated += [_outdated(path) for path in left if path not in files.places]
        return result

    def wants_dicom(self, key: str) -> bool:
        """Whether a case gets DICOM files."""
        return key in self._dicom

    def write_dicom(self, result: CaseResult, record_sha256: str) -> None:
        """Write a case's DICOM files beside its others, where they are wanted."""
        if result.key in self._dicom:
            folder, case = self._store.folder(result.key), self._dicom[result.key]
            self._untold += write_dicom(folder, result, case, record_sha256)

    def _unseal(self) -> None:
        """The checksums of the run hold again when it is closed."""
        if not self._unsealed:
            unseal(self._store.out)
            self._unsealed = True  # only now: no thread may write a file before

    @staticmethod
    def _is_withheld(result: CaseResult) -> bool:
        """Whether the disk did not hand out the case."""
        return result.status is CaseStatus.FAILED and result.error_code == AWAY

    def _earlier(self, key: str) -> CaseResult | None:
        """What an earlier run found out about a case, with the same model and settings."""
        run = self._run
        result = self._store.recorded(key, run.card.sha256, run.settings_hash)
        return None if result is None or result.status is CaseStatus.FAILED else result

    def _released(self, result: CaseResult) -> CaseResult:
        return self.wanted.released(result)

    def _is_complete(self, result: CaseResult) -> bool:
        """Whether every file that the case gets is there, and none empty.

        A run may have been stopped before, or the machine.
        """
        switches, files = self.wanted.switches(result), range(len(result.files))
        names = [REPORT] if switches["pdf"] else []
        if switches["tiles_csv"] and result.scores:
            names.append(table_name(result))
        if switches["geojson"] and has_geojson(result):
            names += [numbered(GEOJSON, part.file_index) for part in result.scores]
        if switches["heatmap"]:
            names += [numbered(HEATMAP, i) for i in files if has_heatmap(result, i)]
        if result.explained:
            names.append(EXPLANATION)
        if result.key in self._dicom:
            names.append(DICOM_REPORT)
        folder = self._store.folder(result.key)
        listed = known_sums(folder)  # what is left of an earlier answer is not
        there = all(name in listed and (folder / name).is_file() for name in names)
        return there and not self._store.is_cut_off(result.key)

    def _summary(self, seconds: float) -> RunSummary:
        options = self._options
        return replace(
            summarise(self._results.values()),
            versions=library_versions(),
            started_utc=self._started,
            finished_utc=utc_now(),
            seconds=seconds,
            resumed=self._resumed,
            case_keys=tuple(self._keys),
            pdf=options.pdf,
            heatmap=options.heatmap,
            geojson=options.geojson,
        )


def _wants_dicom(case: CaseInput, options: ScanOptions) -> bool:
    return options.dicom_sr and all(map(has_source, case.files))


def for_tables(result: CaseResult) -> CaseResult:
    """A case without tiles and pictures."""
    files = tuple(replace(file, thumbnail_jpeg=None) for file in result.files)
    return replace(result, scores=(), pictures=(), files=files, explained=None)


def _outdated(path: Path) -> str:
    return (
        f"{path} is of an earlier answer and could not be removed, because another program has it "
        "open. Close it and remove it."
    )
