"""The grid of fields: exact positions, nothing outside, no tissue forgotten."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungscan.tiles.connected_components import find_pieces, find_runs
from lungscan.tiles.grid import MIN_TISSUE, plan_grid, tissue_fraction, whole_grid
from lungscan.tiles.mask import TissueMask
from lungscan.types import MaskArray, MppSource, Scale, TileGrid


def a_mask(tissue: MaskArray, downsample: float) -> TissueMask:
    return TissueMask(find_runs(tissue), downsample, np.zeros_like(tissue), downsample)


def full(width: int, height: int, downsample: float = 16.0) -> TissueMask:
    shape = (math.ceil(height / downsample), math.ceil(width / downsample))
    return a_mask(np.ones(shape, dtype=bool), downsample)


def scaled(mpp: float | None) -> Scale:
    return Scale(mpp, MppSource.FILE)


def plan(mask: TissueMask, width: int, height: int, mpp: float = 0.5, **how: float) -> TileGrid:
    return plan_grid(mask, width, height, scaled(mpp), 224, 0.5, **how)


@st.composite
def slides(draw: st.DrawFn) -> tuple[TissueMask, int, int, float, float]:
    width, height = draw(st.integers(50, 5000)), draw(st.integers(50, 5000))
    downsample = draw(st.sampled_from([8.0, 16.0, 31.7]))
    shape = (math.ceil(height / downsample), math.ceil(width / downsample))
    tissue = np.zeros(shape, dtype=bool)
    for _ in range(draw(st.integers(0, 6))):
        row, column = draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))
        tissue[row : row + draw(st.integers(1, 60)), column : column + draw(st.integers(1, 60))] = 1
    mpp, overlap = draw(st.floats(0.2, 1.2)), draw(st.sampled_from([0.0, 0.25, 0.5, 0.75]))
    return a_mask(tissue, downsample), width, height, mpp, overlap


@settings(deadline=None, max_examples=150)
@given(slides())
def test_grid_holds_its_promises(slide: tuple[TissueMask, int, int, float, float]) -> None:
    mask, width, height, mpp, overlap = slide
    grid = plan(mask, width, height, mpp, overlap=overlap)
    exact = 224 * 0.5 / mpp
    side = round(exact)
    x, y, w, h = grid.boxes.T
    assert grid.boxes.dtype == np.int32
    assert (w == side).all()
    assert (h == side).all()
    runs, ends = mask.runs, (width, height)
    corner = [
        math.floor(p.min(initial=end)) for p, end in zip((runs.left, runs.row), ends, strict=True)
    ]
    corner = [
        min(math.floor(first * mask.downsample), max(end - side, 0))
        for first, end in zip(corner, ends, strict=True)
    ]
    for start, length, first in zip((x, y), (width, height), corner, strict=True):
        # Nothing outside, except where the image is smaller than a field.
        assert (start >= 0).all()
        assert (start + side <= max(length, side)).all()
        # Each position is the rounded exact one from the tissue on, or the last possible one.
        steps = (start - first) / (exact * (1 - overlap))
        drift = np.abs(start - first - np.rint(steps) * exact * (1 - overlap))
        assert ((drift <= 0.5 + 1e-6) | (start == length - side)).all()
    assert len(np.unique(grid.boxes, axis=0)) == len(grid.boxes)
    assert grid.tissue_fraction == pytest.approx(tissue_fraction(mask, grid.boxes), abs=1e-5)

    # Every field with enough tissue is there: the unlimited grid holds no further one.
    everything = plan(mask, width, height, mpp, overlap=overlap, min_tissue=0.0)
    enough = everything.boxes[everything.tissue_fraction >= MIN_TISSUE + 1e-6]
    assert {tuple(b) for b in enough} <= {tuple(b) for b in grid.boxes}
    for piece in range(len(find_pieces(mask.tissue).area)):
        assert_piece_has_a_field(mask, piece, grid)


def assert_piece_has_a_field(mask: TissueMask, piece: int, grid: TileGrid) -> None:
    pieces = find_pieces(mask.tissue)
    only = a_mask(pieces.keep(np.arange(len(pieces.area)) == piece), mask.downsample)
    assert (tissue_fraction(only, grid.boxes) > 0).any()


@pytest.mark.parametrize("mpp", [0.2431, 0.2527, 0.4991, 0.5026])
def test_position_does_not_drift(mpp: float) -> None:
    side = 120_000
    grid = plan(full(side, 300, 64.0), side, 300, mpp)
    x = np.unique(grid.boxes[:, 0])
    exact = 224 * 0.5 / mpp
    assert grid.boxes[0, 2] == round(exact)
    assert np.abs(x[:-1] - np.arange(len(x) - 1) * exact).max() <= 0.5
    assert x[-1] + round(exact) == side


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.75])
def test_every_pixel_of_a_full_slide_is_seen(overlap: float) -> None:
    width, height = 1500, 1111
    grid = plan(full(width, height), width, height, 0.5, overlap=overlap)
    seen = np.zeros((height, width), dtype=int)
    for x, y, w, h in grid.boxes:
        seen[y : y + h, x : x + w] += 1
    assert seen.min() >= 1
    steps = np.diff(np.unique(grid.boxes[:, 0]))
    assert (steps[:-1] == 224 * (1 - overlap)).all()
    assert (np.diff(grid.boxes[:, 1]) >= 0).all()  # row by row


def test_tiny_fragment_gets_the_one_field_that_holds_most_of_it() -> None:
    tissue = np.zeros((100, 100), dtype=bool)
    tissue[:14, :14] = True  # the first field
    tissue[27:31, 24:29] = True  # level 0: y 432 to 496, x 384 to 464, across four fields
    mask = a_mask(tissue, 16.0)
    grid = plan(mask, 1600, 1600)
    assert grid.boxes.tolist() == [[0, 0, 224, 224], [224, 448, 224, 224]]
    assert grid.tissue_fraction[1] == pytest.approx(64 * 48 / 224**2)


@pytest.mark.parametrize("overlap", [0.0, 0.5])
@pytest.mark.parametrize("at", [(0, 0), (8, 24), (1000, 3016)])
def test_a_piece_is_cut_alike_wherever_it_lies_on_the_glass(
    at: tuple[int, int], overlap: float
) -> None:
    piece = np.tri(90, 40, dtype=bool)
    tissue = np.zeros((700, 400), dtype=bool)
    left, top = at[0] // 8, at[1] // 8
    tissue[top : top + 90, left : left + 40] = piece
    grid = plan(a_mask(tissue, 8.0), 3200, 5600, overlap=overlap)
    alone = plan(a_mask(np.pad(piece, ((0, 60), (0, 60))), 8.0), 800, 1200, overlap=overlap)
    assert (grid.boxes - [*at, 0, 0]).tolist() == alone.boxes.tolist()
    assert grid.tissue_fraction.tolist() == alone.tissue_fraction.tolist()


def test_fragment_beside_large_tissue_is_not_forgotten() -> None:
    tissue = np.zeros((100, 100), dtype=bool)
    tissue[0:60, 0:60] = True
    tissue[90:92, 90:92] = True
    grid = plan(a_mask(tissue, 16.0), 1600, 1600)
    assert ((grid.boxes[:, 0] >= 1344) & (grid.boxes[:, 1] >= 1344)).sum() == 1


def test_glass_gives_no_fields() -> None:
    grid = plan(a_mask(np.zeros((60, 60), dtype=bool), 16.0), 960, 960)
    assert grid.boxes.shape == (0, 4)
    assert grid.tissue_fraction.shape == (0,)


def test_small_image_gets_one_box_that_sticks_out() -> None:
    grid = plan(full(150, 100, 1.0), 150, 100)
    assert grid.boxes.tolist() == [[0, 0, 224, 224]]
    assert grid.tissue_fraction[0] == pytest.approx(150 * 100 / 224**2)


def test_tissue_fraction_is_exact_between_overview_pixels() -> None:
    rng = np.random.default_rng(0)
    tissue = rng.random((20, 30)) < 0.4
    mask = a_mask(tissue, 7.0)
    level0 = np.kron(tissue, np.ones((7, 7)))
    corners = [[3, 5, 50, 41], [0, 0, 210, 140], [200, 130, 40, 40], [11, 2, 1, 1]]
    boxes = np.array(corners, dtype=np.int32)
    expected = [level0[y : y + h, x : x + w].sum() / (w * h) for x, y, w, h in boxes]
    assert tissue_fraction(mask, boxes) == pytest.approx(expected, abs=1e-6)


def test_wrong_calls_are_refused() -> None:
    mask = full(500, 500)
    with pytest.raises(ValueError, match="µm per pixel"):
        plan_grid(mask, 500, 500, scaled(None), 224, 0.5)
    for overlap in (-0.1, 0.8):
        with pytest.raises(ValueError, match="overlap"):
            plan(mask, 500, 500, overlap=overlap)


@pytest.mark.parametrize(
    ("width", "height", "count"),
    [
        (224, 224, 1),
        (225, 224, 1),
        (768, 768, 1),
        (2048, 1536, 2),
        (1000, 3001, 4),
        (3000, 1000, 3),
    ],
)
def test_whole_picture_is_covered_by_squares(width: int, height: int, count: int) -> None:
    grid = whole_grid(width, height, 224)
    assert grid.mode == "whole"
    assert grid.spacing_um_px is None
    assert len(grid.boxes) == count
    side = min(width, height)
    assert (grid.boxes[:, 2:] == side).all()
    seen = np.zeros((height, width), dtype=bool)
    for x, y, w, h in grid.boxes:
        assert x >= 0
        assert y >= 0
        seen[y : y + h, x : x + w] = True
    assert seen.shape == (height, width)
    assert seen.mean() > 1 - 1 / 224
    assert (grid.tissue_fraction == 1).all()


def test_whole_picture_knows_its_tissue() -> None:
    tissue = np.zeros((100, 150), dtype=bool)
    tissue[:, :50] = True
    grid = whole_grid(150, 100, 224, a_mask(tissue, 1.0))
    assert grid.boxes.tolist() == [[0, 0, 100, 100], [50, 0, 100, 100]]
    assert grid.tissue_fraction.tolist() == [0.5, 0.0]
