"""Where tiles lie: in level 0 in the tables, and in the picture that QuPath shows in GeoJSON.

QuPath opens what OpenSlide reads by OpenSlide, and its picture begins at the origin of the bounds.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from openslide import OpenSlide

from lungscan.reading import kind_of, open_source
from lungscan.reading.slides.slide_file import bounds_of
from lungscan.report.geojson import write_tiles_geojson
from lungscan.report.write import rebuild
from lungscan.results.case_json import from_json, to_json
from lungscan.types import InputFile
from tests.drawing import draw_slide, write_generic_tiff
from tests.engine.scanning import make_slide, options, results, run
from tests.models import FakeRuntime
from tests.results import slide_result, two_file_result
from tests.sparse_slides import (
    TILE,
    Cell,
    cells,
    white,
    write_leica,
    write_mirax,
    write_sparse_tiff,
)

Box = tuple[int, int, int, int]  # left, top, right, bottom

_DRAWN = draw_slide(12 * TILE, 8 * TILE, tissue=((0.1, 0.1, 0.9, 0.9),))


def mirax(folder: Path) -> Path:
    return write_mirax(folder / "slide.mrxs", _DRAWN, at=(24, 16), canvas=(64, 48))


def sparse_tiff(folder: Path) -> Path:
    rgb = white(40 * TILE, 12 * TILE)
    rgb[2 * TILE : 10 * TILE, 20 * TILE : 32 * TILE] = _DRAWN
    return write_sparse_tiff(folder / "slide.tif", rgb, cells(20, 2, 32, 10))


def small_sparse_tiff(folder: Path) -> Path:
    rgb = white(16 * TILE, 12 * TILE)
    rgb[3 * TILE : 11 * TILE, 2 * TILE : 14 * TILE] = _DRAWN
    return write_sparse_tiff(folder / "slide.tif", rgb, cells(2, 3, 14, 11))


def leica(folder: Path) -> Path:
    left, right = _DRAWN[:, : 6 * TILE], _DRAWN[:, 6 * TILE :]
    return write_leica(folder / "slide.scn", [(left, 1000, 500), (right, 4000, 3000)])


def shown_by_qupath(path: Path) -> Box:
    """What QuPath's picture of a slide covers, in level 0."""
    with OpenSlide(path) as slide:
        x, y, width, height = (
            int(slide.properties[f"openslide.bounds-{name}"])
            for name in ("x", "y", "width", "height")
        )
    return x, y, x + width, y + height


