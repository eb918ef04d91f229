"""From tiles to one answer: each rule, its limits, and that the order of tiles never matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungscan.classification.aggregate import (
    AREA_UNIT,
    RULES,
    Answer,
    class_areas,
    count,
    gather,
    majority_of_tiles,
    mean_probability,
    rule_named,
    tumour_aware,
)
from lungscan.errors import UsageProblem
from lungscan.types import FloatArray, TileQuality, TileScores, TileState
from tests.models import CARD

ADENO, BENIGN, SQUAMOUS = (0.8, 0.15, 0.05), (0.05, 0.9, 0.05), (0.1, 0.1, 0.8)
USED, FAILED = TileState.USED, TileState.FAILED


def array(rows: Sequence[Sequence[float]]) -> FloatArray:
    return np.array(rows, np.float32)


def scores(
    probs: Sequence[Sequence[float]],
    fraction: Sequence[float] | None = None,
    state: Sequence[TileState] | None = None,
    side: int = 100,
) -> TileScores:
    """Tiles side by side in one row."""
    n = len(probs)
    boxes = np.array([[i * side, 0, side, side] for i in range(n)], np.int32).reshape(n, 4)
    full = np.ones(n, np.float32)
    return TileScores(
        file_index=0,
        boxes=boxes,
        tissue_fraction=full if fraction is None else np.array(fraction, np.float32),
        probs=array(probs).reshape(n, 3),
        novelty=np.zeros(n, np.float32),
        quality=TileQuality(full, full * 0, full * 0, full),
        state=tuple(state or [USED] * n),
    )


def ask(rule: str, tiles: Sequence[tuple[Sequence[float], float]]) -> Answer:
    """What a rule says of tiles with their tissue in mm²."""
    probs, weight = zip(*tiles, strict=True)
    return rule_named(rule)(array(probs), np.array(weight, np.float32), CARD)


def label(answer: Answer) -> str:
    return CARD.class_names[answer.index]


# Rules ------------------------------------------------------------------------------------------


def test_a_small_tumour_in_much_benign_tissue_is_found() -> None:
    tiles = [(BENIGN, 0.0125)] * 990 + [(SQUAMOUS, 0.0125)] * 30
    assert label(ask("tumour-aware", tiles)) == "squamous"
    for rule in ("mean", "majority"):  # they are blind to it, and say so
        answer = ask(rule, tiles)
        assert (label(answer), answer.flags) == ("benign", ("tumour_outvoted",))
        assert ask(rule, tiles[:990]).flags == ask(rule, tiles[990:]).flags == ()


def test_lone_false_alarms_do_not_make_a_tumour() -> None:
    answer = ask("tumour-aware", [(BENIGN, 0.0125)] * 200 + [(ADENO, 0.0125)] * 3)
    assert label(answer) == "benign"
    assert answer.flags == ("tumour_area_below_limit",)
    assert ask("tumour-aware", [(BENIGN, 0.0125)] * 200).flags == ()


def test_the_limit_is_an_area_or_a_share_whichever_is_larger() -> None:
    # 0.1 mm² in a small section; 2 % of a large one.
    small = [(BENIGN, 1.0)]
    assert label(ask("tumour-aware", [*small, (ADENO, 0.099)])) == "benign"
    assert label(ask("tumour-aware", [*small, (ADENO, 0.101)])) == "adeno"
    large = [(BENIGN, 98.0)]
    assert label(ask("tumour-aware", [*large, (ADENO, 1.9)])) == "benign"
    assert label(ask("tumour-aware", [*large, (ADENO, 2.1)])) == "adeno"


def test_a_single_field_below_the_limit_is_judged_by_half_of_it() -> None:
    assert label(ask("tumour-aware", [(ADENO, AREA_UNIT)])) == "adeno"
    assert label(ask("tumour-aware", [(BENIGN, AREA_UNIT)])) == "benign"


def test_the_subtype_comes_from_tumour_tiles_only() -> None:
    # Benign tiles lean to adeno; they have no say in which tumour it is.
    leaning = (0.45, 0.54, 0.01)
    answer = ask("tumour-aware", [(leaning, 1.0)] * 50 + [(SQUAMOUS, 1.0)] * 10)
    assert label(answer) == "squamous"
    assert answer.confidence == pytest.approx(0.8)
    assert answer.probs == pytest.approx(SQUAMOUS)


def test_a_tile_counts_as_the_class_that_the_map_shows() -> None:
    unsure = (0.35, 0.4, 0.25)  # benign is the likeliest class, though tumour the likelier kind
    answer = ask("tumour-aware", [(unsure, 1.0)])
    assert label(answer) == "benign"
    assert answer.confidence == pytest.approx(0.4)  # far below what is answered


def test_without_a_benign_class_the_mean_decides() -> None:
    card = replace(CARD, tumour=(True, True, True))
    probs, weight = array([BENIGN, SQUAMOUS]), np.array([3, 1], np.float32)
    assert tumour_aware(probs, weight, card) == mean_probability(probs, weight, card)


def test_the_mean_is_weighted_by_tissue() -> None:
    answer = ask("mean", [(ADENO, 3.0), (SQUAMOUS, 1.0)])
    expected = np.average([ADENO, SQUAMOUS], axis=0, weights=[3, 1])
    assert answer.probs == pytest.approx(expected.tolist())
    assert answer.confidence == pytest.approx(expected.max())


def test_the_majority_is_the_largest_area_not_the_most_tiles() -> None:
    answer = ask("majority", [(ADENO, 1.0), (ADENO, 1.0), (SQUAMOUS, 3.0)])
    assert answer.confidence == answer.probs[answer.index] == max(answer.probs)
    assert sum(answer.probs) == pytest.approx(1)
    assert label(answer) == "squamous"
    assert answer.confidence == pytest.approx(0.8)


def test_an_unknown_rule_is_named_with_its_alternatives() -> None:
    with pytest.raises(UsageProblem, match="tumour-aware, mean, majority"):
        rule_named("vote")


# Order and parts ---------------------------------------------------------------------------------

TILE = st.tuples(
    st.tuples(*[st.integers(1, 1000)] * 3),  # odds
    st.integers(1, 1000),  # tissue
    st.sampled_from([USED, USED, TileState.NOVEL, TileState.BLURRED, FAILED]),
)
TILES = st.lists(TILE, min_size=2, max_size=40)
Tiles = list[tuple[tuple[int, int, int], int, TileState]]


def drawn(tiles: Tiles) -> TileScores:
    probs = [[v / sum(odds) for v in odds] for odds, _, _ in tiles]
    return scores(probs, [size / 1000 for _, size, _ in tiles], [state for _, _, state in tiles])


@settings(deadline=None, max_examples=60)
@given(tiles=TILES, seed=st.integers(0, 1000), rule=st.sampled_from(sorted(RULES)))
def test_the_order_of_tiles_never_matters(tiles: Tiles, seed: int, rule: str) -> None:
    shuffled = [tiles[i] for i in np.random.default_rng(seed).permutation(len(tiles))]
    answers = []
    for order in (tiles, shuffled):
        evidence = gather([drawn(order)], [2.0], 3)
        answer = rule_named(rule)(evidence.probs, evidence.weight, CARD)
        answers.append(answer)
    first, second = answers
    assert first.probs == pytest.approx(second.probs, abs=1e-5)
    assert first.index == second.index or first.confidence == pytest.approx(
        second.confidence, abs=1e-5
    )


@settings(deadline=None, max_examples=60)
@given(tiles=TILES, cut=st.integers(1, 39))
def test_parts_merge_to_the_whole(tiles: Tiles, cut: int) -> None:
    cut = min(cut, len(tiles) - 1)
    whole = drawn(tiles)
    tissue = whole.tissue_fraction.astype(np.float64)
    parts = [drawn(tiles[:cut]), drawn(tiles[cut:])]
    shares = [float(tissue[:cut].sum()), float(tissue[cut:].sum())]
    merged, one = gather(parts, shares, 3), gather([whole], [sum(shares)], 3)
    np.testing.assert_allclose(merged.weight, one.weight, rtol=1e-5)
    np.testing.assert_array_equal(merged.probs, one.probs)
    assert count(merged) == count(one)
    used = one.where(USED)
    halves = [gather([part], [share], 3) for part, share in zip(parts, shares, strict=True)]
    areas = sum(class_areas(half, half.where(USED), 3) for half in halves)
    np.testing.assert_allclose(areas, class_areas(one, used, 3), rtol=1e-4, atol=1e-6)


# Areas ------------------------------------------------------------------------------------------


def test_tiles_share_the_tissue_that_was_measured() -> None:
    evidence = gather([scores([ADENO, BENIGN, BENIGN], [1.0, 0.5, 0.5])], [4.0], 3)
    assert evidence.measured
    assert evidence.weight.tolist() == [2.0, 1.0, 1.0]
    areas = class_areas(evidence, evidence.where(USED), 3)
    assert areas.tolist() == [2.0, 2.0, 0.0]


def test_overlapping_tiles_do_not_count_tissue_twice() -> None:
    once = gather([scores([ADENO] * 4)], [1.0], 3)
    twice = gather([scores([ADENO] * 8)], [1.0], 3)
    for evidence in (once, twice):
        assert class_areas(evidence, evidence.where(USED), 3).tolist() == [1.0, 0.0, 0.0]


def test_a_tile_at_the_edge_weighs_what_it_holds() -> None:
    # A box of another file that is four times as large holds four times the tissue.
    evidence = gather([scores([ADENO], side=100), scores([SQUAMOUS], side=200)], [1.0, 4.0], 3)
    assert evidence.weight.tolist() == [1.0, 4.0]


def test_without_a_scale_a_tile_counts_as_a_usual_one() -> None:
    evidence = gather([scores([ADENO, BENIGN]), scores([BENIGN])], [None, 3.0], 3)
    assert not evidence.measured
    np.testing.assert_allclose(evidence.weight, AREA_UNIT)


def test_a_slide_without_tiles_is_no_trouble() -> None:
    empty = scores([])
    assert gather([empty], [0.0], 3).weight.shape == (0,)
    assert gather([], [], 3).probs.shape == (0, 3)
    mixed = gather([empty, scores([ADENO])], [0.0, 1.0], 3)
    assert mixed.weight.tolist() == [1.0]
    blank = gather([scores([ADENO], [0.0])], [0.0], 3)
    assert blank.weight.tolist() == [0.0]
    assert blank.share(blank.where(USED), blank.where(USED)) == 0.0


def test_every_tile_is_counted_once() -> None:
    states = list(TileState)
    counts = count(gather([scores([ADENO] * len(states), state=states)], [1.0], 3))
    assert counts.total == len(states)
    assert (
        counts.used, counts.failed, counts.blurred, counts.pen, counts.blank, counts.unscanned,
        counts.novel,
    ) == (1,) * 7  # fmt: skip


def test_the_rules_by_name() -> None:
    names = {name: rule_named(name) for name in RULES}
    assert names == {
        "tumour-aware": tumour_aware,
        "mean": mean_probability,
        "majority": majority_of_tiles,
    }
