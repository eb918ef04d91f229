"""Which files a case gets, and a case that gets them: for a run's books and a cluster's workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lungscan.classification.case_record import spoiled_case
from lungscan.errors import case_error
from lungscan.options import ScanOptions
from lungscan.report.write import CaseFiles, write_case_files
from lungscan.scanning.deidentify import hide_message
from lungscan.types import CaseResult, FileKind

SWITCHES = ("pdf", "heatmap", "geojson", "tiles_csv")  # of ``write_case_files``


@dataclass(frozen=True, slots=True)
class CaseFilesWanted:
    """What a run wants of its cases."""

    options: ScanOptions
    few_fields: bool  # so few in the whole run that each gets files of its own

    def of(self, kind: FileKind) -> bool:
        """Whether a case of this kind gets more than ``case.json``."""
        return kind != "field" or self.few_fields or self.options.pdf == "cases"

    def switches(self, result: CaseResult) -> dict[str, bool]:
        """Which files the case gets beside ``case.json``."""
        options = self.options
        more = any(self.of(file.kind) for file in result.files)
        chosen = (options.pdf in {"auto", "cases"}, options.heatmap, options.geojson, True)
        return {name: more and wanted for name, wanted in zip(SWITCHES, chosen, strict=True)}

    def released(self, result: CaseResult) -> CaseResult:
        """The case as it may be shown: with ``deidentify``, in words that hold no name."""
        return hide_message(result) if self.options.deidentify else result


@dataclass(frozen=True, slots=True)
class Filed:
    """A case whose files are written; failed after all when they could not be made."""

    result: CaseResult
    files: CaseFiles


def file_case(
    folder: Path, result: CaseResult, wanted: CaseFilesWanted, clear: Callable[[], object]
) -> Filed:
    """Write the files of a case. One whose report cannot be drawn fails alone.

    ``clear`` empties the folder of what was written by then. Raises MachineError.
    """
    try:
        return Filed(result, write_case_files(folder, result, **wanted.switches(result)))
    except Exception as error:  # noqa: BLE001  a report that cannot be drawn costs its own case
        result = wanted.released(spoiled_case(result, case_error(error)))
        clear()
        return Filed(result, write_case_files(folder, result, **dict.fromkeys(SWITCHES, False)))
