"""Tissue and pen on drawn overviews and on the shared slides."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from lungscan.modalities.histology import density, pen
from lungscan.modalities.histology.density import estimate_background, optical_density
from lungscan.modalities.histology.tissue import find_stained, find_tissue
from lungscan.tiles.grid import pen_area_mm2, tissue_area_mm2
from lungscan.tiles.mask import TissueMask
from lungscan.types import MaskArray, MppSource, Overview, RgbArray, Scale

SLIDES = Path(__file__).parents[2].parent / "shared" / "slides"
UM_PX = 8.0  # of the drawn overviews
DOWNSAMPLE = 16.0
SCALE = Scale(UM_PX / DOWNSAMPLE, MppSource.FILE)
NO_SCALE = Scale(None, MppSource.UNKNOWN)
PINK, PURPLE, PALE = (214, 150, 190), (120, 80, 150), (232, 214, 228)
WHITE, GREY, YELLOWISH = (243, 243, 242), (200, 201, 203), (250, 244, 226)
INKS = {
    "red": (205, 18, 20),
    "blue": (50, 105, 198),
    "green": (30, 140, 80),
    "black": (38, 37, 40),
}


def glass(width: int = 400, height: int = 300, colour: tuple[int, int, int] = WHITE) -> RgbArray:
    noise = np.random.default_rng(1).normal(0, 1.2, (height, width, 1))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


def shape(rgb: RgbArray, kind: str, box: tuple[int, int, int, int], width: int = 0) -> MaskArray:
    """A filled ellipse, a rectangle, or a line with round ends."""
    canvas = Image.new("1", (rgb.shape[1], rgb.shape[0]))
    draw = ImageDraw.Draw(canvas)
    if kind == "line":
        draw.line(box, fill=1, width=width)
    elif kind == "ellipse":
        draw.ellipse(box, fill=1)
    else:
        draw.rectangle(box, fill=1)
    return np.asarray(canvas)


def stain(
    rgb: RgbArray, where: MaskArray, base: tuple[int, int, int] = PINK, nuclei: bool = True
) -> None:
    """H&E: a pink ground with purple grains, filtering the light that the glass lets through."""
    rng = np.random.default_rng(2)
    grain = rng.random(where.shape)
    colour = np.where((grain < (0.25 if nuclei else 0))[..., None], PURPLE, base) / 255
    colour = colour * rng.normal(1, 0.03, where.shape)[..., None]
    rgb[where] = np.clip(rgb * colour, 0, 255).astype(np.uint8)[where]


def ink(rgb: RgbArray, where: MaskArray, colour: tuple[int, int, int]) -> None:
    """A stroke filters what lies below it, and its edge is soft."""
    alpha = np.asarray(Image.fromarray(where.astype(np.uint8) * 255).filter(_SOFT)) / 255
    rgb[:] = (rgb * (1 - alpha[..., None] * (1 - np.array(colour) / 255))).astype(np.uint8)


_SOFT = ImageFilter.GaussianBlur(1.5)


def look(rgb: RgbArray, valid: MaskArray | None = None, scale: Scale = SCALE) -> TissueMask:
    seen = np.ones(rgb.shape[:2], dtype=bool) if valid is None else valid
    return find_tissue(Overview(rgb, seen, DOWNSAMPLE), scale)


def share(mask: MaskArray, where: MaskArray) -> float:
    return float(mask[where].mean())


@pytest.mark.parametrize("colour", [WHITE, GREY, YELLOWISH, (255, 255, 255)])
@pytest.mark.parametrize("base", [PINK, PALE])
def test_tissue_is_found_on_every_background(
    colour: tuple[int, int, int], base: tuple[int, int, int]
) -> None:
    rgb = glass(colour=colour)
    where = shape(rgb, "ellipse", (100, 80, 260, 200))
    stain(rgb, where, base)
    mask = look(rgb)
    assert share(mask.tissue, where) > 0.97
    assert mask.tissue[~where].mean() < 0.01
    assert not mask.pen.any()


def test_background_colour_is_measured_not_assumed() -> None:
    rgb = glass(colour=YELLOWISH)
    stain(rgb, shape(rgb, "rectangle", (0, 0, 399, 220)))  # most of the slide
    everywhere = np.ones(rgb.shape[:2], dtype=bool)
    assert np.abs(estimate_background(rgb, everywhere) - YELLOWISH).max() <= 2


def test_white_filler_is_not_the_background() -> None:
    rgb = glass(colour=(228, 226, 222))
    rgb[:, 200:] = 255  # a program's filler beside the scanned half
    where = shape(rgb, "ellipse", (40, 60, 150, 200))
    stain(rgb, where, PALE)
    everywhere = np.ones(rgb.shape[:2], dtype=bool)
    assert np.abs(estimate_background(rgb, everywhere) - (228, 226, 222)).max() <= 2
    mask = look(rgb)
    assert share(mask.tissue, where) > 0.95
    assert mask.tissue[~where].mean() < 0.01


def test_sampled_glass_is_smooth_between_the_samples_too() -> None:
    rgb = np.full((2000, 1100, 3), 240, np.uint8)  # so large that every second pixel is taken
    assert density.sampling_step(rgb.shape) == 2
    valid = np.ones(rgb.shape[:2], np.bool_)
    assert estimate_background(rgb, valid).tolist() == [240, 240, 240]
    for lines in (np.s_[:, 1::2], np.s_[1::2]):
        striped = rgb.copy()
        striped[lines] = 230
        assert estimate_background(striped, valid).tolist() == density.WHITE.tolist()


def test_pale_tissue_on_one_percent_of_the_slide() -> None:
    rgb = glass(1000, 800)
    where = shape(rgb, "ellipse", (700, 500, 800, 600))
    stain(rgb, where, PALE, nuclei=False)
    mask = look(rgb)
    assert 0.008 < mask.tissue.mean() < 0.012
    assert share(mask.tissue, where) > 0.95


def test_tiny_biopsy_is_kept_and_specks_are_dropped() -> None:
    rgb = glass(1000, 800)
    biopsy = shape(rgb, "rectangle", (500, 400, 514, 408))  # 0.12 x 0.07 mm
    stain(rgb, biopsy)
    stain(rgb, shape(rgb, "rectangle", (100, 100, 103, 103)))  # 32 µm: below the limit
    mask = look(rgb)
    assert share(mask.tissue, biopsy) == 1
    assert not mask.tissue[90:115, 90:115].any()


def test_area_is_exact() -> None:
    rgb = glass()
    where = shape(rgb, "rectangle", (100, 100, 199, 149))
    stain(rgb, where)
    mask = look(rgb)
    area = tissue_area_mm2(mask, SCALE)
    assert area == pytest.approx(mask.tissue.sum() * UM_PX**2 / 1e6)
    assert area == pytest.approx(5000 * UM_PX**2 / 1e6, rel=0.08)
    assert tissue_area_mm2(mask, NO_SCALE) is None
    assert pen_area_mm2(mask, SCALE) == 0


@pytest.mark.parametrize("scale", [SCALE, NO_SCALE])
@pytest.mark.parametrize("name", INKS)
def test_pen_beside_and_over_tissue(name: str, scale: Scale) -> None:
    rgb = glass()
    where = shape(rgb, "ellipse", (60, 60, 240, 220))
    stain(rgb, where)
    beside = shape(rgb, "line", (300, 30, 360, 270), 12)
    over = shape(rgb, "line", (150, 20, 160, 280), 14)
    ink(rgb, beside, INKS[name])
    ink(rgb, over, INKS[name])
    mask = look(rgb, scale=scale)
    assert share(mask.pen, beside) > 0.95
    assert share(mask.pen, over) > 0.8
    assert not mask.tissue[:, 280:].any()
    assert share(mask.tissue, over) < 0.1
    far = where & ~shape(rgb, "line", (150, 0, 160, 299), 44)
    assert share(mask.tissue, far) > 0.97
    assert share(mask.pen, far) < 0.01
    area = pen_area_mm2(mask, SCALE)
    assert area is not None
    assert area > 0.1


def test_glass_edges_dust_and_bubbles_are_no_tissue() -> None:
    rgb = glass(800, 600)
    rgb[:, 30:33] = (120, 122, 121)  # coverslip
    rgb[500:508, :] = (90, 92, 91)
    stain(rgb, shape(rgb, "line", (0, 60, 799, 90), 3), nuclei=False)  # a line with a fringe
    stain(rgb, shape(rgb, "rectangle", (700, 0, 702, 599)), (190, 150, 180), nuclei=False)
    bubble = shape(rgb, "ellipse", (300, 200, 420, 320))
    rgb[bubble & ~shape(rgb, "ellipse", (306, 206, 414, 314))] = (150, 150, 149)
    for x in range(100, 700, 60):
        rgb[400:404, x : x + 4] = (25, 25, 25)
    mask = look(rgb)
    assert not mask.tissue.any()
    assert not mask.pen.any()


def test_core_biopsy_is_no_line() -> None:
    rgb = glass(1200, 400)
    core = shape(rgb, "line", (100, 100, 1000, 160), 40)  # 7 mm long, 0.3 mm wide
    stain(rgb, core)
    assert share(look(rgb).tissue, core) > 0.95


@pytest.mark.parametrize("filler", [0, 255])
def test_unscanned_area_is_left_out(filler: int) -> None:
    rgb = glass()
    where = shape(rgb, "ellipse", (100, 80, 300, 200))
    stain(rgb, where)
    valid = np.ones(rgb.shape[:2], dtype=bool)
    valid[:, 200:] = False
    rgb[~valid] = filler
    mask = look(rgb, valid)
    assert not mask.tissue[~valid].any()
    assert not mask.pen.any()
    assert share(mask.tissue, where & valid) > 0.95


def test_black_filler_that_counts_as_scanned_is_no_pen() -> None:
    rgb = glass()
    rgb[:100] = 0
    mask = look(rgb)
    assert not mask.pen.any()
    assert not mask.tissue.any()


@pytest.mark.parametrize(
    "colour", [WHITE, GREY, YELLOWISH, (255, 255, 255), (0, 0, 0), (128, 128, 128), PINK, PURPLE]
)
def test_blank_slide_is_empty(colour: tuple[int, int, int]) -> None:
    for rgb in (glass(colour=colour), np.full((300, 400, 3), colour, dtype=np.uint8)):
        assert not look(rgb).tissue.any()
        assert not look(rgb, scale=NO_SCALE).tissue.any()


def test_nothing_scanned_at_all() -> None:
    rgb = np.zeros((50, 60, 3), dtype=np.uint8)
    mask = look(rgb, np.zeros((50, 60), dtype=bool))
    assert mask.tissue.shape == (50, 60)
    assert not mask.tissue.any()


@pytest.mark.parametrize("base", [PINK, PALE, (150, 120, 190)])
def test_field_without_background_is_all_tissue(base: tuple[int, int, int]) -> None:
    rgb = glass(224, 224)
    stain(rgb, np.ones((224, 224), dtype=bool), base)
    assert look(rgb, scale=NO_SCALE).tissue.mean() > 0.97


def test_small_holes_are_filled_and_large_ones_stay() -> None:
    rgb = glass(600, 400)
    where = shape(rgb, "rectangle", (50, 50, 550, 350))
    small = shape(rgb, "rectangle", (100, 100, 108, 108))  # 72 µm
    large = shape(rgb, "rectangle", (300, 100, 380, 180))  # 0.65 mm
    stain(rgb, where & ~small & ~large)
    mask = look(rgb)
    assert share(mask.tissue, small) == 1
    assert share(mask.tissue, large) < 0.1


def test_inks_are_told_from_stains() -> None:
    white = np.array([245, 245, 245], dtype=np.float32)
    stains = np.array([PINK, PURPLE, (230, 50, 100), (60, 30, 90), (150, 110, 80)], dtype=np.uint8)
    assert not pen.looks_like_ink(optical_density(stains, white)).any()
    inks = np.array(list(INKS.values()), dtype=np.uint8)
    assert pen.looks_like_ink(optical_density(inks, white)).all()


def test_density_of_the_background_is_zero() -> None:
    assert (optical_density(np.full((2, 2, 3), 245, np.uint8), density.WHITE) == 0).all()


# Real slides -------------------------------------------------------------------------------------


def real_overview(name: str, longest: int) -> tuple[Overview, Scale]:
    path = SLIDES / name
    if not path.exists():
        pytest.skip(f"the shared slide {name} is missing")
    openslide = pytest.importorskip("openslide")
    with openslide.OpenSlide(path) as slide:
        small = np.asarray(slide.get_thumbnail((longest, longest)).convert("RGB"))
        mpp = float(slide.properties["openslide.mpp-x"])
        overview = Overview(
            small, np.ones(small.shape[:2], bool), slide.dimensions[0] / small.shape[1]
        )
    return overview, Scale(mpp, MppSource.FILE)


def thumbnail(name: str) -> RgbArray:
    if not (SLIDES / name).exists():
        pytest.skip(f"the shared slide {name} is missing")
    with Image.open(SLIDES / name) as image:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
    return np.asarray(white.convert("RGB"))


@pytest.mark.parametrize("longest", [512, 1024])
def test_luna_pale_tissue_of_one_percent(longest: int) -> None:
    overview, scale = real_overview("luna-1065626-jp2k.svs", longest)
    mask = find_tissue(overview, scale)
    assert 0.005 < mask.tissue.mean() < 0.011
    assert not mask.pen.any()
    height, width = mask.tissue.shape
    for x, y in ((805, 718), (740, 690), (490, 628), (527, 643), (434, 672), (288, 180)):
        near = mask.tissue[
            (y - 6) * height // 1008 : (y + 6) * height // 1008,
            (x - 6) * width // 1176 : (x + 6) * width // 1176,
        ]
        assert near.mean() > 0.5, f"the fragment near {x}, {y} is missed"
    assert not mask.tissue[:, : width // 6].any()  # only dust there


def test_cmu_outline() -> None:
    overview, scale = real_overview("cmu-1-small-region.svs", 1024)
    mask = find_tissue(overview, scale)
    assert 0.35 < mask.tissue.mean() < 0.43
    assert mask.tissue[700:, 330:480].mean() > 0.98
    assert not mask.tissue[:200, :150].any()
    assert mask.pen.mean() < 0.005


def test_tcga_red_pen() -> None:
    mask = look(thumbnail("tcga-red-pen.png"), scale=NO_SCALE)
    assert 0.22 < mask.pen.mean() < 0.32
    assert mask.pen[150:400, 60:110].mean() > 0.98
    assert not mask.pen[:, 260:].any()
    assert mask.tissue[150:440, 250:].mean() > 0.85
    assert not (mask.tissue & mask.pen).any()


def test_wsi_blue_pen() -> None:
    mask = look(thumbnail("wsi-blue-pen.png"), scale=NO_SCALE)
    assert mask.pen[62:74, 148:].mean() > 0.6
    assert not mask.tissue[:, 150:].any()
    assert not mask.pen[:, :130].any()
    assert mask.tissue[50:80, 70:105].mean() > 0.9


def test_looking_for_tissue_needs_little_memory_for_each_pixel() -> None:
    rgb = glass(512, 512)
    shape(rgb, "ellipse", (100, 100, 400, 400))
    everywhere = np.ones(rgb.shape[:2], np.bool_)
    tracemalloc.start()
    try:
        find_stained(rgb, everywhere, everywhere, density.WHITE, 4.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / everywhere.size < 60, "several threads look at a megapixel each"
