"""Which tiles a report shows: those that speak for its answer, not merely the surest ones."""

from __future__ import annotations

from dataclasses import replace

from lungscan.classification.pictures import choose_pictures
from lungscan.report.wording import others_title
from lungscan.types import TilePicture
from tests.models import CARD
from tests.results import field_result

SURE_OF_OTHERS = [(0.0, 0.999, 0.001), (0.001, 0.0, 0.999)] * 6


def pictures(probs: list[tuple[float, float, float]]) -> list[TilePicture]:
    return [TilePicture("top", 0, (10 * row, 0, 10, 10), p, b"") for row, p in enumerate(probs)]


def test_an_answers_tiles_are_of_its_class_surest_first() -> None:
    own = [(0.7, 0.2, 0.1), (0.9, 0.05, 0.05), (0.4, 0.35, 0.25)]
    chosen = choose_pictures(pictures([*SURE_OF_OTHERS, *own]), CARD, CARD.class_names[0])
    assert [p.probs for p in chosen if p.role == "top"] == [own[1], own[0], own[2]]
    others = [p.probs for p in chosen if p.role == "uncertain"]
    assert len(others) == 3
    assert not set(others) & set(own)  # shown once


def test_tumour_tiles_are_shown_where_the_answer_is_none_and_named_so() -> None:
    benign, sure = (0.001, 0.998, 0.001), (0.99, 0.005, 0.005)
    unsure = [(0.1, 0.6 + row / 100, 0.3 - row / 100) for row in range(9)]
    seen = pictures([*[benign] * 8, sure, *unsure])
    chosen = choose_pictures(seen, CARD, CARD.class_names[1])
    assert [p.probs for p in chosen if p.role == "uncertain"] == [sure, unsure[0], unsure[1]]
    answer = field_result().prediction
    assert answer is not None
    named = replace(answer, label="benign")  # the second class of the results
    told = replace(field_result(), prediction=named, pictures=chosen)
    assert others_title(told) == "Tumour tiles, and the most uncertain"
    plain = choose_pictures(pictures([*[benign] * 8, *unsure]), CARD, CARD.class_names[1])
    assert others_title(replace(told, pictures=plain)) == "Most uncertain tiles"


def test_no_more_than_six_speak_for_it_and_the_least_sure_come_worst_first() -> None:
    own = [(0.5 + row / 100, 0.5 - row / 100, 0.0) for row in range(1, 12)]
    chosen = choose_pictures(pictures([*SURE_OF_OTHERS, *own]), CARD, CARD.class_names[0])
    assert [p.probs for p in chosen] == [*own[:4:-1], *own[:3]]
    assert [p.role for p in chosen] == ["top"] * 6 + ["uncertain"] * 3


def test_without_an_answer_the_clearest_are_shown_whatever_they_name() -> None:
    chosen = choose_pictures(pictures([(0.7, 0.2, 0.1), *SURE_OF_OTHERS]), CARD, None)
    assert {p.probs for p in chosen if p.role == "top"} == set(SURE_OF_OTHERS)
    assert choose_pictures(pictures([(0.7, 0.2, 0.1)]), CARD, None) == ()


def test_suspicion_ranks_whatever_the_answer() -> None:
    ct = replace(CARD, modality="chest-ct")
    index, benign = CARD.tumour.index(True), CARD.tumour.index(False)
    suspicious, plain = (tuple(float(at == of) for at in range(3)) for of in (index, benign))
    shown = [
        TilePicture("top", 0, (10 * at, 0, 10, 10), p, b"")
        for at, p in enumerate((plain, suspicious, plain))
    ]
    assert choose_pictures(shown, ct, CARD.class_names[benign])[0].probs == suspicious
