"""``run.json``: what was run, with what, when, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lungscan.options import PdfChoice
from lungscan.results.atomic_files import write_atomic
from lungscan.results.case_json import DamagedRecord, dump_record, load_record
from lungscan.types import CaseResult, CaseStatus, ModelStamp


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run of ``lungscan classify``, without its cases."""

    model: ModelStamp
    lungscan_version: str
    versions: tuple[tuple[str, str], ...]  # of the libraries: ("openvino", "2025.3")
    settings: tuple[tuple[str, str], ...]  # as shown in the report
    settings_hash: str
    device: str  # all that answered, joined with "; "
    started_utc: str  # ISO 8601
    finished_utc: str
    seconds: float
    ok: int
    no_result: int
    partial: int
    failed: int
    skipped: int
    tiles: int  # tiles the network saw
    resumed: int = 0  # cases taken over from an earlier run with the same settings
    case_keys: tuple[str, ...] = ()  # the order of cases.csv
    schema_version: int = 1
    pdf: PdfChoice = "auto"  # which files of a case were wanted; `lungscan report` keeps to it
    heatmap: bool = True
    geojson: bool = True

    @property
    def cases(self) -> int:
        """Rows of ``cases.csv``."""
        return self.ok + self.no_result + self.partial + self.failed + self.skipped


def write_run_json(path: Path, summary: RunSummary) -> None:
    """Write the record durably. Raises MachineError when the file cannot be written."""
    write_atomic(path, dump_record(summary))


def read_run_json(data: bytes) -> RunSummary:
    """What ``write_run_json`` wrote; raises DamagedRecord, naming the fault."""
    return load_record(RunSummary, data, "run.json")


def summarise(results: Iterable[CaseResult]) -> RunSummary:
    """Make a summary from the cases alone, for a run that was stopped before it wrote one.

    Times span from the first case's start to the last one's end.
    Raises DamagedRecord without cases.
    """
    statuses: Counter[CaseStatus] = Counter()
    tiles, keys = 0, []
    first: CaseResult | None = None
    started, finished = "9", ""
    devices: dict[str, None] = {}
    seconds = 0.0
    for result in results:
        first = first or result
        statuses[result.status] += 1
        tiles += result.counts.total
        seconds += result.seconds
        devices |= dict.fromkeys(result.device.split("; "))
        keys.append(result.key)
        started, finished = min(started, result.started_utc), max(finished, result.finished_utc)
    if first is None:
        raise DamagedRecord("No case.json of this run can be read; classify the cases again.")
    return RunSummary(
        model=first.model,
        lungscan_version=first.lungscan_version,
        versions=(),
        settings=first.settings,
        settings_hash=first.settings_hash,
        device="; ".join(devices),
        started_utc=started,
        finished_utc=finished,
        seconds=seconds,
        ok=statuses[CaseStatus.OK],
        no_result=statuses[CaseStatus.NO_RESULT],
        partial=statuses[CaseStatus.PARTIAL],
        failed=statuses[CaseStatus.FAILED],
        skipped=statuses[CaseStatus.SKIPPED],
        tiles=tiles,
        case_keys=tuple(keys),
    )