def csv_corners(out: Path) -> list[tuple[int, int]]:
    (path,) = out.glob("cases/*/tiles.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return [(int(row["minx"]), int(row["miny"])) for row in csv.DictReader(file)]


def geojson_corners(out: Path) -> list[tuple[int, int]]:
    (path,) = out.glob("cases/*/tiles.geojson")
    features = json.loads(path.read_bytes())["features"]
    return [tuple(feature["geometry"]["coordinates"][0][0]) for feature in features]


@pytest.mark.parametrize(
    ("draw", "origin"),
    [
        (mirax, (24 * TILE, 16 * TILE)),
        (sparse_tiff, (20 * TILE, 2 * TILE)),
        (small_sparse_tiff, (2 * TILE, 3 * TILE)),
        (leica, (1000, 500)),
    ],
)
def test_geojson_lies_in_the_picture_that_qupath_shows(
    model: Path,
    fake: FakeRuntime,
    tmp_path: Path,
    draw: Callable[[Path], Path],
    origin: tuple[int, int],
) -> None:
    path, out = draw(tmp_path), tmp_path / "out"
    result = results(run(options(model, out, path, geojson=True)))["slide"]
    assert result.files[0].info.bounds_origin == origin
    left, top, right, bottom = shown_by_qupath(path)
    assert (left, top) == origin
    corners = csv_corners(out)
    assert len(corners) > 40
    assert corners == [tuple(box[:2]) for box in result.scores[0].boxes.tolist()]
    assert geojson_corners(out) == [(x - left, y - top) for x, y in corners]
    side = int(result.scores[0].boxes[0, 2])
    for x, y in geojson_corners(out):
        assert -side < x < right - left
        assert -side < y < bottom - top

    (record,) = out.glob("cases/*/case.json")
    assert json.loads(record.read_bytes())["files"][0]["info"]["bounds_origin"] == list(origin)
    (written,) = out.glob("cases/*/tiles.geojson")
    before = written.read_bytes()
    written.unlink()
    rebuild(out)
    assert written.read_bytes() == before


def test_tiles_lie_where_their_pixels_are(tmp_path: Path) -> None:
    for draw in (mirax, small_sparse_tiff):
        folder = tmp_path / draw.__name__
        folder.mkdir()
        path = draw(folder)
        source = open_source(
            InputFile(path, path.name, "field" if ".tif" in path.name else "slide")
        )
        x, y = source.info.bounds_origin
        box = np.array([[x + 1500, y + 1000, 256, 256]], np.int32)
        tile = source.read_tiles(box, 256).rgb[0]
        assert np.abs(tile.astype(int) - _DRAWN[1000:1256, 1500:1756]).mean() < 4
        source.close()


def test_a_slide_without_bounds_keeps_level_0(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = results(run(options(model, out, make_slide(tmp_path / "s.svs"), geojson=True)))["s"]
    assert result.files[0].info.bounds_origin == (0, 0)
    assert geojson_corners(out) == csv_corners(out)


def test_a_whole_tiff_begins_in_its_corner(tmp_path: Path) -> None:
    path = write_generic_tiff(tmp_path / "x.tif", _DRAWN, downsamples=(4,))
    file = InputFile(path, path.name, "field")
    assert open_source(file, 0.5).info.bounds_origin == (0, 0)


@pytest.mark.parametrize("missing", [cells(0, 0, 4, 1), cells(1, 1, 2, 2), {(3, 3)}])
def test_a_small_tiff_that_lacks_tiles_is_a_slide(tmp_path: Path, missing: set[Cell]) -> None:
    rgb, every = draw_slide(4 * TILE, 4 * TILE), cells(0, 0, 4, 4)
    path = write_sparse_tiff(tmp_path / "x.tif", rgb, every - missing)
    file = InputFile(path, path.name, "field")
    assert kind_of(file) == "slide"
    boxes = np.array([[x * TILE, y * TILE, TILE, TILE] for x, y in sorted(every)], np.int32)
    tiles = open_source(file).read_tiles(boxes, TILE)
    assert tiles.valid.tolist() == [float(cell not in missing) for cell in sorted(every)]
    whole = write_sparse_tiff(tmp_path / "whole.tif", rgb, every)
    assert kind_of(InputFile(whole, whole.name, "field")) == "field"


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"openslide.bounds-x": "5", "openslide.bounds-y": "6"},
        {f"openslide.bounds-{name}": "1.5" for name in ("x", "y", "width", "height")},
    ],
)
def test_bounds_that_qupath_would_not_take_are_none(properties: dict[str, str]) -> None:
    handle = SimpleNamespace(properties=properties, dimensions=(300, 200))
    assert bounds_of(cast(OpenSlide, handle)) == (0, 0, 300, 200)


def test_each_file_of_a_case_has_its_own_origin(tmp_path: Path) -> None:
    result = two_file_result()
    first, second = result.files
    moved = replace(second, info=replace(second.info, bounds_origin=(700, 300)))
    paths = write_tiles_geojson(tmp_path, replace(result, files=(first, moved)))
    for path, scores, (left, top) in zip(paths, result.scores, ((0, 0), (700, 300)), strict=True):
        features = json.loads(path.read_bytes())["features"]
        x, y, _, _ = scores.boxes[0].tolist()
        assert features[0]["geometry"]["coordinates"][0][0] == [x - left, y - top]


def test_a_record_from_before_has_its_origin_in_the_corner() -> None:
    values = json.loads(to_json(slide_result()))
    for file in values["files"]:
        del file["info"]["bounds_origin"], file["info"]["scale"]["mpp_xy_um"]
    earlier = from_json(json.dumps(values).encode())
    assert earlier.files == slide_result().files
