"""Tissue is found alike however much glass lies around it, and whatever the glass's tint.

The truth is what was drawn (``tests.glass``). Real tissue comes from the shared fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lungscan.modalities.histology import survey
from lungscan.opening.plan import tissue_of
from lungscan.reading.field import FieldSource
from lungscan.reading.slides.slide import SlideSource
from lungscan.tiles.grid import pen_area_mm2, plan_grid, tissue_area_mm2
from lungscan.tiles.mask import TissueMask
from lungscan.types import (
    FloatArray,
    InputFile,
    MaskArray,
    MppSource,
    Overview,
    RgbArray,
    Scale,
    SourceInfo,
)
from tests.drawing import GLASS
from tests.engine.scanning import options, results, run
from tests.glass import MPP, core, stained, through, write_on_glass
from tests.models import SHIPPED

LUNG = Path(__file__).parents[2].parent / "shared" / "data" / "lc25000-lung"
SIDE, COARSE = 1728, 1.0  # of the pictures drawn in one piece: 3 mm² at so many µm/px


def truth_mm2(where: MaskArray, mpp: float = MPP) -> float:
    return float(where.sum()) * mpp**2 / 1e6


def surveyed(source: FieldSource | SlideSource) -> TissueMask:
    return tissue_of(source, source.overview())


def on_slide(path: Path, *, native: bool = True) -> tuple[float, int, TissueMask]:
    """Area in mm², number of tiles and mask of a slide."""
    source = SlideSource(InputFile(path, path.name, "slide"), None, native=native)
    try:
        mask = surveyed(source)
        info = source.info
    finally:
        source.close()
    grid = plan_grid(mask, info.width, info.height, info.scale, 224, 0.5)
    area = tissue_area_mm2(mask, info.scale)
    assert area is not None
    return area, len(grid.boxes), mask


def in_picture(rgb: RgbArray, mpp: float = COARSE) -> tuple[float, float, TissueMask]:
    """Areas of tissue and pen in mm², and the mask, of a picture as a field with a scale."""
    scale = Scale(mpp, MppSource.USER)
    info = SourceInfo(rgb.shape[1], rgb.shape[0], scale, "image", None)
    mask = surveyed(FieldSource(Image.fromarray(rgb), info))
    area, pen = tissue_area_mm2(mask, scale), pen_area_mm2(mask, scale)
    assert area is not None
    assert pen is not None
    return area, pen, mask


def real_tissue(label: str, count: int = 4) -> RgbArray:
    """A square of shared fields of one class."""
    if not LUNG.exists():
        pytest.skip("the shared lung fields are missing")
    paths = sorted((LUNG / label).iterdir())[:: 80 // count]
    fields = [np.asarray(Image.open(path).convert("RGB")) for path in paths[: count**2]]
    rows = [np.concatenate(fields[at : at + count], 1) for at in range(0, count**2, count)]
    return np.concatenate(rows)


def at_coarse(rgb: RgbArray) -> RgbArray:
    return np.asarray(Image.fromarray(rgb).reduce(round(COARSE / MPP)))


# Empty glass decides nothing -------------------------------------------------------------------


@pytest.mark.parametrize(("width_um", "angle"), [(60, 0), (60, 23), (100, 90), (200, 45)])
def test_a_core_measures_the_same_on_any_glass(
    tmp_path: Path, width_um: float, angle: float
) -> None:
    where = core(1000, width_um, angle)
    piece, truth = stained(where), truth_mm2(where)
    found = {}
    for side, at in ((6_000, (1600, 1600)), (24_000, (20_480, 1600)), (100_000, (64_000, 48_000))):
        path = write_on_glass(tmp_path / f"{side}.svs", piece, side, at)
        found[side], tiles, _ = on_slide(path)
        assert found[side] == pytest.approx(truth, rel=0.1)
        assert tiles > 0
    assert list(found.values()) == pytest.approx([found[6_000]] * 3, rel=0.02)


@pytest.mark.parametrize(
    ("mpp", "downsamples"),
    [(0.25, (4, 16)), (0.25, (64,)), (0.5, ()), (0.5, (16,)), (1.0, (2, 4, 8, 16))],
)
def test_a_core_measures_the_same_at_any_scale_and_pyramid(
    tmp_path: Path, mpp: float, downsamples: Sequence[int]
) -> None:
    where = core(600, 90, 35, mpp)
    path = tmp_path / "core.svs"
    side = 8_192 if downsamples else 4_096
    write_on_glass(path, stained(where), side, (1024, 512), mpp=mpp, downsamples=downsamples)
    assert on_slide(path)[0] == pytest.approx(truth_mm2(where, mpp), rel=0.1)


def test_openslide_sees_the_same_core(tmp_path: Path) -> None:
    where = core(800, 80, 10)
    path = write_on_glass(tmp_path / "core.svs", stained(where), 24_000, (16_000, 9600))
    area, tiles, mask = on_slide(path)
    other, as_many, same = on_slide(path, native=False)
    assert other == pytest.approx(area, rel=0.02)
    assert abs(as_many - tiles) <= 1
    assert mask.runs.shape == same.runs.shape


def test_fragments_and_scattered_cells_keep_their_area(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    canvas = Image.new("1", (4096, 4096))
    pen = ImageDraw.Draw(canvas)
    for x, y in rng.integers(200, 3800, (24, 2)):  # of 80 to 200 µm
        rx, ry = rng.integers(80, 200, 2)
        pen.ellipse((x - rx, y - ry, x + rx, y + ry), fill=1)
    where = np.asarray(canvas)
    piece, areas = stained(where), []
    for side, at in ((8_192, (2048, 2048)), (98_304, (40_960, 71_680))):
        areas.append(on_slide(write_on_glass(tmp_path / f"{side}.svs", piece, side, at))[0])
    assert areas == pytest.approx([truth_mm2(where)] * 2, rel=0.1)
    assert areas[0] == pytest.approx(areas[1], rel=0.02)


def test_glass_takes_neither_work_nor_memory(tmp_path: Path) -> None:
    where = core(800, 100)
    path = write_on_glass(tmp_path / "core.svs", stained(where), 100_000, (16_000, 64_000))
    source = SlideSource(InputFile(path, path.name, "slide"), None)
    looked, view = [], source.view
    source.view = lambda frame, downsample: looked.append(frame) or view(frame, downsample)  # type: ignore[func-returns-value,method-assign]
    try:
        mask = surveyed(source)
    finally:
        source.close()
    assert 1 <= len(looked) <= 4  # of 196
    assert len(mask.runs.row) < 200
    assert mask.runs.shape == (12_500, 12_500)


@pytest.mark.parametrize("label", ["lung_n", "lung_scc"])
def test_a_core_gets_the_same_verdict_on_any_glass(tmp_path: Path, label: str) -> None:
    piece = stained(core(2000, 200), tissue=real_tissue(label))
    for side, at in ((6_000, (896, 896)), (100_000, (64_064, 48_160))):  # whole tiles apart
        write_on_glass(tmp_path / f"core-{side}.svs", piece, side, at)
    found = results(run(options(SHIPPED, tmp_path / "out", tmp_path)))
    small, large = (found[f"core-{side}"] for side in (6_000, 100_000))
    assert small.status == large.status
    assert small.prediction is not None
    assert large.prediction is not None
    assert small.prediction.label == large.prediction.label
    assert small.prediction.reason == large.prediction.reason
    assert large.tissue_mm2 == pytest.approx(small.tissue_mm2, rel=0.02)
    assert abs(small.counts.total - large.counts.total) <= 2


# Smooth is glass, whatever its tint ------------------------------------------------------------


def pieces_of_tissue() -> MaskArray:
    canvas = Image.new("1", (SIDE, SIDE))
    pen = ImageDraw.Draw(canvas)
    pen.ellipse((650, 350, 1100, 750), fill=1)
    pen.line((350, 1450, 1350, 1200), fill=1, width=100)
    return np.asarray(canvas)


def flat(*colour: float) -> FloatArray:
    return np.array(colour, np.float32)[None, None]


def across() -> FloatArray:
    return np.linspace(0, 1, SIDE, dtype=np.float32)[None, :, None]


def shading(period: int) -> FloatArray:
    """The light of a camera that falls off to the corners of each picture stitched."""
    off = ((np.arange(SIDE) % period) / period - 0.5).astype(np.float32) ** 2
    loss = off[:, None, None] + off[None, :, None]
    return flat(*GLASS) * (1 - flat(0.2, 0.3, 0.22) * loss)


LIGHTS: dict[str, Callable[[], FloatArray]] = {
    "white": lambda: flat(*GLASS),
    "pink": lambda: flat(240, 200, 220),
    "strong pink": lambda: flat(235, 160, 200),
    "dark pink": lambda: flat(170, 120, 150),
    "lilac": lambda: flat(215, 200, 235),
    "yellow": lambda: flat(248, 236, 190),
    "green": lambda: flat(205, 235, 210),
    "blue": lambda: flat(200, 215, 245),
    "dark grey": lambda: flat(120, 120, 122),
    "two tints": lambda: np.where(across() < 0.5, flat(*GLASS), flat(240, 205, 225)),
    "two strong tints": lambda: np.where(across() < 0.6, flat(200, 225, 205), flat(235, 170, 205)),
    "strips": lambda: np.where(across() * 6 % 2 < 1, flat(243, 232, 240), flat(235, 215, 228)),
    "gradient": lambda: flat(245, 240, 243) * (1 - across() * flat(0.05, 0.3, 0.15)),
    "stitched": lambda: shading(256),
    "stitched wide": lambda: shading(512),
}


@pytest.mark.parametrize("name", LIGHTS)
def test_tinted_glass_is_glass(name: str) -> None:
    where = pieces_of_tissue()
    area, pen, mask = in_picture(through(stained(where), LIGHTS[name]()))
    assert area == pytest.approx(truth_mm2(where, COARSE), rel=0.1)
    assert pen == 0
    inside = np.asarray(Image.fromarray(where).resize(mask.tissue.shape[::-1]))
    # Where light changes strongly within a piece, nobody knows where, and its palest parts go.
    assert mask.tissue[inside].mean() > (0.85 if name == "two strong tints" else 0.95)


@pytest.mark.parametrize("paper", [243, 255])
@pytest.mark.parametrize("tint", [(228, 214, 236), (240, 200, 220), (205, 215, 240)])
def test_a_seam_between_two_tints_is_glass(tint: tuple[int, int, int], paper: int) -> None:
    where = np.zeros((600, 800), np.bool_)
    where[220:330, 300:420] = True
    for offset in range(0, 8, 2):  # against the cells in which the colour of glass is known
        light = np.full((600, 800, 3), paper, np.float32)
        light[120 + offset : 520 + offset, 200 + offset : 650 + offset] = tint
        area, _, _ = in_picture(through(stained(where), light), 4.0)
        assert area == pytest.approx(truth_mm2(where, 4.0), rel=0.1)


@pytest.mark.parametrize("noise", [0, 3, 6])
def test_noise_of_the_camera_is_no_texture(noise: float) -> None:
    where = pieces_of_tissue()
    area, _, _ = in_picture(through(stained(where), flat(240, 200, 220), noise))
    assert area == pytest.approx(truth_mm2(where, COARSE), rel=0.1)


@pytest.mark.parametrize("colour", [(255, 255, 255), (128, 128, 128), (0, 0, 0), (14, 8, 18)])
def test_filler_around_tinted_glass_is_no_tissue(colour: tuple[int, int, int]) -> None:
    where = pieces_of_tissue()
    rgb = through(stained(where), flat(240, 205, 225))
    filler = np.ones(where.shape, np.bool_)
    filler[150:-150, 200:-200] = False
    rgb[filler] = colour
    area, _, mask = in_picture(rgb)
    assert area == pytest.approx(truth_mm2(where & ~filler, COARSE), rel=0.1)
    assert not mask.tissue[:30].any()


@pytest.mark.parametrize("label", ["lung_aca", "lung_scc"])
def test_real_tissue_on_two_tints_keeps_its_area(label: str) -> None:
    where = pieces_of_tissue()
    rgb = stained(where, tissue=at_coarse(real_tissue(label)))
    area, _, _ = in_picture(through(rgb, LIGHTS["two tints"]()))
    assert area == pytest.approx(truth_mm2(where, COARSE), rel=0.1)


# What must not be lost -------------------------------------------------------------------------


def test_smooth_fluid_in_tissue_is_tissue() -> None:
    where = pieces_of_tissue()
    rgb = stained(where).copy()
    canvas = Image.new("1", (SIDE, SIDE))
    pen = ImageDraw.Draw(canvas)
    for x in (760, 900, 1040):  # alveoli of 110 µm full of fluid
        pen.ellipse((x - 55, 495, x + 55, 605), fill=1)
    fluid = np.asarray(canvas) & where
    rgb[fluid] = (238, 214, 226)
    area, _, mask = in_picture(through(rgb, flat(*GLASS)))
    assert area == pytest.approx(truth_mm2(where, COARSE), rel=0.1)
    inside = np.asarray(Image.fromarray(fluid).resize(mask.tissue.shape[::-1]))
    assert mask.tissue[inside].mean() > 0.9


@pytest.mark.parametrize("share", [0.35, 0.6, 1.0])
def test_pale_tissue_is_tissue(share: float) -> None:
    where = pieces_of_tissue()
    rgb = stained(where).astype(np.float32)
    pale = np.float32(GLASS) + (rgb - np.float32(GLASS)) * share
    area, _, _ = in_picture(through(pale.astype(np.uint8), flat(*GLASS)))
    assert area == pytest.approx(truth_mm2(where, COARSE), rel=0.1)


@pytest.mark.parametrize("label", ["lung_aca", "lung_n", "lung_scc"])
def test_fields_full_of_tissue_stay_full(label: str) -> None:
    area, pen, _ = in_picture(real_tissue(label, 8), MPP)
    assert area > 0.93 * (8 * 224 * MPP) ** 2 / 1e6
    assert pen == 0


def test_pictures_of_mere_tint_are_empty() -> None:
    for light in (flat(240, 200, 220), LIGHTS["gradient"](), LIGHTS["stitched"]()):
        bare = np.full((SIDE, SIDE, 3), GLASS, np.uint8)
        assert in_picture(through(bare, light))[0] == 0


# Windows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [128, 200, 5000])
def test_windows_leave_no_seam(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    where = pieces_of_tissue()
    rgb = through(stained(where), flat(*GLASS))
    area, _, mask = in_picture(rgb)
    monkeypatch.setattr(survey, "WINDOW_PX", window)
    again, _, same = in_picture(rgb)
    assert again == pytest.approx(area, rel=0.01)
    assert (same.tissue != mask.tissue).mean() < 0.001


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "WINDOW_PX", 200)
    scale = Scale(COARSE, MppSource.USER)
    rgb = through(stained(pieces_of_tissue()), flat(*GLASS))
    source = FieldSource(Image.fromarray(rgb), SourceInfo(SIDE, SIDE, scale, "image", None))
    alone, together = (tissue_of(source, source.overview(), threads) for threads in (1, 3))
    assert alone.area > 0
    assert (alone.tissue == together.tissue).all()


def test_what_is_damaged_at_the_finer_scale_is_seen_as_the_overview_shows_it() -> None:
    where = pieces_of_tissue()
    scale = Scale(COARSE, MppSource.USER)
    source = FieldSource(
        Image.fromarray(stained(where)), SourceInfo(SIDE, SIDE, scale, "image", None)
    )

    def damaged(frame: tuple[int, int, int, int], downsample: float) -> Overview:
        whole = source.view(frame, downsample)
        return Overview(whole.rgb * 0, np.zeros_like(whole.valid), downsample, 1.0)

    mask = survey.survey(source.overview(), source.info, damaged, 4.0)
    assert tissue_area_mm2(mask, scale) == pytest.approx(truth_mm2(where, COARSE), rel=0.1)
