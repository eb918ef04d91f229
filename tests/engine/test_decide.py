"""When an answer is withheld: every reason, under every policy."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from lungscan.classification.aggregate import Evidence
from lungscan.classification.decide import Unscaled, decide
from lungscan.options import Abstain
from lungscan.types import NoResult, Prediction, TileState
from tests.models import CARD

SURE, UNSURE = (0.9, 0.05, 0.05), (0.4, 0.35, 0.25)  # the card answers from 0.5 up
U, B, N, P, E = (
    TileState.USED, TileState.BLURRED, TileState.NOVEL, TileState.PEN, TileState.BLANK,
)  # fmt: skip
S = TileState.OTHER_STAIN
FAILED, UNSCANNED = TileState.FAILED, TileState.UNSCANNED


def evidence(
    *tiles: tuple[TileState, int], probs: tuple[float, ...] = SURE, mm2: float = 0.1
) -> Evidence:
    """So many tiles of each state, each with ``mm2`` of tissue."""
    state = tuple(kind for kind, number in tiles for _ in range(number))
    rows = np.array([probs] * len(state), np.float32).reshape(len(state), 3)
    rows[[kind is FAILED for kind in state]] = np.nan
    return Evidence(rows, np.full(len(state), mm2, np.float32), state, measured=True)


def ask(seen: Evidence, abstain: Abstain = "strict") -> Prediction:
    return decide(seen, CARD, "tumour-aware", abstain)[0]


@pytest.mark.parametrize("slices", [1, 4])
def test_of_a_series_nothing_is_surer_than_single_slices_were(slices: int) -> None:
    card = dataclasses.replace(CARD, modality="chest-ct")  # right in 0.9 of single pictures
    seen = evidence((U, slices), probs=(0.98, 0.015, 0.005))
    found = decide(seen, card, "tumour-aware", "strict")[0]
    assert found.label == CARD.class_names[0]
    expected = 0.98 if slices == 1 else 0.9
    assert found.confidence == pytest.approx(expected)
    assert sum(found.probs) == pytest.approx(1)
    assert found.probs[1] == pytest.approx(3 * found.probs[2])
    histology = decide(seen, CARD, "tumour-aware", "strict")[0]
    assert histology.confidence == pytest.approx(0.98)


def test_the_bound_of_a_series_leaves_probabilities_under_every_rule() -> None:
    card = dataclasses.replace(CARD, modality="chest-ct")
    seen = evidence((U, 10), probs=(0.99, 0.005, 0.005))
    seen.probs[6:] = (0.01, 0.98, 0.01)
    for rule in ("tumour-aware", "mean", "majority"):
        found = decide(seen, card, rule, "never")[0]
        assert sum(found.probs) == pytest.approx(1, abs=1e-6)
        assert max(found.probs) == pytest.approx(found.confidence)


def test_a_plain_answer() -> None:
    prediction, flags = decide(evidence((U, 5), (E, 3), (P, 2)), CARD, "tumour-aware", "strict")
    assert (prediction.label, prediction.reason, prediction.reason_text) == ("adeno", None, "")
    assert prediction.confidence == pytest.approx(0.9)
    assert prediction.suggested == "adeno"
    assert prediction.area_mm2 == pytest.approx((0.5, 0, 0))
    assert prediction.tile_share == pytest.approx((1, 0, 0))
    assert flags == ()


REFUSED = {
    NoResult.UNCERTAIN: evidence((U, 5), probs=UNSURE),
    NoResult.NOT_LUNG: evidence((U, 2), (N, 5)),
    NoResult.BLURRED: evidence((U, 2), (B, 5)),
    NoResult.LITTLE_TISSUE: evidence((U, 5), mm2=0.0001),
    NoResult.OTHER_STAIN: evidence((U, 2), (S, 5)),
}


@pytest.mark.parametrize("reason", list(REFUSED))
@pytest.mark.parametrize("abstain", ["strict", "flag", "never"])
def test_every_reason_under_every_policy(reason: NoResult, abstain: Abstain) -> None:
    prediction, flags = decide(REFUSED[reason], CARD, "tumour-aware", abstain)
    withheld = abstain == "strict" or (abstain == "flag" and reason is NoResult.LITTLE_TISSUE)
    assert prediction.reason is reason
    assert prediction.reason_text.endswith(".")
    assert (prediction.label is None) == (prediction.confidence is None) == withheld
    assert prediction.suggested == "adeno"
    assert len(prediction.probs) == 3
    assert flags == (() if withheld else (reason.value,))


@pytest.mark.parametrize(
    ("tiles", "reason"),
    [
        ([(U, 5), (N, 5)], None),  # half is not more than half
        ([(U, 4), (N, 5)], NoResult.NOT_LUNG),
        ([(U, 5), (B, 5)], None),
        ([(U, 4), (B, 5)], NoResult.BLURRED),
        ([(N, 3)], NoResult.NOT_LUNG),
        ([(B, 3)], NoResult.BLURRED),
        ([(U, 5), (S, 5)], None),
        ([(U, 4), (S, 5)], NoResult.OTHER_STAIN),
        ([(S, 3)], NoResult.OTHER_STAIN),
        ([(B, 3), (S, 1)], NoResult.OTHER_STAIN),
        ([(U, 1), (S, 3), (N, 5)], NoResult.NOT_LUNG),  # among sharp tiles most are no lung
        ([(U, 1), (S, 5), (N, 5)], NoResult.OTHER_STAIN),
        ([(U, 4), (S, 3), (N, 3)], NoResult.OTHER_STAIN),  # each is the lesser part, not both
        ([(U, 4), (S, 2), (N, 4)], NoResult.NOT_LUNG),
        ([(U, 5), (S, 2), (N, 3)], None),
        ([(B, 3), (N, 1)], NoResult.NOT_LUNG),  # nothing sharp looked like lung
        ([(U, 1), (B, 5), (N, 5)], NoResult.NOT_LUNG),  # the graver reason first
        ([(E, 9)], NoResult.LITTLE_TISSUE),
        ([(P, 9)], NoResult.LITTLE_TISSUE),
        ([(UNSCANNED, 9)], NoResult.LITTLE_TISSUE),
        ([], NoResult.LITTLE_TISSUE),
        ([(U, 3), (P, 99), (E, 99)], None),  # ink and glass are no tissue
    ],
)
def test_the_reason_follows_from_what_the_tiles_are(
    tiles: list[tuple[TileState, int]], reason: NoResult | None
) -> None:
    assert ask(evidence(*tiles)).reason is reason


def test_tissue_counts_not_tiles() -> None:
    seen = evidence((U, 3), (N, 5))
    seen.weight[3:] = 0.01
    assert ask(seen).reason is None


def test_the_confidence_limit_is_the_card_s() -> None:
    assert ask(evidence((U, 3), probs=(0.5, 0.3, 0.2))).reason is None
    prediction = ask(evidence((U, 3), probs=(0.49, 0.3, 0.21)))
    assert prediction.reason is NoResult.UNCERTAIN
    assert "49 %" in prediction.reason_text
    assert "50 %" in prediction.reason_text
    text = ask(evidence((U, 3), probs=(0.4987, 0.3, 0.2013))).reason_text
    assert (
        "only 49.9 %; this model answers from 50.0 % up" in text
    )  # "50 %; from 50 %" was no reason


def test_never_answers_wherever_a_tile_was_scored() -> None:
    for tiles in ([(E, 2)], [(P, 2)], [(N, 1)], [(B, 1)]):
        assert ask(evidence(*tiles), "never").label == "adeno"
    blank = evidence((E, 2), mm2=0.0)  # without tissue every tile counts alike
    assert ask(blank, "never").label == "adeno"
    for tiles in ([], [(FAILED, 3)], [(UNSCANNED, 2)]):
        prediction = ask(evidence(*tiles), "never")
        assert (prediction.label, prediction.suggested, prediction.probs) == (None, None, ())


def test_failed_tiles_have_no_say() -> None:
    seen = evidence((U, 3), (FAILED, 1))
    prediction = ask(seen)
    assert prediction.label == "adeno"
    assert np.isfinite(prediction.probs).all()
    assert prediction.area_mm2 == pytest.approx((0.3, 0, 0))


def test_little_tissue_is_not_asked_of_images_without_a_scale() -> None:
    seen = evidence((U, 1), mm2=0.0001)
    bare = Evidence(seen.probs, seen.weight, seen.state, measured=False)
    prediction = ask(bare)
    assert prediction.label == "adeno"
    assert prediction.area_mm2 is None


def test_the_rule_s_own_flags_are_passed_on() -> None:
    benign = evidence((U, 200), probs=(0.05, 0.9, 0.05), mm2=0.0125)
    benign.probs[0] = SURE
    assert decide(benign, CARD, "tumour-aware", "strict")[1] == ("tumour_area_below_limit",)


@pytest.mark.parametrize(("fields", "given"), [(3, False), (6, False), (7, True), (20, True)])
def test_one_tumour_field_among_few_benign_ones_forbids_benign(fields: int, given: bool) -> None:
    seen = evidence((U, fields), probs=(0.01, 0.98, 0.01), mm2=0.0125)
    seen.probs[0] = SURE
    prediction, flags = decide(seen, CARD, "tumour-aware", "strict")
    assert prediction.suggested == "benign"
    assert (prediction.label, prediction.reason) == (
        ("benign", None) if given else (None, NoResult.SOME_TUMOUR)
    )
    assert flags == (("tumour_area_below_limit",) if given else ())
    assert ("Tumour was seen in" in prediction.reason_text) is not given
    forced, told = decide(seen, CARD, "tumour-aware", "never")
    assert (forced.label, told[-1]) == ("benign", "tumour_area_below_limit")


def test_without_a_scale_no_area_is_spoken_of_and_no_scale_blamed() -> None:
    seen = evidence((U, 4), probs=(0.01, 0.98, 0.01), mm2=0.0125)
    seen.probs[0] = SURE
    bare = Evidence(seen.probs, seen.weight, seen.state, measured=False)
    unscaled = Unscaled("The picture was taken whole.", 3.0)
    text = decide(bare, CARD, "tumour-aware", "strict", unscaled)[0].reason_text
    assert text.startswith("Tumour was seen in 25 % of the tissue: too few tiles")
    assert "too small an area" in ask(seen).reason_text


@pytest.mark.parametrize("shrunk", [0.5, 1.0, 9.0])
@pytest.mark.parametrize("reason", list(REFUSED))
def test_an_unknown_scale_stands_before_every_reason_that_it_can_make_up(
    reason: NoResult, shrunk: float
) -> None:
    unscaled = Unscaled("The picture was taken whole.", shrunk)
    prediction, _ = decide(REFUSED[reason], CARD, "tumour-aware", "strict", unscaled)
    plain = decide(REFUSED[reason], CARD, "tumour-aware", "strict")[0]
    assert plain.reason_text in prediction.reason_text
    assert "--mpp" not in plain.reason_text
    # Tissue is lost only in a picture that was shrunk a good deal.
    may_be = reason is not NoResult.LITTLE_TISSUE or shrunk > 2
    assert prediction.reason_text.startswith("The scale is unknown") == may_be
    assert ("Give the pixel size (--mpp; " in prediction.reason_text) == may_be
    assert (unscaled.shown in prediction.reason_text) == may_be


def test_a_plain_answer_knows_no_doubt() -> None:
    unscaled = Unscaled("The picture was taken whole.", 9.0)
    prediction, _ = decide(evidence((U, 5)), CARD, "tumour-aware", "strict", unscaled)
    assert prediction.reason_text == ""


def test_another_stain_within_reach_is_answered_with_a_flag() -> None:
    seen = evidence((U, 6), (N, 2))
    far = np.array([1.2] * 4 + [0.5] * 2 + [9.0] * 2, np.float32)
    prediction, flags = decide(replace(seen, appearance=far), CARD, "tumour-aware", "strict")
    assert (prediction.label, prediction.reason) == ("adeno", None)
    assert flags == ("other_stain_or_scanner",)
    half = np.array([1.2] * 3 + [0.5] * 3 + [9.0] * 2, np.float32)  # half is not more than half
    assert decide(replace(seen, appearance=half), CARD, "tumour-aware", "strict")[1] == ()
    looser = replace(CARD, appearance_threshold=1.5)
    assert decide(replace(seen, appearance=far), looser, "tumour-aware", "strict")[1] == ()


def test_too_far_off_is_reported_once_and_in_words() -> None:
    seen = replace(evidence((U, 1), (S, 3)), appearance=np.array([1.2] + [5.0] * 3, np.float32))
    prediction, flags = decide(seen, CARD, "tumour-aware", "flag")
    assert prediction.label == "adeno"
    assert flags == ("other_stain_or_scanner",)
    assert prediction.reason_text == (
        "75 % of the tissue is of another stain or scanner than the training's, "
        "further off than this model can judge; adapt it to your own lung (lungscan adapt)."
    )
    made = replace(CARD, adaptation={"source": "other"})
    told = decide(seen, made, "tumour-aware", "flag")[0].reason_text
    assert "than the fields it was adapted to, further off" in told


def test_the_share_of_another_stain_is_of_all_that_was_seen() -> None:
    found = ask(evidence((S, 42), (N, 24)))
    assert found.reason is NoResult.OTHER_STAIN
    assert found.reason_text.startswith("64 % of the tissue is of another stain")


def test_classes_have_no_area_where_no_tile_was_used() -> None:
    assert ask(evidence((S, 4))).area_mm2 is None
    assert ask(evidence((S, 4)), "flag").area_mm2 is None
    assert ask(evidence((U, 4))).area_mm2 is not None
