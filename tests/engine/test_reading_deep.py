"""Colours with more than 8 bits keep their brightness, whatever packs them; nothing turns black."""

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from lungscan.errors import UnreadableFile
from lungscan.reading import field, open_field
from lungscan.types import InputFile, RgbArray
from tests.drawing import draw_he

HE = draw_he(96, 64, 5)
DEEP = ("deep_colour",)


def widened(rgb: np.ndarray, bits: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """The picture as a camera of so many bits writes it into 16."""
    return (rgb / 255 * (2**bits - 1)).round().astype(np.uint16)


V12 = widened(HE, 12)
OPAQUE = np.full((*HE.shape[:2], 1), 65535, np.uint16)
V12_ALPHA = np.concatenate([V12, OPAQUE], axis=2)
GREY = np.asarray(Image.fromarray(HE).convert("L"))
PLANES = np.ascontiguousarray(np.moveaxis(V12, 2, 0))


def tiff(values: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **{"photometric": "rgb", **options})
    return stream.getvalue()


def opened(data: bytes) -> field.FieldSource:
    return open_field(InputFile(Path("x.png"), "x.png", "field"), data)


def pixels(source: field.FieldSource) -> RgbArray:
    return source.overview(4096).rgb


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("encode", [imagecodecs.png_encode, tiff])
def test_every_camera_s_depth_fills_the_range(bits: int, encode: object) -> None:
    assert HE.max() > 252  # else a smaller depth would be the right reading
    source = opened(encode(widened(HE, bits)))  # type: ignore[operator]
    assert source.info.flags == DEEP
    assert np.abs(pixels(source).astype(int) - HE).max() <= 1


def test_a_scale_bar_and_a_stuck_pixel_do_not_darken_the_picture() -> None:
    marked = V12.copy()
    marked[0, 0] = marked[-1, 2:5] = 65_535
    seen, clean = pixels(opened(tiff(marked))), pixels(opened(tiff(V12)))
    assert (seen[0, 0] == 255).all()
    untouched = (marked == V12).all(axis=-1)
    assert (seen[untouched] == clean[untouched]).all()


@pytest.mark.parametrize(
    "data",
    [
        tiff(V12, tile=(32, 32)),
        tiff(PLANES, planarconfig="separate"),
        tiff(PLANES, planarconfig="separate", tile=(32, 32), compression="deflate"),
        tiff(V12, byteorder=">"),
        tiff(V12, compression="lzw", predictor=True),
        tiff(V12, compression="deflate", predictor=True, byteorder=">"),
        tiff(V12, compression="zstd"),
        tiff(V12, compression="jpeg2000", tile=(32, 32)),
        tiff(V12, bigtiff=True),
        tiff(V12, bitspersample=12),
        tiff(widened(HE, 10), bitspersample=10),
    ],
)
def test_every_way_to_pack_a_tiff_gives_the_same_pixels(data: bytes) -> None:
    source = opened(data)
    assert source.info.flags == DEEP
    assert np.abs(pixels(source).astype(int) - HE).max() <= 1


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        (imagecodecs.png_encode(V12_ALPHA), ("alpha", "deep_colour")),
        (tiff(V12_ALPHA, extrasamples=["unassalpha"]), ("alpha", "deep_colour")),
        (tiff(V12_ALPHA, extrasamples=["unspecified"]), DEEP),
    ],
)
def test_opacity_has_a_range_of_its_own(data: bytes, flags: tuple[str, ...]) -> None:
    source = opened(data)
    assert source.info.flags == flags
    assert np.abs(pixels(source).astype(int) - HE).max() <= 1


def test_transparent_deep_pixels_show_white() -> None:
    clear = V12_ALPHA.copy()
    clear[:, :48, 3] = 0
    rgb = pixels(opened(imagecodecs.png_encode(clear)))
    assert (rgb[:, :48] == 255).all()
    assert np.abs(rgb[:, 48:].astype(int) - HE[:, 48:]).max() <= 1


def test_deep_grey_with_opacity_is_stretched_as_grey_is() -> None:
    values = np.concatenate([widened(GREY[..., None], 12), OPAQUE], axis=2)
    for data in (
        imagecodecs.png_encode(values),
        tiff(values, photometric="minisblack", extrasamples=["unassalpha"], planarconfig="contig"),
    ):
        source = opened(data)
        assert source.info.flags == ("grey", "alpha", "deep_grey")
        assert np.abs(pixels(source) - GREY.astype(int)[..., None]).max() <= 1


@pytest.mark.parametrize("bits", [12, 16])
def test_deep_grey_whose_zero_is_white_is_no_negative(bits: int) -> None:
    stretched = (GREY - float(GREY.min())) / np.ptp(GREY) * 255
    values = widened(255 - stretched, bits)
    source = opened(tiff(values, photometric="miniswhite"))
    assert source.info.flags == ("grey", "deep_grey")
    assert np.abs(pixels(source) - stretched[..., None]).max() <= 1


def test_hues_stay_because_all_colours_share_one_range() -> None:
    violet = np.zeros((8, 8, 3), np.uint16)
    violet[:] = (1000, 200, 4000)
    assert pixels(opened(tiff(violet)))[0, 0].tolist() == [62, 12, 249]


