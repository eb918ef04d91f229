"""What an evaluation says of the scale at which models look, and of what they have seen."""

from __future__ import annotations

import dataclasses

from lungscan.evaluation import wording
from lungscan.evaluation.records import DataNote, Protocol, Seen
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model

NOTE = DataNote("fields", "", "", Protocol.WHOLE, Seen.UNKNOWN, 0, 0, 9, 9, grouped=True)


def said(*cards: ModelCard) -> str:
    return " ".join(wording.notes(NOTE, cards, draws=100, mpp=None))


def test_a_scale_of_ct_is_written_out() -> None:
    assert "at the model's 2,800 µm/px;" in said(find_model("lung-ct"))
    assert "at the model's 0.583 µm/px;" in said(find_model("lung-histology"))


def test_two_models_that_look_at_two_scales_are_both_named() -> None:
    card = find_model("lung-histology")
    finer = dataclasses.replace(card, spacing_um_px=0.5)
    assert "at the models' 0.583 µm/px and 0.5 µm/px;" in said(card, finer)
    assert "at the models' 0.583 µm/px;" in said(card, card)


def test_whose_card_cannot_tell_what_was_seen_is_said() -> None:
    card = find_model("lung-histology")
    assert "The model's card names other training data" in said(card)
    assert "The card of at least one of the models names other training data" in said(card, card)
