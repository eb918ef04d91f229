"""Field images of every mode become the same RGB; damage is an error, never a picture."""

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps

from lungscan.errors import UnreadableFile
from lungscan.reading import field, open_field
from lungscan.types import InputFile, RgbArray
from tests.drawing import draw_he

HE = draw_he(96, 64, 5)
GREY = Image.fromarray(HE).convert("L")


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def opened(data: bytes, mpp: float | None = None) -> field.FieldSource:
    return open_field(InputFile(Path("x.png"), "x.png", "field"), data, mpp)


def pixels(source: field.FieldSource) -> RgbArray:
    return source.overview(4096).rgb


def deep(top: int, dtype: type = np.uint16) -> Image.Image:
    return Image.fromarray((np.asarray(GREY, np.float64) / 255 * top).round().astype(dtype))


def with_alpha(image: Image.Image, alpha: int) -> Image.Image:
    image = image.copy()
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        (encoded(Image.fromarray(HE)), ()),
        (encoded(Image.fromarray(HE), "BMP"), ()),
        (encoded(Image.fromarray(HE), "TIFF", compression="tiff_lzw"), ()),
        (encoded(Image.fromarray(HE), "WEBP", lossless=True), ()),
        (encoded(with_alpha(Image.fromarray(HE), 255)), ("alpha",)),
        (encoded(Image.fromarray(HE).convert("CMYK"), "TIFF"), ("cmyk",)),
    ],
)
def test_colour_modes_keep_their_pixels(data: bytes, flags: tuple[str, ...]) -> None:
    source = opened(data)
    assert np.abs(pixels(source).astype(int) - HE).max() <= 1
    assert source.info.flags == flags
    assert (source.info.width, source.info.height, source.info.vendor) == (96, 64, "image")


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        (encoded(GREY), ("grey",)),
        (encoded(with_alpha(GREY, 255)), ("grey", "alpha")),
        (encoded(deep(65535)), ("grey", "deep_grey")),
        (encoded(deep(65535), "TIFF"), ("grey", "deep_grey")),
        (encoded(deep(4095), "TIFF"), ("grey", "deep_grey")),
        (encoded(deep(1, np.float32).point(lambda v: v), "TIFF"), ("grey", "deep_grey")),
    ],
)
def test_grey_modes_keep_their_brightness(data: bytes, flags: tuple[str, ...]) -> None:
    source = opened(data)
    assert source.info.flags == flags
    if "F" in Image.open(io.BytesIO(data)).mode:
        expected = (np.asarray(GREY) > 127) * 255
    else:
        peak = int(np.asarray(GREY).max())
        assert peak > 128  # else a smaller bit depth would be the right reading
        expected = np.asarray(GREY).astype(int)
    assert np.abs(pixels(source) - np.asarray(expected)[..., None]).max() <= 1


def test_bilevel_and_palette_pictures() -> None:
    bilevel = GREY.convert("1")
    source = opened(encoded(bilevel))
    assert source.info.flags == ("grey",)
    assert (pixels(source)[..., 0] == np.asarray(bilevel) * 255).all()
    palette = Image.fromarray(HE).quantize(64)
    assert (pixels(opened(encoded(palette))) == np.asarray(palette.convert("RGB"))).all()


def test_transparent_pixels_show_white() -> None:
    for clear in (with_alpha(Image.fromarray(HE), 0), with_alpha(GREY, 0)):
        assert (pixels(opened(encoded(clear))) == 255).all()
    palette = Image.fromarray(HE).quantize(8)
    source = opened(encoded(palette, transparency=bytes(8)))
    assert (pixels(source) == 255).all()
    assert source.info.flags == ("alpha",)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_exif_rotation_is_applied_once(orientation: int, file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(HE), file_format, exif=exif)
    as_png = Image.open(io.BytesIO(encoded(Image.fromarray(HE), exif=exif)))
    upright = ImageOps.exif_transpose(as_png)
    source = opened(data)
    assert (pixels(source) == np.asarray(upright)).all()
    assert (source.info.width, source.info.height) == upright.size


def test_more_pages_are_flagged() -> None:
    page = Image.fromarray(HE)
    data = encoded(page, "TIFF", save_all=True, append_images=[page])
    assert opened(data).info.flags == ("multi_page",)


def test_only_centimetres_of_a_tiff_are_a_scale() -> None:
    page = Image.fromarray(HE)
    per_cm = encoded(page, "TIFF", resolution=20000.0, resolution_unit="cm")
    assert opened(per_cm).info.scale.mpp_um == pytest.approx(0.5)
    for dpi in (72, 96, 300):
        for file_format in ("TIFF", "JPEG", "PNG"):
            assert opened(encoded(page, file_format, dpi=(dpi, dpi))).info.scale.mpp_um is None
    assert opened(per_cm, mpp=0.25).info.scale.flags == ("mpp_option_differs",)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.9])
def test_cut_files_are_errors(file_format: str, share: float) -> None:
    data = encoded(Image.fromarray(HE), file_format)
    with pytest.raises(UnreadableFile) as caught:
        opened(data[: int(len(data) * share)])
    assert caught.value.code == "E_FORMAT"
    if file_format == "JPEG":
        assert "ends early" in str(caught.value)