def test_packings_that_pillow_lacks_are_read_at_8_bits_too() -> None:
    source = opened(tiff(HE, compression="jpeg2000", tile=(32, 32)))
    assert source.info.flags == ()
    assert (pixels(source) == HE).all()


def test_a_jpeg_of_12_bits_is_read() -> None:
    source = opened(imagecodecs.jpeg8_encode(V12, bitspersample=12, level=98))
    assert source.info.flags == DEEP
    assert np.abs(pixels(source).astype(int) - HE).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_deep_tiff_is_turned_upright(orientation: int) -> None:
    def turned(values: np.ndarray) -> bytes:
        return tiff(values, extratags=[(274, 3, 1, orientation, True)])

    assert (pixels(opened(turned(V12))) == pixels(opened(turned(HE)))).all()


def test_scale_and_pages_of_a_deep_tiff_are_known() -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for _ in range(2):
            writer.write(
                V12, photometric="rgb", resolution=(20_000, 20_000), resolutionunit="CENTIMETER"
            )
    info = opened(stream.getvalue()).info
    assert info.scale.mpp_um == pytest.approx(0.5)
    assert info.flags == ("deep_colour", "multi_page")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tiff(V12.astype(np.int16)), "signed whole numbers with 16 bits"),
        (tiff(V12.astype(np.uint32)), "whole numbers with 32 bits"),
        (tiff((HE / 255).astype(np.float16)), "floating-point numbers with 16 bits"),
        (tiff(V12, photometric="minisblack", planarconfig="contig"), "not declared as red, green"),
        (tiff(V12, compression="lerc"), "packed with LERC"),
        (tiff(HE, compression="jpegxl", tile=(32, 32)), "packed with JPEGXL"),
        (tiff(HE, photometric="minisblack", planarconfig="contig"), "not declared as red, green"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_true_reason(data: bytes, expected: str) -> None:
    with pytest.raises(UnreadableFile, match=expected) as caught:
        opened(data)
    assert "save it" in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        imagecodecs.png_encode(V12),
        tiff(V12),
        tiff(V12, compression="lzw", predictor=True),
        tiff(V12, compression="deflate"),
        tiff(V12, tile=(32, 32), compression="zstd"),
        tiff(V12, tile=(32, 32), compression="jpeg2000"),
        imagecodecs.jpeg8_encode(V12, bitspersample=12),
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.9])
def test_cut_deep_files_are_errors(data: bytes, share: float) -> None:
    with pytest.raises(UnreadableFile) as caught:
        opened(data[: int(len(data) * share)])
    assert caught.value.code == "E_FORMAT"


def test_deep_bombs_are_refused_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    blank = np.zeros((4600, 4600, 3), np.uint16)
    png, deflate = imagecodecs.png_encode(blank), tiff(blank, compression="deflate")
    monkeypatch.setattr(imagecodecs, "png_decode", decoded)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", decoded)
    for data in (png, deflate):
        with pytest.raises(UnreadableFile, match="21 million pixels") as caught:
            opened(data)
        assert caught.value.code == "E_TOO_LARGE"


def test_a_jpeg2000_that_claims_more_than_its_page_is_refused() -> None:
    small = tiff(V12, compression="jpeg2000", tile=(32, 32))
    at = small.index(b"\xff\x4f\xff\x51") + 8
    data = small[:at] + (40_000).to_bytes(4) * 2 + small[at + 8 :]
    with pytest.raises(UnreadableFile) as caught:
        opened(data)
    assert caught.value.code == "E_FORMAT"


def profile(*primaries: float, gamma: float = 2.2) -> bytes:
    return bytes(
        imagecodecs.cms_profile(
            "rgb", whitepoint=[0.3127, 0.329, 1.0], primaries=list(primaries), gamma=gamma
        )
    )


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PLAIN = profile(0.64, 0.33, 1, 0.3, 0.6, 1, 0.15, 0.06, 1)
WIDE = profile(0.68, 0.32, 1, 0.265, 0.69, 1, 0.15, 0.06, 1)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("icc", "flags"),
    [
        (SRGB, ()),
        (PLAIN, ()),
        (bytes(imagecodecs.cms_profile("adobergb")), ("icc_profile_ignored",)),
        (WIDE, ("icc_profile_ignored",)),
        (b"no profile at all", ()),
    ],
)
def test_a_profile_that_is_not_srgb_is_flagged(
    file_format: str, icc: bytes, flags: tuple[str, ...]
) -> None:
    stream = io.BytesIO()
    Image.fromarray(HE).save(stream, file_format, icc_profile=icc)
    assert opened(stream.getvalue()).info.flags == flags


def test_a_profile_changes_no_pixel() -> None:
    plain, tagged = io.BytesIO(), io.BytesIO()
    Image.fromarray(HE).save(plain, "PNG")
    Image.fromarray(HE).save(tagged, "PNG", icc_profile=WIDE)
    assert (pixels(opened(plain.getvalue())) == pixels(opened(tagged.getvalue()))).all()


def test_a_deep_tiff_s_profile_is_flagged_too() -> None:
    data = tiff(V12, extratags=[(34675, 7, len(WIDE), WIDE, True)])
    assert opened(data).info.flags == ("deep_colour", "icc_profile_ignored")
