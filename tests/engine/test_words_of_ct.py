"""What is said of slices never speaks of stain or tissue."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lungscan.classification.aggregate import Evidence
from lungscan.classification.decide import decide
from lungscan.model.modality_names import CT, HE
from lungscan.report.wording import answer_line, explanation, flag_text, headline, why_in_short
from lungscan.types import CaseResult, CaseStatus, NoResult, Prediction, TileState
from tests.models import CARD
from tests.results import MODEL, field_result

FLAG = NoResult.OTHER_STAIN.value


def said(result: CaseResult) -> str:
    words = (answer_line(result), explanation(result), headline(result), why_in_short(result))
    return " ".join((*words, flag_text(FLAG, result.model.modality))).lower()


def of(modality: str, prediction: Prediction, *flags: str) -> CaseResult:
    model = dataclasses.replace(MODEL, modality=modality)
    return dataclasses.replace(
        field_result(), model=model, prediction=prediction, flags=flags, status=CaseStatus.OK
    )


@pytest.mark.parametrize(("modality", "stain"), [(HE, True), (CT, False)])
def test_a_refused_and_a_doubtful_answer_speak_the_words_of_their_modality(
    modality: str, stain: bool
) -> None:
    card = dataclasses.replace(CARD, modality=modality)
    probs = np.array([(0.9, 0.05, 0.05)] * 4, np.float32)
    far = Evidence(probs, np.ones(4, np.float32), (TileState.OTHER_STAIN,) * 4, measured=True)
    refused = decide(far, card, "tumour-aware", "strict")[0]
    assert refused.reason is NoResult.OTHER_STAIN
    assert ("stain" in said(of(modality, refused))) is stain
    assert ("tissue" in refused.reason_text) is stain
    given = dataclasses.replace(refused, label=CARD.class_names[0], reason=None, reason_text="")
    doubtful = of(modality, given, FLAG)
    assert "than the model knows" in said(doubtful)
    assert ("stain" in said(doubtful)) is stain
