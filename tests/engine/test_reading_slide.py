"""Slides are read whole, run by run and through damage; what was not scanned is no tissue."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from openslide import OpenSlide

from lungscan.errors import UnreadableFile
from lungscan.reading import open_source
from lungscan.reading.resize import resize
from lungscan.reading.slides.runs import best_level, plan_runs
from lungscan.reading.slides.slide import SlideSource
from lungscan.reading.source import ImageSource
from lungscan.types import BoxArray, InputFile, RgbArray
from tests.drawing import draw_he, draw_slide, truncate, write_svs

SHARED = Path(__file__).parents[2].parent / "shared" / "slides"
TILE = 256


def opened(path: Path, mpp: float | None = None) -> ImageSource:
    return open_source(InputFile(path, path.name, "slide"), mpp)


def grid(width: int, height: int, side: int, step: int | None = None) -> BoxArray:
    step = step or side
    rows = [
        (x, y, side, side)
        for y in range(0, height - side + 1, step)
        for x in range(0, width - side + 1, step)
    ]
    return np.array(rows, np.int32)


def level0(path: Path) -> RgbArray:
    with OpenSlide(path) as slide:
        return np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_svs(
        tmp_path_factory.mktemp("slide") / "plain.svs",
        draw_he(1600, 1100, 2),
        label=np.zeros((40, 60, 3), np.uint8),
        macro=np.zeros((40, 90, 3), np.uint8),
        patient="DOE JANE",
    )


def test_metadata_is_the_allowed_part_only(plain: Path) -> None:
    info = opened(plain).info
    assert (info.width, info.height, info.vendor) == (1600, 1100, "aperio")
    assert (info.scale.mpp_um, info.objective_power) == (0.5, 20)
    assert "DOE" not in repr(info)


@pytest.mark.parametrize("step", [224, 112, 97])
def test_tiles_at_level_0_are_the_stored_pixels(plain: Path, step: int) -> None:
    boxes = grid(1600, 1100, 224, step)
    tiles = opened(plain).read_tiles(boxes, 224)
    whole = level0(plain)
    for (x, y, w, h), tile in zip(boxes, tiles.rgb, strict=True):
        assert (tile == whole[y : y + h, x : x + w]).all()
    assert (tiles.valid == 1).all()
    assert not tiles.failed.any()


def test_scaled_tiles_do_not_depend_on_their_neighbours(plain: Path) -> None:
    source = opened(plain)
    boxes = grid(1600, 1100, 333, 301)
    together = source.read_tiles(boxes, 224).rgb
    alone = np.concatenate([source.read_tiles(box[None], 224).rgb for box in boxes])
    assert (together == alone).all()
    x, y, w, h = boxes[-1]
    assert (together[-1] == resize(level0(plain)[y : y + h, x : x + w], (224, 224))).all()


def test_coarse_tiles_come_from_the_lower_level(plain: Path) -> None:
    tile = opened(plain).read_tiles(np.array([(400, 200, 512, 512)], np.int32), 128).rgb[0]
    with OpenSlide(plain) as slide:
        stored = np.asarray(slide.read_region((400, 200), 1, (128, 128)).convert("RGB"))
    assert (tile == stored).all()


def test_edges_are_background_and_not_valid(plain: Path) -> None:
    boxes = np.array([(1600 - 112, 0, 224, 224), (5000, 0, 224, 224)], np.int32)
    tiles = opened(plain).read_tiles(boxes, 224)
    assert (tiles.rgb[0][:, 112:] == 255).all()
    assert tiles.valid.tolist() == [0.5, 0]
    assert not tiles.failed.any()


def test_missing_tiles_are_unscanned_not_black(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(1024, 512, 1), downsamples=(), missing=[1])
    source = opened(path)
    tiles = source.read_tiles(grid(1024, 512, TILE), TILE)
    assert tiles.valid.tolist() == [1, 0, 1, 1, 1, 1, 1, 1]
    assert (tiles.rgb[1] == 255).all()
    overview = source.overview(128)
    assert not overview.valid[4:28, 36:60].any()
    assert overview.valid[:, 68:].all()
    assert overview.unreadable == 0


@pytest.mark.parametrize("threads", [1, 4])
def test_one_damaged_tile_costs_one_tile(tmp_path: Path, threads: int) -> None:
    rgb = draw_he(2048, 2048, 3)
    clean = opened(write_svs(tmp_path / "clean.svs", rgb))
    hurt = opened(write_svs(tmp_path / "hurt.svs", rgb, damaged=[20]))
    boxes = grid(2048, 2048, TILE)
    expected = clean.read_tiles(boxes, TILE).rgb
    with ThreadPoolExecutor(threads) as pool:
        batches = list(pool.map(lambda part: hurt.read_tiles(part, TILE), np.split(boxes, 16)))
    failed = np.concatenate([batch.failed for batch in batches])
    rgb_read = np.concatenate([batch.rgb for batch in batches])
    assert np.flatnonzero(failed).tolist() == [20]
    assert (rgb_read[~failed] == expected[~failed]).all()
    assert not np.concatenate([batch.valid for batch in batches])[20]


def test_damage_hidden_in_a_coarse_read_shows_in_the_overview(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(4096, 2048, 4), downsamples=(), damaged=[0])
    overview = opened(path).overview(512)
    assert overview.unreadable == pytest.approx(1 / 128)  # one file tile of 16 x 8
    assert not overview.valid[:32, :32].any()
    assert overview.valid.mean() == pytest.approx(127 / 128)


def test_overview_falls_back_to_a_finer_level(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from openslide import OpenSlideError

    real = OpenSlide.read_region

    def read_region(self: OpenSlide, at: tuple[int, int], level: int, size: tuple[int, int]):
        if level == 1:
            raise OpenSlideError("damaged level")
        return real(self, at, level, size)

    expected = opened(plain).overview(400)
    monkeypatch.setattr(OpenSlide, "read_region", read_region)
    overview = opened(plain).overview(400)
    assert overview.unreadable == 0
    assert np.abs(overview.rgb.astype(int) - expected.rgb).mean() < 8


def test_overview_covers_the_slide_and_never_the_label(plain: Path) -> None:
    overview = opened(plain).overview(300)
    assert overview.rgb.shape == (207, 300, 3)
    assert overview.downsample == pytest.approx(1600 / 300)
    assert overview.valid[:-1].all()
    assert overview.rgb.min() > 20  # the label and macro pictures are black
    small = resize(level0(plain), (300, 206))[:200].astype(int)
    assert np.abs(overview.rgb[:200] - small).mean() < 8


def outcome(path: Path, boxes: BoxArray) -> str:
    try:
        source = opened(path)
    except UnreadableFile as error:
        return error.code
    return "failed tiles" if source.read_tiles(boxes, TILE).failed.any() else "whole"


def test_cut_slide_is_an_error_or_has_failed_tiles(tmp_path: Path) -> None:
    rgb = draw_slide(1500, 1500, 1)
    boxes = grid(1500, 1500, TILE)
    assert outcome(write_svs(tmp_path / "x.svs", rgb), boxes) == "whole"
    for share in np.linspace(0.05, 0.95, 10):
        path = truncate(write_svs(tmp_path / "x.svs", rgb), float(share))
        assert outcome(path, boxes) in {"E_FORMAT", "failed tiles"}


def test_a_slide_that_vanishes_is_no_damage(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(512, 512))
    # The native reader would hold on to the file, and read on.
    source = SlideSource(InputFile(path, path.name, "slide"), None, native=False)
    path.unlink()
    for read in (lambda: source.read_tiles(grid(512, 512, TILE), TILE), source.overview):
        with pytest.raises(UnreadableFile, match="no longer there") as caught:
            read()
        assert caught.value.code == "E_IO"


def test_level_choice() -> None:
    levels = (1.0, 4.0002, 16.001)
    assert [best_level(levels, wanted) for wanted in (0.5, 1, 3.9, 4, 15, 16, 100)] == [
        0, 0, 0, 1, 1, 2, 2,
    ]  # fmt: skip


def test_runs_join_neighbours_and_stay_small() -> None:
    boxes = grid(224 * 20, 448, 224)
    runs = plan_runs(boxes, 224, (1.0,))
    assert [len(run.cuts) for run in runs] == [8, 8, 4, 8, 8, 4]
    assert sorted(cut.row for run in runs for cut in run.cuts) == list(range(40))
    apart = np.array([(0, 0, 224, 224), (500, 0, 224, 224), (100, 0, 224, 224)], np.int32)
    assert len(plan_runs(apart, 224, (1.0,))) == 3
    coarse = plan_runs(grid(3584 * 8, 3584, 3584), 224, (1.0,))
    areas = [(r.frame[2] - r.frame[0]) * (r.frame[3] - r.frame[1]) for r in coarse]
    assert max(areas) <= 3584 * 3584


@pytest.mark.skipif(not SHARED.exists(), reason="the shared slides are not here")
@pytest.mark.parametrize(
    ("name", "mpp"), [("cmu-1-small-region", 0.499), ("luna-1065626-jp2k", 0.5026)]
)
def test_real_slides(name: str, mpp: float) -> None:
    source = opened(SHARED / f"{name}.svs")
    assert source.info.scale.mpp_um == pytest.approx(mpp)
    overview = source.overview(512)
    assert overview.unreadable == 0
    assert overview.valid.mean() > 0.99
    tiles = source.read_tiles(grid(896, 448, 224), 224)
    assert tiles.rgb.shape == (8, 224, 224, 3)
    assert not tiles.failed.any()
