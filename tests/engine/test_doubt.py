"""Which models count as proven."""

from __future__ import annotations

import dataclasses

import pytest

from lungscan.model.card import Metric
from lungscan.model.doubt import doubt, stated
from lungscan.report.wording import UNPROVEN
from tests.models import CARD


def sentence(
    value: float, low: float | None, high: float | None, groups: int, **data: float
) -> str:
    metric = Metric("accuracy", value, low, high, 2 * groups, groups)
    return doubt(dataclasses.replace(CARD, metrics=(metric,), data={"summary": "", **data}))


@pytest.mark.parametrize(
    ("value", "low", "groups", "proven"),
    [
        (0.31, 0.14, 15, False),  # a third is within
        (0.60, 0.34, 40, True),
        (0.60, 0.33, 40, False),
        (1.00, 1.00, 1, False),  # a single group proves nothing
        (1.00, 1.00, 3, False),  # by chance once in 27 times
        (1.00, 1.00, 4, True),
        (0.95, None, 50, True),
    ],
)
def test_the_interval_must_lie_above_chance(
    value: float, low: float | None, groups: int, proven: bool
) -> None:
    assert (sentence(value, low, 1.0, groups) == "") is proven


def test_where_the_card_has_no_interval_it_is_the_exact_one() -> None:
    assert "(95 % interval 19 % to 81 %)" in sentence(0.5, None, None, 10)


def test_a_card_of_strangers_ends_no_command_and_keeps_none_busy() -> None:
    for value in (-0.5, 0.3):
        assert "is unproven" in sentence(value, None, None, 10**15)
    assert sentence(0.9, None, None, 10**15) == ""


def test_always_naming_the_commonest_class_is_no_skill() -> None:
    assert sentence(0.82, 0.78, 0.86, 200) == ""
    assert "would be right in 80 %" in sentence(0.82, 0.78, 0.86, 200, commonest_class=0.8)


def test_a_model_without_figures_is_unproven_and_one_of_an_older_name_is_not() -> None:
    assert "has not been measured" in doubt(dataclasses.replace(CARD, metrics=()))
    old = Metric("accuracy student", 0.9, 0.8, 1.0, 100, 50)
    assert doubt(dataclasses.replace(CARD, metrics=(old,))) == ""


def test_the_doubt_stands_first_and_once() -> None:
    card = dataclasses.replace(CARD, metrics=(), facts=(("Accuracy", "not measured"),))
    found = stated(stated(card))
    assert [name for name, _ in found.facts] == [UNPROVEN, "Accuracy"]
    assert found.limits == (found.facts[0][1], *card.limits)
    assert stated(CARD) is CARD
