"""Pixels that are no squares: areas are exact, tiles are squares of tissue, bars fit the width."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from lungscan.errors import UnreadableFile
from lungscan.evaluation.judging import changed_copy
from lungscan.evaluation.shifts import Shift
from lungscan.opening.plan import plan_file
from lungscan.reading import kind_of, open_field, open_source
from lungscan.reading.slides.slide import SlideSource
from lungscan.report.heatmap import overlay_picture
from lungscan.report.quantities import pixel_size
from lungscan.tiles.connected_components import find_runs
from lungscan.tiles.grid import plan_grid, whole_grid
from lungscan.tiles.mask import TissueMask
from lungscan.types import InputFile, MppSource, RgbArray, Scale
from tests.drawing import draw_he
from tests.engine.scanning import options, results, rows, run
from tests.models import CARD, SPACING_UM, TILE_PX, FakeRuntime
from tests.results import slide_result

TILE_UM = TILE_PX * SPACING_UM  # 64
SIDE_PX = 128  # of a tile, in pixels of 0.5 µm
STRETCHED = Scale(0.125**0.5, MppSource.FILE, ("mpp_xy_differ",), (0.25, 0.5))


def stretched(rgb: RgbArray) -> RgbArray:
    """Twice as wide, with pixels half as wide."""
    return rgb.repeat(2, axis=1)


def write_field(path: Path, rgb: RgbArray, x: float = 40_000, y: float = 20_000) -> InputFile:
    Image.fromarray(rgb).save(path, resolution_unit=3, x_resolution=x, y_resolution=y)
    return InputFile(path, path.name, "field")


def write_slide(path: Path, rgb: RgbArray, x: float = 40_000, y: float = 20_000) -> InputFile:
    with tifffile.TiffWriter(path) as tiff:
        for step in (1, 4):
            tiff.write(
                np.asarray(Image.fromarray(rgb).reduce(step)),
                tile=(256, 256),
                photometric="rgb",
                compression="deflate",
                subfiletype=0 if step == 1 else 1,
                metadata=None,
                resolution=(x / step, y / step),
                resolutionunit=3,
            )
    return InputFile(path, path.name, "slide")


@pytest.mark.parametrize("write", [write_field, write_slide])
def test_six_by_six_fields_of_double_width(
    model: Path, fake: FakeRuntime, tmp_path: Path, write: object
) -> None:
    rgb = draw_he(6 * SIDE_PX, 6 * SIDE_PX, 4)
    file = write(tmp_path / "wide.tif", stretched(rgb))  # type: ignore[operator]
    out = tmp_path / "out"
    result = results(run(options(model, out, file.path)))["wide"]
    assert result.files[0].kind == ("field" if write is write_field else "slide")
    area = (6 * TILE_UM / 1000) ** 2
    assert result.tissue_mm2 == pytest.approx(area, rel=0.01)
    assert result.prediction is not None
    assert result.prediction.area_mm2 is not None
    assert sum(result.prediction.area_mm2) == pytest.approx(area, rel=0.01)
    boxes = result.scores[0].boxes
    assert boxes[:, 2:].tolist() == [[2 * SIDE_PX, SIDE_PX]] * 36
    assert {tuple(box[:2]) for box in boxes.tolist()} == {
        (x * 2 * SIDE_PX, y * SIDE_PX) for x in range(6) for y in range(6)
    }
    assert "mpp_xy_differ" in result.flags
    (row,) = rows(out)
    assert row["mpp_um"] == f"{0.125**0.5:.4g}"
    assert "mpp_xy_differ" in row["flags"]


@pytest.mark.parametrize(
    "source",
    [
        lambda folder, rgb: open_field(write_field(folder / "a.tif", rgb)),
        lambda folder, rgb: SlideSource(write_slide(folder / "b.tif", rgb), None),
        lambda folder, rgb: SlideSource(write_slide(folder / "c.tif", rgb), None, native=False),
    ],
)
@pytest.mark.parametrize("size_px", [64, 100, 128])
def test_every_reader_sees_the_tissue_unstretched(
    tmp_path: Path, source: object, size_px: int
) -> None:
    rgb = draw_he(512, 512, 6)
    plain = open_field(write_field(tmp_path / "plain.tif", rgb, 20_000))
    boxes = np.array([[128, 0, 128, 128], [256, 128, 128, 128], [300, 37, 128, 128]], np.int32)
    wide = boxes * np.array([2, 1, 2, 1], np.int32)
    seen = source(tmp_path, stretched(rgb)).read_tiles(wide, size_px)  # type: ignore[operator]
    expected = plain.read_tiles(boxes, size_px)
    assert np.abs(seen.rgb.astype(int) - expected.rgb).mean() < 3
    assert (seen.valid == 1).all()
    assert not seen.failed.any()


def test_grid_of_tall_and_wide_pixels() -> None:
    tissue, pen = np.ones((64, 128), np.bool_), np.zeros((64, 128), np.bool_)
    mask = TissueMask(find_runs(tissue), 16.0, pen, 16.0)
    wide = plan_grid(mask, 2048, 1024, STRETCHED, TILE_PX, SPACING_UM)
    assert np.unique(wide.boxes[:, 2:], axis=0).tolist() == [[256, 128]]
    assert len(wide.boxes) == 8 * 8
    assert wide.tissue_fraction == pytest.approx(1)
    tall_mask = TissueMask(find_runs(tissue.T), 16.0, pen.T, 16.0)
    turned = replace(STRETCHED, mpp_xy_um=(0.5, 0.25))
    tall = plan_grid(tall_mask, 1024, 2048, turned, TILE_PX, SPACING_UM, overlap=0.5)
    assert np.unique(tall.boxes[:, 2:], axis=0).tolist() == [[128, 256]]
    assert np.unique(np.diff(np.unique(tall.boxes[:, 1]))).tolist() == [128]


@pytest.mark.parametrize(
    ("width", "height", "stretch", "boxes"),
    [
        (300, 150, 0.5, [[0, 0, 300, 150]]),
        (150, 300, 2.0, [[0, 0, 150, 300]]),
        (150, 300, 1.0, [[0, 0, 150, 150], [0, 150, 150, 150]]),
        (200, 200, 0.5, [[0, 0, 200, 100], [0, 100, 200, 100]]),
        (600, 150, 0.5, [[0, 0, 300, 150], [300, 0, 300, 150]]),
    ],
)
def test_a_whole_picture_is_covered_by_squares_of_tissue(
    width: int, height: int, stretch: float, boxes: list[list[int]]
) -> None:
    assert whole_grid(width, height, 224, stretch=stretch).boxes.tolist() == boxes


def test_a_field_too_small_for_a_tile_is_taken_whole_unstretched(tmp_path: Path) -> None:
    rgb = draw_he(80, 80, 2)
    file = write_field(tmp_path / "x.tif", stretched(rgb))
    plan = plan_file(file, options(tmp_path, tmp_path / "out"), CARD, picture=False)
    assert plan.grid.mode == "whole"
    assert plan.grid.boxes.tolist() == [[0, 0, 160, 80]]


@pytest.mark.parametrize("width", [400, 100])  # tiled, and too narrow for a tile
def test_the_coarser_side_decides_what_is_too_coarse(tmp_path: Path, width: int) -> None:
    file = write_field(tmp_path / "x.tif", draw_he(width, 400), 40_000, 4_000)  # 0.25 × 2.5 µm
    with pytest.raises(UnreadableFile, match=r"measures 2.5 µm") as caught:
        plan_file(file, options(tmp_path, tmp_path / "out"), CARD, picture=False)
    assert caught.value.code == "E_TOO_COARSE"


def test_reports_know_both_sides() -> None:
    plain = slide_result()
    file = plain.files[0]
    wide = replace(file, info=replace(file.info, scale=STRETCHED))
    assert pixel_size(wide) == "0.25 × 0.5 µm, from the file"
    bars = [overlay_picture(replace(plain, files=(one,)))[1] for one in (file, wide)]
    assert bars[0] is not None
    assert bars[1] == pytest.approx(bars[0] / 0.2525 * 0.25)  # µm per pixel along the width


def test_a_changed_copy_for_evaluation_keeps_both_sides(tmp_path: Path) -> None:
    file = write_field(tmp_path / "x.tif", draw_he(300, 200))
    copy = changed_copy(file, Shift("same", "", lambda rgb: rgb), tmp_path / "copy.tif")
    assert open_source(copy).info.scale == open_source(file).info.scale
    assert open_source(copy).info.scale.mpp_xy_um == pytest.approx((0.25, 0.5))
    assert kind_of(copy) == "field"
