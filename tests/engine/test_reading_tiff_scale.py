"""A TIFF's own words on its scale count whichever way the file is opened, slide or field."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, TiffImagePlugin

from lungscan.errors import NoScale
from lungscan.reading import kind_of, open_source, tiff_scale
from lungscan.reading.tiff_scale import tiff_mpp
from lungscan.types import InputFile, MppSource, RgbArray, Scale
from tests.drawing import draw_he, write_svs

OME = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{}</OME>'
MAIN = (
    '<Image ID="Image:{}"><Pixels SizeX="{}" SizeY="{}" PhysicalSizeX="{}"\n'
    'PhysicalSizeXUnit="µm" PhysicalSizeY="{}"\nPhysicalSizeYUnit="µm"/></Image>'
)
FIELD, SLIDE = 600, 8448


def picture(width: int) -> RgbArray:
    tile = draw_he(min(width, 512), 256, 3)
    return np.tile(tile, (1, -(-width // 512), 1))[:, :width]


def write(
    path: Path,
    width: int,
    description: str | bytes = "",
    resolution: tuple[float, float] | None = None,
    unit: int = 1,
    *,
    levels: int = 2,
    **options: object,
) -> InputFile:
    """Write a tiled TIFF; wide ones have levels, as subfiles in the way of OME pyramids."""
    data = description.encode() if isinstance(description, str) else description
    subifds = levels - 1 if width > FIELD else 0
    with tifffile.TiffWriter(path, bigtiff=width > FIELD) as tiff:
        tiff.write(
            picture(width),
            tile=(256, 256),
            photometric="rgb",
            compression="jpeg",
            description=data or None,
            metadata=None,
            resolution=resolution,
            resolutionunit=unit if resolution else None,
            software=False,
            subifds=subifds,
            **options,  # type: ignore[arg-type]
        )
        for level in range(subifds):
            small = picture(width)[:: 2 << level, :: 2 << level]
            tiff.write(small, tile=(256, 256), photometric="rgb", subfiletype=1, metadata=None)
    return InputFile(path, path.name, "field")


def scale_of(file: InputFile, mpp: float | None = None) -> Scale:
    source = open_source(file, mpp)
    source.close()
    return source.info.scale


def imagej(unit: str, extra: str = "") -> str:
    return f"ImageJ=1.54f\nimages=1\nunit={unit}\n{extra}loop=false\n"


@pytest.mark.parametrize("width", [FIELD, SLIDE])
@pytest.mark.parametrize(
    ("words", "resolution", "unit"),
    [
        ("ome", None, 1),
        ("ome", (72, 72), 2),
        ("ome", (1, 1), 1),
        (imagej("micron"), (2, 2), 1),
        (imagej("um"), (2, 2), 1),
        (imagej("µm"), (2, 2), 1),
        (imagej("\\u00B5m"), (2, 2), 1),
        (imagej("\u03bcm"), (2, 2), 1),
        (imagej("microns"), (2, 2), 1),
        (imagej("micrometer"), (2, 2), 1),
        (imagej("micron").replace("\n", "\r\n"), (2, 2), 1),
        (imagej("nm"), (0.002, 0.002), 1),
        (imagej("mm"), (2000, 2000), 1),
        (imagej("cm"), (20_000, 20_000), 1),
        (imagej("inch"), (50_800, 50_800), 2),
        (imagej("um"), (20_000, 20_000), 3),  # as Micro-Manager: the tag says centimetres
        (imagej("micron"), (2, 2), 2),  # saved again by a program that knows inches only
        ("", (20_000, 20_000), 3),
        ("", (50_800, 50_800), 2),
    ],
)
def test_half_a_micrometre_in_every_way(
    tmp_path: Path, width: int, words: str, resolution: tuple[float, float] | None, unit: int
) -> None:
    text = OME.format(MAIN.format(0, width, 256, 0.5, 0.5)) if words == "ome" else words
    file = write(tmp_path / "x.tif", width, text, resolution, unit)
    assert kind_of(file) == ("slide" if width == SLIDE else "field")
    scale = scale_of(file)
    assert scale.mpp_um == pytest.approx(0.5, rel=1e-6)
    assert (scale.source, scale.flags) == (MppSource.FILE, ())
    assert scale_of(file, 0.25).flags == ("mpp_option_differs",)


@pytest.mark.parametrize("width", [FIELD, SLIDE])
@pytest.mark.parametrize(
    ("words", "resolution", "unit"),
    [
        ("", None, 1),
        (imagej("pixel"), (2, 2), 1),
        (imagej(""), (2, 2), 1),
        (imagej("inch"), (72, 72), 2),
        ("ImageJ=1.54f\nimages=1\n", (2, 2), 1),
        ("unit=micron\n", (2, 2), 1),
        (OME.format(MAIN.format(0, 300, 128, 0.5, 0.5)), None, 1),  # of a picture half as large
    ],
)
def test_nothing_is_guessed(
    tmp_path: Path, width: int, words: str, resolution: tuple[float, float] | None, unit: int
) -> None:
    file = write(tmp_path / "x.tif", width, words, resolution, unit)
    if width == SLIDE:
        with pytest.raises(NoScale):
            scale_of(file)
    else:
        assert scale_of(file).source is MppSource.UNKNOWN
    assert scale_of(file, 0.25).mpp_um == 0.25


@pytest.mark.parametrize("width", [FIELD, SLIDE])
@pytest.mark.parametrize("order", [1, -1])
def test_a_second_image_does_not_lend_its_scale(tmp_path: Path, width: int, order: int) -> None:
    images = [MAIN.format(0, width, 256, 0.5, 0.5), MAIN.format(1, 320, 240, 1.0, 1.0)]
    file = write(tmp_path / "x.tif", width, OME.format("".join(images[::order])))
    assert scale_of(file).mpp_um == 0.5


@pytest.mark.parametrize("width", [FIELD, SLIDE])
def test_x_and_y_reach_the_scale(tmp_path: Path, width: int) -> None:
    ome = write(tmp_path / "a.tif", width, OME.format(MAIN.format(0, width, 256, 0.25, 0.5)))
    unequal = write(tmp_path / "b.tif", width, imagej("micron", "yunit=mm\n"), (4, 2000), 1)
    for file in (ome, unequal):
        scale = scale_of(file)
        assert scale.mpp_xy_um == pytest.approx((0.25, 0.5))
        assert scale.mpp_um == pytest.approx(0.125**0.5)
        assert scale.flags == ("mpp_xy_differ",)


@pytest.mark.parametrize("width", [FIELD, SLIDE])
def test_ome_as_tifffile_writes_it(tmp_path: Path, width: int) -> None:
    path = tmp_path / "x.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tiff:
        for mpp, side in ((0.5, width), (4.0, 320)):
            facts = {
                "axes": "YXS",
                "PhysicalSizeX": mpp * 1000,
                "PhysicalSizeXUnit": "nm",
                "PhysicalSizeY": mpp,
                "PhysicalSizeYUnit": "µm",
            }
            tiff.write(
                picture(side),
                tile=(256, 256),
                photometric="rgb",
                compression="deflate",
                metadata=facts,
            )
    assert scale_of(InputFile(path, path.name, "field")).mpp_um == 0.5


def test_a_scanner_s_own_word_goes_before_any_other(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(1024, 512), mpp=0.5)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        assert tiff.pages.first.tags.valueof("XResolution") == (1, 1)
    assert scale_of(InputFile(path, path.name, "slide")).mpp_um == 0.5


def test_a_scanner_s_own_format_without_a_scale_has_its_tags(tmp_path: Path) -> None:
    path = tmp_path / "x.svs"
    tifffile.imwrite(
        path,
        draw_he(1024, 512),
        tile=(256, 256),
        photometric="rgb",
        compression="jpeg",
        description="Aperio Drawn v1.0\r\n1024x512|AppMag = 40",
        metadata=None,
        resolution=(20_000, 20_000),
        resolutionunit=3,
    )
    source = open_source(InputFile(path, path.name, "slide"))
    assert (source.info.vendor, source.info.objective_power) == ("aperio", 40)
    assert (source.info.scale.mpp_um, source.info.scale.source) == (0.5, MppSource.FILE)


def test_a_picture_lying_on_its_side_swaps_x_and_y(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(draw_he(300, 200)).save(
        path, tiffinfo={274: 6}, resolution_unit=3, x_resolution=40_000, y_resolution=20_000
    )
    source = open_source(InputFile(path, path.name, "field"))
    assert (source.info.width, source.info.height) == (200, 300)
    assert source.info.scale.mpp_xy_um == pytest.approx((0.5, 0.25))


@pytest.mark.parametrize(("suffix", "rel"), [("png", 1e-6), ("jpg", 1e-6), ("bmp", 1e-4)])
@pytest.mark.parametrize(("dpi", "expected"), [(50_800, 0.5), (300, None), (2400, None)])
def test_the_density_of_other_pictures(
    tmp_path: Path, suffix: str, rel: float, dpi: int, expected: float | None
) -> None:
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(draw_he(96, 64)).save(path, dpi=(dpi, dpi))
    scale = scale_of(InputFile(path, path.name, "field"))
    assert scale.mpp_um == (None if expected is None else pytest.approx(expected, rel=rel))
    assert "mpp_absurd" not in scale.flags


@pytest.mark.parametrize("at", range(0, 400, 23))
def test_damage_to_the_tags_costs_the_scale_at_most(tmp_path: Path, at: int) -> None:
    file = write(tmp_path / "x.tif", FIELD, imagej("micron"), (2, 2), 1)
    data = bytearray(file.path.read_bytes())
    tags = data.rfind(b"ImageJ") - 400
    data[max(8, tags + at)] ^= 0xFF
    found = tiff_mpp(io.BytesIO(data))
    assert found is None or min(found) > 0


def test_a_description_without_end_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = OME.format(MAIN.format(0, FIELD, 256, 0.5, 0.5)) + " " * 4000
    file = write(tmp_path / "x.tif", FIELD, text)
    assert scale_of(file).mpp_um == 0.5
    monkeypatch.setattr(tiff_scale, "MAX_TEXT", 4000)
    assert scale_of(file).mpp_um is None


def test_an_inch_that_no_tag_names_does_not_hide_imagej_s_unit(tmp_path: Path) -> None:
    # 4000 per unit would be 6.35 µm, were the unit the inch that TIFF assumes.
    image = Image.new("RGB", (FIELD, FIELD), "white")
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[TiffImagePlugin.IMAGEDESCRIPTION] = imagej("mm")
    tags[TiffImagePlugin.X_RESOLUTION] = tags[TiffImagePlugin.Y_RESOLUTION] = 4000.0
    image.save(tmp_path / "x.tif", tiffinfo=tags)
    with Image.open(tmp_path / "x.tif") as written:
        assert isinstance(written, TiffImagePlugin.TiffImageFile)
        assert TiffImagePlugin.RESOLUTION_UNIT not in written.tag_v2
    file = InputFile(tmp_path / "x.tif", "x.tif", "field")
    assert scale_of(file).mpp_um == pytest.approx(0.25)
