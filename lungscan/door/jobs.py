"""Options of the long jobs beside a scan, and the events that end them.

``ScanOptions`` and its events have modules of their own, ``lungscan.options`` and
``lungscan.events``. Every job of the door is ``job(options) -> Generator[event]``; its last event
is one of those called ``...Finished``, or ``Adapted`` or ``Compressed``, and holds the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lungscan.errors import UsageProblem
from lungscan.options import PDF_CHOICES, PdfChoice, require_choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lungscan.adaptation.records import AdaptOptions
    from lungscan.compression.onnx_file import OnnxExport
    from lungscan.compression.wsinfer_folder import WsinferExport
    from lungscan.dataset.audit import Audit
    from lungscan.dataset.listing import Listing
    from lungscan.dataset.splits import SplitRow
    from lungscan.evaluation.options import DataOptions, JudgeOptions
    from lungscan.evaluation.records import Comparison, Evaluation
    from lungscan.evaluation.writing import Written
    from lungscan.report.write import Rebuilt
    from lungscan.review.reviews_table import Reviews
    from lungscan.scanning.planning import PlannedCase
    from lungscan.self_check import Check
    from lungscan.studies.options import StudyOptions
    from lungscan.training.options import TrainOptions
    from lungscan.verification.checks import Check as FileCheck

Protocol = Literal["grouped", "random"]
PROTOCOLS: tuple[Protocol, ...] = ("grouped", "random")
ExportForm = Literal["onnx", "wsinfer"]
EXPORT_FORMS: tuple[ExportForm, ...] = ("onnx", "wsinfer")
AUDIT_REPORTS = (".html", ".htm", ".pdf")


# Results ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CasePlanned:
    """A case was opened and tiled."""

    case: PlannedCase


@dataclass(frozen=True, slots=True)
class PlanFinished:
    """All cases, skipped files last."""

    cases: tuple[PlannedCase, ...]


@dataclass(frozen=True, slots=True)
class RebuildOptions:
    """Write the reports of a run again; ``pdf`` None: those that the run was told to write."""

    out: Path
    pdf: PdfChoice | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense. Raises UsageProblem."""
        if self.pdf is not None:
            require_choice("--pdf", self.pdf, PDF_CHOICES)


@dataclass(frozen=True, slots=True)
class RebuildFinished:
    """All reports are written."""

    rebuilt: Rebuilt


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Hash results and model again, and the images below ``inputs``; see the door's ``verify``."""

    out: Path
    inputs: tuple[Path, ...] = ()
    model: str | None = None  # where a model lies that is not shipped


@dataclass(frozen=True, slots=True)
class FileChecked:
    """One file was compared."""

    check: FileCheck


@dataclass(frozen=True, slots=True)
class VerifyFinished:
    """``same`` counts unchanged files by area; ``found`` has all others, in a fixed order."""

    same: Mapping[str, int]
    found: tuple[FileCheck, ...]


@dataclass(frozen=True, slots=True)
class ReviewsOptions:
    """Gather the reviews of all runs below ``folder``; ``out`` None: no table is written."""

    folder: Path
    groups: Path | None = None  # CSV file,group; None: the folder's groups.csv, if any
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class ReviewsFinished:
    """All reviews are read; ``table`` is where the table lies in the end."""

    reviews: Reviews
    table: Path | None


@dataclass(frozen=True, slots=True)
class Checked:
    """The doctor looked at one thing."""

    check: Check


@dataclass(frozen=True, slots=True)
class DoctorFinished:
    """All that was looked at."""

    checks: tuple[Check, ...]


# Data ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Look at a data folder; ``report`` names an HTML or PDF file to write."""

    folder: Path
    groups: Path | None = None  # CSV file,label,group; None: the folder's groups.csv, if any
    report: Path | None = None

    def __post_init__(self) -> None:
        """Refuse another kind of report. Raises UsageProblem."""
        if self.report is not None and self.report.suffix.lower() not in AUDIT_REPORTS:
            raise UsageProblem(f"--out {self.report.name} is neither FILE.html nor FILE.pdf.")


