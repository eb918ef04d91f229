from __future__ import annotations

import pytest

from lungscan_gui.viewer.camera import CLOSEST, Camera, open_camera
from lungscan_gui.viewer.ladder import Ladder, TileKey


@pytest.fixture
def camera() -> Camera:
    return open_camera((40_000, 20_000), (1000, 800))


def test_an_opened_image_is_seen_whole_and_in_the_middle(camera: Camera) -> None:
    assert camera.zoom == pytest.approx(0.025)
    assert camera.to_screen(0, 0) == pytest.approx((0, 150))
    assert camera.to_screen(40_000, 20_000) == pytest.approx((1000, 650))


def test_zooming_keeps_what_is_under_the_cursor(camera: Camera) -> None:
    at = (700.0, 500.0)
    before = camera.to_image(*at)
    for factor in (1.25, 3.0, 0.5):
        camera = camera.zoomed(factor, at)
        assert camera.to_image(*at) == pytest.approx(before)


def test_zooming_ends_before_one_is_lost(camera: Camera) -> None:
    assert camera.zoomed(1e9).zoom == CLOSEST
    assert camera.zoomed(1e-9).zoom == pytest.approx(0.0125)


def test_a_small_picture_is_enlarged_no_more_than_any_other() -> None:
    assert open_camera((10, 10), (1000, 1000)).zoom == CLOSEST


def test_panning_moves_by_points_of_the_screen_and_never_off_the_image(camera: Camera) -> None:
    near = camera.zoomed_to(1.0)
    assert near.panned(100, -50).centre == pytest.approx((19_900, 10_050))
    assert near.panned(1e9, -1e9).centre == (0.0, 20_000.0)


def test_a_fitted_image_stays_fitted_when_the_window_grows_another_keeps_its_centre(
    camera: Camera,
) -> None:
    assert camera.resized((500, 800)).zoom == pytest.approx(0.0125)
    near = camera.zoomed_to(1.0).moved_to(5000, 6000)
    grown = near.resized((2000, 900))
    assert (grown.zoom, grown.centre) == (1.0, (5000, 6000))


# The ladder of tiles ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pixels_per_level0", "step"),
    [(2.0, 1), (1.0, 1), (0.5, 2), (0.3, 4), (0.07, 16), (0.02, 0)],
)
def test_a_step_is_sharp_and_not_finer_than_needed(pixels_per_level0: float, step: int) -> None:
    assert Ladder(40_000, 20_000, 39.0).step_for(pixels_per_level0) == step


def test_a_picture_that_its_overview_shows_whole_needs_no_tiles() -> None:
    ladder = Ladder(800, 600, 1.0)
    assert ladder.coarsest == 0
    assert ladder.step_for(4.0) == 0


def test_a_view_needs_the_tiles_that_it_touches_from_its_middle() -> None:
    ladder = Ladder(3000, 2000, 8.0)
    keys = ladder.tiles(1, (500, 500, 600, 500))
    assert set(keys) == {TileKey(1, c, r) for c in (0, 1, 2) for r in (0, 1)}
    assert keys[0].column == 1
    assert ladder.tiles(1, (-900, -900, 800, 800)) == []
    edge = ladder.tiles(2, (2000, 1000, 5000, 5000))
    assert max(key.column for key in edge) == 2
    assert max(key.row for key in edge) == 1


def test_the_coarse_layer_is_asked_for_before_the_sharp_one() -> None:
    wanted = Ladder(40_000, 40_000, 39.0).wanted(1, (1000, 1000, 1000, 1000))
    assert wanted[0].step == 4
    assert {key.step for key in wanted} == {4, 1}
    assert Ladder(40_000, 40_000, 39.0).wanted(0, (0, 0, 9, 9)) == []


def test_a_tile_lies_in_its_parent() -> None:
    key = TileKey(2, 5, 3)
    assert key.box == (5120, 3072, 1024, 1024)
    assert key.parent == TileKey(4, 2, 1)
    assert key.parent.box == (4096, 2048, 2048, 2048)
