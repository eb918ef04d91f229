"""Shapes in masks, against slow and obvious reference code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lungscan.tiles import integral
from lungscan.tiles.connected_components import Pieces, Runs, find_pieces, find_runs, weld
from lungscan.tiles.integral import count_before
from lungscan.tiles.morphology import box_mean, close_gaps, dilate, fill_holes
from lungscan.types import FloatArray, MaskArray

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=14))


def flood(mask: MaskArray, diagonal: bool) -> list[set[tuple[int, int]]]:
    left = {(int(r), int(c)) for r, c in np.argwhere(mask)}
    steps = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    if diagonal:
        steps += [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    groups = []
    while left:
        group, edge = set(), [left.pop()]
        while edge:
            row, column = edge.pop()
            group.add((row, column))
            near = {(row + r, column + c) for r, c in steps} & left
            left -= near
            edge += near
        groups.append(group)
    return groups


def drawn(pieces: Pieces, i: int) -> MaskArray:
    return pieces.keep(np.arange(len(pieces.area)) == i)


@settings(deadline=None)
@given(MASKS, st.booleans())
def test_pieces_match_a_flood_fill(mask: MaskArray, diagonal: bool) -> None:
    pieces = find_pieces(mask, diagonal=diagonal)
    assert (pieces.draw() == mask).all()
    groups = {frozenset(group) for group in flood(mask, diagonal)}
    masks = [drawn(pieces, i) for i in range(len(pieces.area))]
    assert {frozenset(map(tuple, np.argwhere(one).tolist())) for one in masks} == groups
    assert len(masks) == len(groups)
    for i, one in enumerate(masks):
        rows, columns = np.nonzero(one)
        assert pieces.area[i] == len(rows)
        assert (pieces.top[i], pieces.bottom[i]) == (rows.min(), rows.max() + 1)
        assert (pieces.left[i], pieces.right[i]) == (columns.min(), columns.max() + 1)


@settings(deadline=None)
@given(MASKS, st.data())
def test_chosen_pieces_are_those_of_their_own_mask(mask: MaskArray, data: st.DataObject) -> None:
    pieces = find_pieces(mask)
    count = len(pieces.area)
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    only, again = pieces.only(chosen), find_pieces(pieces.keep(chosen))
    assert (only.draw() == again.draw()).all()
    assert only.area.tolist() == again.area.tolist() == pieces.area[chosen].tolist()
    assert only.piece.tolist() == again.piece.tolist()
    each = dict(pieces.each(chosen))
    assert list(each) == np.flatnonzero(chosen).tolist()
    for i, one in each.items():
        frame = np.s_[pieces.top[i] : pieces.bottom[i], pieces.left[i] : pieces.right[i]]
        assert (one.draw() == drawn(pieces, i)[frame]).all()


@settings(deadline=None)
@given(MASKS, st.data())
def test_what_lies_before_a_point_is_counted_with_parts_of_pixels(
    mask: MaskArray, data: st.DataObject
) -> None:
    height, width = mask.shape
    y = np.array(sorted(data.draw(st.lists(st.floats(-2, height + 2), min_size=1, max_size=5))))
    x = np.array(sorted(data.draw(st.lists(st.floats(-2, width + 2), min_size=1, max_size=5))))
    left, top = np.arange(width), np.arange(height)
    across = np.clip(x[:, None] - left, 0, 1)  # share of each column to the left of a point
    down = np.clip(y[:, None] - top, 0, 1)
    assert count_before(find_runs(mask), x, y) == pytest.approx(down @ mask @ across.T, abs=1e-6)


@pytest.mark.parametrize("lines", [1, 2, 256])
def test_points_are_counted_a_few_lines_at_a_time(
    monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    monkeypatch.setattr(integral, "LINES", lines)
    mask = np.random.default_rng(0).random((40, 30)) < 0.5
    y = np.array([0.0, 3.5, 4.0, 4.25, 20.0, 39.5, 41.0])
    expected = [mask[: int(v)].sum() + (v % 1) * mask[min(int(v), 39)].sum() * (v < 40) for v in y]
    found = count_before(find_runs(mask), np.array([30.0]), y)
    assert found[:, 0] == pytest.approx(expected)


@settings(deadline=None)
@given(MASKS, st.data())
def test_parts_of_a_mask_are_welded(mask: MaskArray, data: st.DataObject) -> None:
    height, width = mask.shape
    down, across = data.draw(st.integers(0, height)), data.draw(st.integers(0, width))
    empty = np.zeros(0, np.int64)
    parts = [Runs(mask.shape, empty, empty, empty)]
    for rows in (slice(0, down), slice(down, height)):
        for columns in (slice(across, width), slice(0, across)):
            if mask[rows, columns].size:
                found = find_runs(mask[rows, columns])
                parts.append(found.moved(rows.start, columns.start, mask.shape))
    runs, (pixels,) = weld(parts, [part.right - part.left for part in parts])
    whole = find_runs(mask)
    assert (runs.draw() == mask).all()
    assert runs.row.tolist() == whole.row.tolist()
    assert pixels.tolist() == (whole.right - whole.left).tolist()


def test_a_spiral_is_one_piece() -> None:
    side = 101
    mask = np.zeros((side, side), dtype=bool)
    mask[::2] = True
    mask[1::4, -1] = True
    mask[3::4, 0] = True
    pieces = find_pieces(mask)
    assert list(pieces.area) == [mask.sum()]


@settings(deadline=None)
@given(MASKS, st.integers(0, 5))
def test_dilate_is_the_square_neighbourhood(mask: MaskArray, radius: int) -> None:
    expected = np.zeros_like(mask)
    for row, column in np.argwhere(mask):
        expected[
            max(row - radius, 0) : row + radius + 1, max(column - radius, 0) : column + radius + 1
        ] = True
    assert (dilate(mask, radius) == expected).all()


@settings(deadline=None)
@given(MASKS, st.integers(0, 4))
def test_closing_only_adds_and_is_final(mask: MaskArray, radius: int) -> None:
    closed = close_gaps(mask, radius)
    assert closed.shape == mask.shape
    assert (closed | ~mask).all()
    assert (close_gaps(closed, radius) == closed).all()


def test_closing_joins_over_the_gap_and_not_beyond() -> None:
    mask = np.zeros((9, 30), dtype=bool)
    mask[3:6, [5, 10, 20]] = True
    closed = close_gaps(mask, 2)
    assert closed[4, 5:11].all()
    assert not closed[4, 11:20].any()
    assert not closed[:3].any()


def test_holes_are_filled_by_size_and_never_at_the_border() -> None:
    mask = np.ones((20, 20), dtype=bool)
    mask[5:7, 5:7] = False
    mask[10:14, 10:14] = False
    mask[0:2, 15] = False
    filled = fill_holes(mask, 4)
    assert filled[5:7, 5:7].all()
    assert not filled[10:14, 10:14].any()
    assert not filled[0:2, 15].any()


def test_box_mean_of_a_ramp_is_the_ramp() -> None:
    ramp = np.tile(np.arange(12, dtype=np.float32), (8, 1))
    mean = box_mean(ramp, 2)
    assert mean.shape == ramp.shape
    assert mean[:, 2:-2] == pytest.approx(ramp[:, 2:-2])
    assert box_mean(np.full((3, 2), 7, np.float32), 4) == pytest.approx(7)


@settings(deadline=None)
@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=3, max_side=9), elements=st.floats(
    0, 5, width=32)), st.integers(0, 4))  # fmt: skip
def test_box_mean_repeats_the_edges(values: FloatArray, radius: int) -> None:
    height, width = values.shape[-2:]
    expected = np.zeros(values.shape)
    for down in range(-radius, radius + 1):
        for across in range(-radius, radius + 1):
            rows = np.clip(np.arange(height) + down, 0, height - 1)
            columns = np.clip(np.arange(width) + across, 0, width - 1)
            expected += values[..., rows[:, None], columns]
    assert box_mean(values, radius) == pytest.approx(expected / (2 * radius + 1) ** 2, abs=1e-5)
