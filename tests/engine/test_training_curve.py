"""The drawn curve of accuracy against coverage, and the sections of a card's README about it."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra train")

from lungscan.model.card import Metric
from lungscan.model.checked import read_card
from lungscan.training import wording
from lungscan.training.curve import HEIGHT, WIDTH, draw_coverage


def points_of(element: ElementTree.Element) -> list[tuple[float, float]]:
    pairs = (pair.split(",") for pair in element.attrib["points"].split())
    return [(float(x), float(y)) for x, y in pairs]


def test_the_curve_falls_from_left_to_right_inside_the_picture() -> None:
    points = tuple((share / 100, 1.1 - share / 500, 0.9, 1.0) for share in range(50, 101))
    root = ElementTree.fromstring(draw_coverage(points))
    (line,) = (e for e in root if e.tag.endswith("polyline"))
    (band,) = (e for e in root if e.tag.endswith("polygon"))
    drawn = points_of(line)
    assert len(drawn) == 51
    assert drawn == sorted(drawn)
    heights = [y for _, y in drawn]
    assert heights == sorted(heights)  # down the page: less and less is right
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in (*drawn, *points_of(band)))
    assert len(points_of(band)) == 102
    (dot,) = (e for e in root if e.tag.endswith("circle"))
    at_95 = drawn[45]
    assert (float(dot.attrib["cx"]), float(dot.attrib["cy"])) == at_95
    words = [e.text or "" for e in root if e.tag.endswith("text")]
    assert "95 % answered: 91.0 % right (90.0 to 100.0)" in words


def test_the_readme_says_what_is_wrong_among_the_answered(model: Path) -> None:
    plain = dataclasses.replace(read_card(model), data={"figures": "", "summary": ""})
    card = dataclasses.replace(plain, coverage=((0.95, 0.98, 0.96, 0.99),))
    text = wording.model_card(card)
    assert "| 95.0 % | 98.0 % (96.0 to 99.0) | 2.0 % |" in text
    assert "](coverage.svg)" in text
    assert "Accuracy against coverage" not in wording.model_card(plain)


def test_the_figures_of_one_split_stand_below_those_of_the_folds(model: Path) -> None:
    card = read_card(model)
    one = dataclasses.asdict(Metric("accuracy", 0.971, 0.941, 0.995, 375, 94))
    data = card.data | {"folds": [0.97, 0.98], "figures": "", "summary": "", "one_split": [one]}
    text = wording.model_card(dataclasses.replace(card, data=data))
    below = text[text.index("## Beside it: one split") :]
    assert "| accuracy | 97.1 % (95 % CI 94.1 to 99.5 %) | 375 | 94 |" in below
    assert text.index("## Figures") < text.index("## Beside it: one split")
    assert "fitted on the answers of all folds" in text