@dataclass(frozen=True, slots=True)
class AuditFinished:
    """The folder was looked at, and the report written where one was asked for."""

    audit: Audit


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """Deal the pictures of a folder to training, validation and test."""

    folder: Path
    out: Path
    groups: Path | None = None
    protocol: Protocol = "grouped"
    shares: tuple[float, float, float] = (70, 15, 15)  # percent
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what makes no sense. Raises UsageProblem."""
        require_choice("--protocol", self.protocol, PROTOCOLS)
        train, validation, test = self.shares
        if min(train, validation) <= 0 or test < 0 or abs(sum(self.shares) - 100) > 0.01:
            raise UsageProblem(f"--shares {self.shares} do not share out 100 percent.")


@dataclass(frozen=True, slots=True)
class SearchNeeded:
    """No groups are given, so pictures of the same tissue are looked for."""


@dataclass(frozen=True, slots=True)
class SplitFinished:
    """The split file is written."""

    listing: Listing
    rows: tuple[SplitRow, ...]
    leaking: int  # groups that stand in more than one part


# Models -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """Measure how good a model is; ``out`` None: nothing is written."""

    model: str
    data: DataOptions
    judge: JudgeOptions
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class EvaluateFinished:
    """All figures are known, and written where asked for."""

    evaluation: Evaluation
    written: Written | None


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """Judge the same fields with two models; ``out`` None: nothing is written."""

    models: tuple[str, str]
    data: DataOptions
    judge: JudgeOptions
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class CompareFinished:
    """Both models are judged."""

    comparison: Comparison
    written: Written | None


@dataclass(frozen=True, slots=True)
class CompressOptions:
    """Make the int8 form of a model; bounds are shares."""

    model: str
    data: Path
    out: Path
    split: Path | None = None
    accuracy: float = 0.005  # that may be lost on the judged fields
    refusals: float = 0.02  # of the judged fields that only one of the two may answer
    fields: int = 300  # to calibrate on
    threads: int | None = None
    command: str = ""  # how it was started, for the card


@dataclass(frozen=True, slots=True)
class FieldsGathered:
    """The fields of a compression are read."""

    calibrating: int
    judging: int
    groups: int
    skipped: tuple[str, ...]  # files that cannot be read


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Write a model as one ONNX file, or as a folder for QuPath's WSInfer extension."""

    model: str
    out: Path
    form: ExportForm = "onnx"

    def __post_init__(self) -> None:
        """Refuse what makes no sense. Raises UsageProblem."""
        require_choice("--form", self.form, EXPORT_FORMS)


@dataclass(frozen=True, slots=True)
class ExportFinished:
    """The file is written and repeats the golden answers."""

    export: OnnxExport | WsinferExport


@dataclass(frozen=True, slots=True)
class TrainJob:
    """A recipe, and what it does not say; see ``lungscan.training.train.train``."""

    recipe: TrainOptions
    root: Path
    out: Path
    stages: tuple[str, ...] = ()
    command: str = ""


@dataclass(frozen=True, slots=True)
class TrainFinished:
    """The stages asked for are finished; ``out`` holds the model if it was bundled."""

    out: Path


@dataclass(frozen=True, slots=True)
class AdaptJob:
    """A model to adapt, to what, and where to."""

    model: str
    options: AdaptOptions
    out: Path


@dataclass(frozen=True, slots=True)
class StudyJob:
    """A study, and with what to compute it; see ``lungscan.studies.study.study``."""

    study: StudyOptions
    root: Path
    out: Path
    device: str = "auto"
    workers: int = 1
    lanes: int = 1
    threads: int = 0
    budget_s: float | None = None
    command: str = ""
    only_material: bool = False
    with_int8: bool = True