@pytest.mark.parametrize("file_format", ["EPS", "GIF", "PPM", "ICO", "PDF"])
def test_other_formats_are_refused_whatever_their_name(file_format: str) -> None:
    with pytest.raises(UnreadableFile, match="not an image LungScan reads"):
        opened(encoded(Image.fromarray(HE), file_format))


def test_bombs_are_refused_before_they_are_decoded() -> None:
    for side in (15_000, 25_000):
        with pytest.raises(UnreadableFile) as caught:
            opened(encoded(Image.new("1", (side, side))))
        assert caught.value.code == "E_TOO_LARGE"


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_many_pixels_in_few_bytes_are_refused_undecoded(
    monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    blank = Image.new("L" if file_format == "PNG" else "RGB", (4600, 4600))
    data = encoded(blank, file_format)
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)  # to decode would be another error
    with pytest.raises(UnreadableFile, match="21 million pixels") as caught:
        opened(data)
    assert caught.value.code == "E_TOO_LARGE"


def test_a_blank_picture_is_no_bomb() -> None:
    glass = Image.new("RGB", (4600, 4600), (243, 241, 243))
    assert opened(encoded(glass, "JPEG")).info.width == 4600
    small = Image.new("L", (4000, 4000))
    assert opened(encoded(small)).info.width == 4000


@pytest.mark.parametrize(
    ("kind", "words"),
    [(np.float32, "floating-point numbers with 32 bits"), (np.uint32, "whole numbers with 32")],
)
def test_a_tiff_of_other_numbers_is_refused_as_such(kind: type, words: str) -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, HE.astype(kind), photometric="rgb")
    with pytest.raises(UnreadableFile, match=words) as caught:
        opened(stream.getvalue())
    assert caught.value.code == "E_FORMAT"


def test_laboratory_colour_is_converted() -> None:
    grey = pixels(opened(encoded(Image.new("LAB", (8, 8), (128, 128, 128)), "TIFF")))
    assert np.ptp(grey) == 0
    assert grey[0, 0, 0] == 119


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_never_ends_in_another_error(data: st.DataObject) -> None:
    file_format = data.draw(st.sampled_from(["JPEG", "PNG", "TIFF", "WEBP", "BMP"]))
    raw = bytearray(encoded(Image.fromarray(HE[:24, :24]), file_format))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnreadableFile):
        assert pixels(opened(bytes(raw))).dtype == np.uint8


def test_tiles_are_cut_scaled_and_padded() -> None:
    source = opened(encoded(Image.fromarray(HE)))
    boxes = np.array([(0, 0, 32, 32), (10, 20, 32, 32), (80, 0, 32, 32), (0, 0, 64, 64)], np.int32)
    tiles = source.read_tiles(boxes, 32)
    assert (tiles.rgb[1] == HE[20:52, 10:42]).all()
    assert (tiles.rgb[2][:, 16:] == 255).all()
    assert tiles.valid.tolist() == [1, 1, 0.5, 1]
    assert not tiles.failed.any()
    half = np.asarray(Image.fromarray(HE[:64, :64]).resize((32, 32), Image.Resampling.BILINEAR))
    assert (tiles.rgb[3] == half).all()


def test_overview_of_a_large_field() -> None:
    overview = opened(encoded(Image.fromarray(HE))).overview(48)
    assert overview.rgb.shape == (32, 48, 3)
    assert overview.downsample == 2
    assert overview.valid.all()


def test_field_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(encoded(Image.fromarray(HE)))
    assert (pixels(open_field(InputFile(path, "x.png", "field"))) == HE).all()


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ('<OME><Pixels PhysicalSizeX="0.5" PhysicalSizeY="0.5"/></OME>', 0.5),
        (
            '<Pixels PhysicalSizeX="0.25" PhysicalSizeXUnit="µm" PhysicalSizeY="0.25" '
            'PhysicalSizeYUnit="µm"/>',
            0.25,
        ),
        (
            '<Pixels PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="250" '
            'PhysicalSizeYUnit="nm"/>',
            0.25,
        ),
        ('<Pixels PhysicalSizeX="1.2.3" PhysicalSizeY="x"/>', None),
    ],
)
def test_an_ome_tiff_states_its_scale(
    tmp_path: Path, description: str, expected: float | None
) -> None:
    path = tmp_path / "a.tif"
    pixels = np.zeros((64, 64, 3), np.uint8)
    tifffile.imwrite(path, pixels, description=description.encode(), metadata=None)
    assert open_field(InputFile(path, path.name, "field")).info.scale.mpp_um == expected


@pytest.mark.parametrize(("dpi", "expected"), [(72, None), (600, None), (50_800, 0.5)])
def test_inches_count_only_where_they_can_be_a_microscopes(
    tmp_path: Path, dpi: int, expected: float | None
) -> None:
    path = tmp_path / "a.tif"
    Image.new("RGB", (64, 64)).save(path, dpi=(dpi, dpi))
    scale = open_field(InputFile(path, path.name, "field")).info.scale
    assert scale.mpp_um == (None if expected is None else pytest.approx(expected))
    assert "mpp_absurd" not in scale.flags


def test_an_absurd_resolution_is_flagged(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.new("RGB", (64, 64)).save(path, resolution_unit="cm", resolution=5)
    scale = open_field(InputFile(path, path.name, "field")).info.scale
    assert scale.mpp_um is None
    assert scale.flags == ("mpp_absurd", "scale_unknown")
