"""The records of an evaluation: what was judged, what came out, how sure that is.

A ``Metric`` is one figure with its 95 % interval; NaN stands where there is nothing to measure,
such as the recall of a class without fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungscan.model.card import Metric
from lungscan.types import CaseStatus, FloatArray, ModelStamp

CountArray = NDArray[np.int64]


class Protocol(StrEnum):
    """What the fields that were judged have to do with other parts of a split file."""

    GROUPED = "grouped"  # no group of theirs stands in another part
    LEAKING = "leaking"  # some do: the same tissue was there to learn from
    UNKNOWN = "groups unknown"  # each picture is its own group, so nobody can tell
    WHOLE = "whole folder"  # no split file was given
    FOLDS = "cross-validated by group"  # each field by the one fold that never saw its group


class Seen(StrEnum):
    """Whether the model's training has seen the fields, as far as its card tells."""

    NO = "held out"  # the card names this very data, and all groups are among its test groups
    YES = "seen in training"  # the card or the run names these data, and groups beyond its test
    UNKNOWN = "unknown"  # the card names other data, or none


@dataclass(frozen=True, slots=True)
class LabelledField:
    """One field with its true class."""

    file: str  # relative to the data folder, "/" between parts
    path: Path
    label: str
    group: str
    um_px: float | None = None  # its scale by a table, used if the file says none


@dataclass(frozen=True, slots=True)
class FieldAnswer:
    """What the model said of one field."""

    file: str
    label: str  # the true class
    group: str
    status: CaseStatus
    answer: str | None  # None: no result, or the field could not be read
    forced: str | None  # the class it names when it must; None where there was nothing to score
    confidence: float | None  # of ``forced``
    probs: tuple[float, ...]  # in the card's order; () where there was nothing to score
    reason: str  # why there is no answer; "" when there is one
    flags: tuple[str, ...] = ()  # of the case

    @property
    def judged(self) -> bool:
        """Whether the field could be read."""
        return self.status not in (CaseStatus.FAILED, CaseStatus.SKIPPED)


@dataclass(frozen=True, slots=True)
class DataNote:
    """What was judged, and what that allows to conclude."""

    folder: str  # its last name only
    split: str  # name of the split file; "" for the whole folder
    part: str  # "" for the whole folder
    protocol: Protocol
    seen: Seen
    leaking_groups: int  # groups judged that stand in another part of the split file, too
    seen_groups: int  # groups judged that the card does not name as test groups
    fields: int
    groups: int
    grouped: bool  # False: no groups are known, each picture counts as its own


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class against the rest, forced choice."""

    name: str
    display_name: str
    support: int  # fields of this class
    precision: Metric
    recall: Metric
    f1: Metric
    auc: Metric


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows are true classes, columns answers, in the card's order."""

    forced: CountArray  # (classes, classes); fields without any scored tile are in no column
    answered: CountArray  # (classes, classes + 1); the last column is "no result"


@dataclass(frozen=True, slots=True)
class RocCurve:
    """One class against the rest; ``grid`` are the abscissae of the 95 % band."""

    name: str
    false_positive: FloatArray  # (m,)
    true_positive: FloatArray  # (m,)
    grid: FloatArray  # (k,)
    low: FloatArray  # (k,)
    high: FloatArray  # (k,)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Fields of similar confidence."""

    confidence: float  # their mean
    accuracy: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """Accuracy when only the most confident share of the fields is answered."""

    share: FloatArray  # (k,)
    accuracy: FloatArray  # (k,)
    low: FloatArray  # (k,)
    high: FloatArray  # (k,)


@dataclass(frozen=True, slots=True)
class ShiftFigures:
    """The same fields, changed in one way."""

    kind: str  # "blur"
    amount: str  # "2 px"
    accuracy: Metric
    answered: Metric
    accuracy_answered: Metric
    drop: Metric  # accuracy as they are minus accuracy changed, paired


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was measured. ``evaluation.json`` is this record without the answers."""

    model: ModelStamp
    data: DataNote
    warnings: tuple[str, ...]  # sentences that every output must carry; worst first
    notes: tuple[str, ...]  # how the figures are meant
    metrics: tuple[Metric, ...]  # over all classes
    classes: tuple[ClassFigures, ...]
    confusion: Confusion
    roc: tuple[RocCurve, ...]
    reliability: tuple[ReliabilityBin, ...]
    coverage: Coverage
    robustness: tuple[ShiftFigures, ...]  # () unless asked for
    answers: tuple[FieldAnswer, ...]
    settings: tuple[tuple[str, str], ...]
    device: str
    finished_utc: str
    lungscan_version: str
    use: str  # what it may be used for
    schema_version: int = 1

    def metric(self, name: str) -> Metric:
        """The figure over all classes of that name; KeyError when there is none."""
        found = {metric.name: metric for metric in self.metrics}
        return found[name]


@dataclass(frozen=True, slots=True)
class Change:
    """A field that two models answer differently; "" stands for no result."""

    file: str
    label: str
    group: str
    answer_a: str
    confidence_a: float
    probs_a: tuple[float, ...]
    answer_b: str
    confidence_b: float
    probs_b: tuple[float, ...]
    forced_a: str
    forced_b: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same fields. Right and wrong are those of the forced choice."""

    model_a: ModelStamp
    model_b: ModelStamp
    data: DataNote  # ``seen`` is the worse of the two
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    accuracy_a: Metric
    accuracy_b: Metric
    difference: Metric  # B minus A, paired, bootstrap over groups
    answered_a: Metric
    answered_b: Metric
    both_right: int
    only_a_right: int
    only_b_right: int
    both_wrong: int
    mcnemar_p: float  # exact, two-sided; supposes that fields are independent
    verdict: str  # which of interval and test is to be believed, and what it says
    changes: tuple[Change, ...]
    skipped: tuple[str, ...]  # files that either model could not judge
    use: str
    schema_version: int = 1
