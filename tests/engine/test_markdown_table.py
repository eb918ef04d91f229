"""Names from outside break no table."""

from __future__ import annotations

import dataclasses

from lungscan.results.markdown_table import plain, table
from lungscan.training.wording import model_card
from tests.models import CARD


def test_numbers_stand_to_the_right() -> None:
    lines = table(("class", "n"), [("a", "1")], ["n"]).splitlines()
    assert lines == ["| class | n |", "| --- | ---: |", "| a | 1 |"]


def test_a_text_from_outside_is_no_markup() -> None:
    assert plain("a|b [c](d) <e> `f`") == "a\\|b \\[c](d) &lt;e> 'f'"


def test_a_class_with_a_bar_in_its_name_keeps_the_card_s_columns() -> None:
    names = ("a|b", *CARD.class_names[1:])
    data = {"summary": "a|b 3", "figures": "", **CARD.data}
    card = dataclasses.replace(CARD, class_names=names, data=data)
    rows = [line for line in model_card(card).splitlines() if line.startswith("| ")]
    assert any("a\\|b" in row for row in rows)
    for row in rows:
        assert row.replace("\\|", "").count("|") in (3, 6), row
