"""Codes and identities in the objects made here.

What the standard has no word for is coded under ``99LUNGSCAN``: a designator that begins with 99 is
private (PS3.16, chapter 8). The classes are such: a model's output is not a finding, whatever it is
called, and no code of pathology should stand for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lungscan import RESEARCH_USE
from lungscan.errors import Code
from lungscan.modalities.table import modality_of
from lungscan.report.cases_csv import all_flags
from lungscan.report.wording import reason_words
from lungscan.types import CaseResult, CaseStatus, ModelStamp, NoResult

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept

SCHEME = "99LUNGSCAN"
MANUFACTURER = "LungScan"
RESEARCH = "RESEARCH"  # Content Qualification (0018,9004)
_VALUE, _MEANING = 16, 64  # characters that a code's value and meaning may have


def concept(value: str, meaning: str) -> CodedConcept:
    """A code of ours."""
    from highdicom.sr import CodedConcept

    return CodedConcept(value[:_VALUE], SCHEME, meaning[:_MEANING])


def class_concept(model: ModelStamp, index: int) -> CodedConcept:
    """A class of one very model."""
    return concept(f"{model.sha256[:8]}-{index}", model.display_names[index])


def answer_concept(result: CaseResult) -> CodedConcept:
    """The class that was answered, or that there is no result."""
    prediction = result.prediction
    if prediction is None or prediction.label is None:
        return concept("NO-RESULT", "No result")
    return class_concept(result.model, result.model.class_names.index(prediction.label))


def reason_concept(result: CaseResult) -> CodedConcept | None:
    """Why there is no result, or the reserve under which there is one; never a sentence.

    A sentence may name files.
    """
    if result.prediction is None:
        code = re.sub(r"[^A-Z0-9_]", "", result.error_code.upper()) or Code.UNKNOWN
        return concept(code, f"Not classified ({code})")
    reason = result.prediction.reason
    if reason is None:
        return None
    return concept(reason.name.replace("_", "-"), reason_words(result))


def flag_concepts(result: CaseResult) -> list[CodedConcept]:
    """What a reader should know beside the answer: that parts are missing, and the case's flags."""
    partial = ["partial"] if result.status is CaseStatus.PARTIAL else []
    noted = dict.fromkeys([*partial, *all_flags(result)])
    reason = result.prediction.reason if result.prediction else None
    own: dict[str, str] = {NoResult.OTHER_STAIN: modality_of(result.model.modality).words.elsewhere}
    return [
        concept(flag.upper().replace("_", "-"), own.get(flag, flag.replace("_", " ")))
        for flag in noted
        if flag != reason
    ]


def uid(*parts: str) -> str:
    """The same identity for the same content, so that a repeated export is no second object."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=["LungScan", *parts]))


def series_description(result: CaseResult, what: str) -> str:
    """Viewers show it where they hide the qualification; at most 64 characters."""
    words = RESEARCH_USE.split(".")[0].upper()
    return f"{words}: LungScan {result.lungscan_version} {what}"[:_MEANING]
