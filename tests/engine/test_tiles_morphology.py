"""Shapes in masks, against slow and obvious reference code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lungscan.tiles.morphology import box_mean, close_gaps, dilate, fill_holes, find_pieces
from lungscan.types import MaskArray

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


@settings(deadline=None)
@given(MASKS, st.booleans())
def test_pieces_match_a_flood_fill(mask: MaskArray, diagonal: bool) -> None:
    pieces = find_pieces(mask, diagonal=diagonal)
    groups = flood(mask, diagonal)
    assert len(pieces.area) == len(groups)
    assert ((pieces.labels > 0) == mask).all()
    for group in groups:
        rows, columns = zip(*group, strict=True)
        label = {int(pieces.labels[pixel]) for pixel in group}
        assert len(label) == 1
        i = label.pop() - 1
        assert pieces.area[i] == len(group)
        assert (pieces.top[i], pieces.bottom[i]) == (min(rows), max(rows) + 1)
        assert (pieces.left[i], pieces.right[i]) == (min(columns), max(columns) + 1)


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
