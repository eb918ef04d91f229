"""Slides of 16 bits a colour are read right, as one picture, or refused with their reason."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from lungscan.errors import UnreadableFile
from lungscan.inputs import discover
from lungscan.reading import open_source
from lungscan.reading.slides.slide import SlideSource
from lungscan.types import RgbArray
from tests.drawing import draw_he, draw_slide
from tests.engine.scanning import options, results, run
from tests.engine.test_reading_deep import widened
from tests.models import FakeRuntime

HE = draw_he(600, 500, 3)
TILE = 128


def write_deep(path: Path, rgb: RgbArray, bits: int = 12, **packing: object) -> Path:
    """A tiled pyramid of 16-bit colours, 0.5 µm/px."""
    with tifffile.TiffWriter(path) as tiff:
        for number, downsample in enumerate((1, 2, 4)):
            level = widened(np.asarray(Image.fromarray(rgb).reduce(downsample)), bits)
            if packing.get("planarconfig") == "separate":
                level = np.ascontiguousarray(np.moveaxis(level, 2, 0))
            tiff.write(
                level,
                tile=(TILE, TILE),
                metadata=None,
                subfiletype=int(number > 0),
                resolution=(20_000, 20_000),
                resolutionunit="CENTIMETER",
                **{"photometric": "rgb", **packing},
            )
    return path


def opened(path: Path) -> SlideSource:
    source = open_source(discover((path,)).cases[0].files[0])
    assert isinstance(source, SlideSource)
    return source


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_every_camera_s_depth_is_read_at_every_level(tmp_path: Path, bits: int) -> None:
    source = opened(write_deep(tmp_path / "s.tif", HE, bits, compression="deflate"))
    assert source.info.flags == ("deep_colour",)
    assert source.info.scale.mpp_um == pytest.approx(0.5)
    assert source.native_levels == (0, 1, 2)
    boxes = np.array([[0, 0, 300, 300], [300, 200, 300, 300]], np.int32)
    tiles = source.read_tiles(boxes, 300)
    assert not tiles.failed.any()
    assert (tiles.valid == 1).all()
    assert np.abs(tiles.rgb[1].astype(int) - HE[200:, 300:]).max() <= 1
    small = source.read_tiles(boxes, 75).rgb[0]
    expected = np.asarray(Image.fromarray(HE).reduce(4))[:75, :75]
    assert np.abs(small.astype(int) - expected).max() <= 1
    assert np.abs(source.overview(600).rgb.astype(int) - HE).max() <= 1
    source.close()


@pytest.mark.parametrize(
    "packing",
    [
        {},
        {"compression": "lzw"},
        {"compression": "lzw", "predictor": True},
        {"compression": "deflate", "predictor": True},
        {"bigtiff": True},
    ],
)
def test_every_packing_gives_the_same_pixels(tmp_path: Path, packing: dict[str, object]) -> None:
    whole = {key: packing[key] for key in ("bigtiff",) if key in packing}
    path, plain = tmp_path / "s.tif", [p for p in packing.items() if p[0] not in whole]
    with tifffile.TiffWriter(path, **whole) as tiff:
        for number, downsample in enumerate((1, 2)):
            level = widened(np.asarray(Image.fromarray(HE).reduce(downsample)), 12)
            tiff.write(
                level,
                tile=(TILE, TILE),
                photometric="rgb",
                metadata=None,
                subfiletype=int(number > 0),
                resolution=(20_000, 20_000),
                resolutionunit="CENTIMETER",
                **dict(plain),
            )
    assert np.abs(opened(path).overview(600).rgb.astype(int) - HE).max() <= 1


def test_one_scan_is_stretched_as_one(tmp_path: Path) -> None:
    # A dark tile beside a bright one: stretched by itself it would be as bright.
    rgb = HE.copy()
    rgb[:TILE, :TILE] //= 8
    source = opened(write_deep(tmp_path / "s.tif", rgb, 12, compression="deflate"))
    dark = source.read_tiles(np.array([[0, 0, TILE, TILE]], np.int32), TILE).rgb[0]
    assert np.abs(dark.astype(int) - rgb[:TILE, :TILE]).max() <= 1


def test_a_deep_grey_slide_is_stretched_too(tmp_path: Path) -> None:
    path, grey = tmp_path / "g.tif", np.asarray(Image.fromarray(HE).convert("L"))
    with tifffile.TiffWriter(path) as tiff:
        for number, downsample in enumerate((1, 2)):
            level = widened(np.asarray(Image.fromarray(grey).reduce(downsample)), 12)
            tiff.write(
                level,
                tile=(TILE, TILE),
                photometric="minisblack",
                metadata=None,
                subfiletype=int(number > 0),
                resolution=(20_000, 20_000),
                resolutionunit="CENTIMETER",
            )
    source = opened(path)
    assert source.info.flags == ("grey", "deep_grey")
    assert np.abs(source.overview(600).rgb - grey.astype(int)[..., None]).max() <= 1


def test_deep_slides_of_other_kinds_are_refused_with_the_reason(tmp_path: Path) -> None:
    packed = {"compression": "deflate", "planarconfig": "separate"}
    path = write_deep(tmp_path / "s.tif", HE, **packed)
    with pytest.raises(UnreadableFile, match="more than 8 bits a colour") as caught:
        opened(path)
    assert caught.value.code == "E_UNSUPPORTED"
    assert "Export it with 8 bits" in str(caught.value)


def test_a_damaged_deep_tile_costs_one_tile(tmp_path: Path) -> None:
    path = write_deep(tmp_path / "s.tif", HE, 12, compression="deflate")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        page = tiff.pages[0]
        tiff.filehandle.seek(page.dataoffsets[6])
        tiff.filehandle.write(bytes(page.databytecounts[6]))
    boxes = [[TILE * (i % 4), TILE * (i // 4), TILE, TILE] for i in range(12)]
    tiles = opened(path).read_tiles(np.array(boxes, np.int32), TILE)
    assert tiles.failed.nonzero()[0].tolist() == [5]  # five tiles lie in a row of the file


def test_a_deep_slide_is_answered_as_the_same_slide_of_8_bits(
    tmp_path: Path, model: Path, fake: FakeRuntime
) -> None:
    rgb = draw_slide(1024, 768, tissue=((0.1, 0.1, 0.9, 0.9),))
    deep = write_deep(tmp_path / "deep.tif", rgb, 12, compression="deflate")
    tifffile.imwrite(
        tmp_path / "field.tif",
        widened(rgb, 12),
        photometric="rgb",
        tile=(TILE, TILE),
        resolution=(20_000, 20_000),
        resolutionunit="CENTIMETER",
    )
    Image.fromarray(rgb).save(tmp_path / "plain.tif", resolution=20_000, resolution_unit="cm")
    paths = (deep, tmp_path / "field.tif", tmp_path / "plain.tif")
    found = results(run(options(model, tmp_path / "out", *paths)))
    assert {result.status for result in found.values()} == {found["plain"].status}
    assert found["plain"].tissue_mm2
    for name in ("deep", "field"):
        assert found[name].tissue_mm2 == pytest.approx(found["plain"].tissue_mm2, rel=0.02)
        assert "deep_colour" in found[name].flags
        assert found[name].counts.used == found["plain"].counts.used > 0
