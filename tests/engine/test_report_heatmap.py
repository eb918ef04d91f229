"""The class map: arithmetic of the scale bar, what is drawn where, and its legend."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from lungscan.errors import LungScanError
from lungscan.report.heatmap import (
    has_heatmap,
    legend_of,
    overlay_picture,
    render_heatmap,
)
from lungscan.report.legend import class_letters, class_rgb, scale_bar, used_counts
from lungscan.report.lettering import BOLD, REGULAR, shorten, visible
from lungscan.report.overlay import base_picture, class_map
from lungscan.report.pdf.case import write_case_pdf
from lungscan.types import TileState
from tests.results import (
    HOSTILE_NAMES,
    MODEL,
    failed_result,
    field_result,
    slide_result,
    two_file_result,
)

QUALITY = ("focus", "pen", "blank", "valid")


@pytest.mark.parametrize(
    ("um_per_px", "width", "length", "pixels", "label"),
    [
        (10.0, 1000, 2000, 200.0, "2 mm"),
        (0.5, 400, 50, 100.0, "50 µm"),
        (1.0, 4000, 1000, 1000.0, "1 mm"),  # exactly a quarter
        (8.08, 1000, 2000, 2000 / 8.08, "2 mm"),
        (0.25, 480, 20, 80.0, "20 µm"),
    ],
)
def test_the_scale_bar_is_round_and_as_long_as_it_says(
    um_per_px: float, width: int, length: float, pixels: float, label: str
) -> None:
    bar = scale_bar(um_per_px, width)
    assert (bar.length_um, bar.label) == (length, label)
    assert bar.length_px == pytest.approx(pixels)


@given(st.floats(0.05, 500), st.integers(200, 5000))
def test_the_scale_bar_always_fits(um_per_px: float, width: int) -> None:
    bar = scale_bar(um_per_px, width)
    assert width * 0.09 < bar.length_px <= width * 0.25 * 1.001
    assert bar.length_px * um_per_px == pytest.approx(bar.length_um)


def test_tiles_lie_where_their_boxes_say() -> None:
    result = slide_result()
    scores = result.scores[0]
    mapped = class_map(scores, (1000, 760), 30.0)
    used, failed, probs = map(mapped.at_pixels, (mapped.used, mapped.failed, mapped.probs))
    assert used.shape == probs.shape[:2] == (760, 1000)
    for index, state in enumerate(scores.state):
        x, y, w, h = (int(v) for v in scores.boxes[index])
        inside = (slice(y // 30 + 2, (y + h) // 30 - 2), slice(x // 30 + 2, (x + w) // 30 - 2))
        assert used[inside].all() == (state is TileState.USED)
        assert failed[inside].all() == (state is TileState.FAILED)
        if state is TileState.USED:
            np.testing.assert_allclose(
                probs[inside].mean(axis=(0, 1)), scores.probs[index], rtol=1e-4
            )
    assert not (mapped.used & mapped.excluded).any()


def test_overlapping_tiles_are_averaged() -> None:
    scores = field_result().scores[0]
    twice = replace(
        scores,
        boxes=np.array([[0, 0, 100, 100], [50, 0, 100, 100]], dtype=np.int32),
        probs=np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32),
        state=(TileState.USED, TileState.USED),
    )
    mapped = class_map(twice, (150, 100), 1.0)
    probs = mapped.at_pixels(mapped.probs)
    assert probs[50, 25].tolist() == [1, 0, 0]
    assert probs[50, 75].tolist() == [0.5, 0.5, 0]
    assert probs[50, 125].tolist() == [0, 1, 0]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_cells_hold_what_was_counted_pixel_by_pixel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, (width, height), downsample = 7, (40, 30), 2.5
    corner, size = rng.integers(-9, 100, (n, 2)), rng.integers(1, 60, (n, 2))
    state = tuple(list(TileState)[i] for i in rng.integers(0, len(TileState), n))
    probs = rng.random((n, 3)).astype(np.float32)
    boxes = np.hstack([corner, size]).astype(np.int32)
    scores = replace(field_result().scores[0], boxes=boxes, probs=probs, state=state)
    total, count = np.zeros((height, width, 3)), np.zeros((height, width))
    unused, failed = np.zeros((height, width), bool), np.zeros((height, width), bool)
    for (x, y, w, h), tile_probs, tile_state in zip(boxes.tolist(), probs, state, strict=True):
        x0, y0, x1, y1 = (round(v / downsample) for v in (x, y, x + w, y + h))
        x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
        where = np.s_[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        if tile_state is TileState.USED:
            total[where] += tile_probs
            count[where] += 1
        else:
            (failed if tile_state is TileState.FAILED else unused)[where] = True
    mapped = class_map(scores, (width, height), downsample)
    assert (mapped.at_pixels(mapped.used) == (count > 0)).all()
    assert (mapped.at_pixels(mapped.excluded) == (unused & (count == 0))).all()
    assert (mapped.at_pixels(mapped.failed) == (failed & ~unused & (count == 0))).all()
    mean = total / np.maximum(count, 1)[..., None]
    assert mapped.at_pixels(mapped.probs) == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize(("state", "slope"), [(TileState.BLANK, 1), (TileState.FAILED, 0)])
def test_stripes_slant_over_the_whole_picture(state: TileState, slope: int) -> None:
    result = slide_result()
    scores = result.scores[0]
    boxes = np.array([[0, 0, 30_000, 22_800]], dtype=np.int32)
    quality = replace(scores.quality, **{name: np.ones(1, np.float32) for name in QUALITY})
    one = replace(
        scores, boxes=boxes, probs=scores.probs[:1], novelty=scores.novelty[:1], state=(state,),
        tissue_fraction=np.ones(1, np.float32), quality=quality,
    )  # fmt: skip
    base = base_picture(result.files[0])
    assert base is not None
    after = np.asarray(overlay_picture(replace(result, scores=(one,)))[0])
    lined = (after != np.asarray(base[0])).any(axis=-1)
    assert 0.1 < lined.mean() < 0.6
    period = 9
    assert (lined[:-period] == lined[period:]).mean() > 0.99
    moved = lined[1:, 1:] == lined[:-1, :-1]  # one down, one right: along a falling stripe
    assert (moved.mean() > 0.99) == bool(slope)


def test_glass_stays_as_it_was_and_tissue_takes_the_colour_of_its_class() -> None:
    result = slide_result()
    base = base_picture(result.files[0])
    assert base is not None
    before = np.asarray(base[0], dtype=int)
    picture, um_per_px = overlay_picture(result)
    after = np.asarray(picture, dtype=int)
    assert um_per_px == pytest.approx(0.2525 * 30)
    assert after.shape == before.shape
    assert (after[:100] == before[:100]).all()
    left = (after - before)[300:400, 200:300].mean(axis=(0, 1))
    assert left[0] > 0 > left[2]  # towards orange
    right = (after - before)[300:400, 700:800].mean(axis=(0, 1))
    assert right[2] > right[0]  # towards blue


@pytest.mark.parametrize("result", [slide_result(), field_result()], ids=["slide", "field"])
def test_the_picture_stands_alone_and_is_the_same_each_time(result: object) -> None:
    png = render_heatmap(result)  # type: ignore[arg-type]
    assert png == render_heatmap(result)  # type: ignore[arg-type]
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        assert picture.width >= 640
        assert not picture.info  # no metadata


def test_a_known_scale_draws_a_bar_and_an_unknown_one_does_not() -> None:
    known = slide_result()
    file = known.files[0]
    unknown = replace(
        known,
        files=(replace(file, info=replace(file.info, scale=field_result().files[0].info.scale)),),
    )
    assert render_heatmap(known) != render_heatmap(unknown)
    assert overlay_picture(unknown)[1] is None


def test_the_second_file_has_its_own_map() -> None:
    result = two_file_result()
    assert has_heatmap(result, 0)
    assert has_heatmap(result, 1)
    legends = [[words for _, words in legend_of(result, index)] for index in (0, 1)]
    assert legends[0] == [words for _, words in legend_of(slide_result(), 0)]
    assert legends[0] != legends[1]
    assert render_heatmap(result, 0) != render_heatmap(slide_result(), 0)  # it names its file
    assert not has_heatmap(result, 2)
    assert render_heatmap(result, 0) != render_heatmap(result, 1)


def test_a_case_without_tiles_has_no_map() -> None:
    assert not has_heatmap(failed_result())
    with pytest.raises(LungScanError, match="no tiles"):
        render_heatmap(failed_result())
    result = slide_result()
    blind = replace(result, files=(replace(result.files[0], thumbnail_jpeg=None),))
    assert not has_heatmap(blind)


def test_a_map_of_unused_tiles_only_can_be_drawn() -> None:
    result = slide_result()
    scores = replace(result.scores[0], state=(TileState.BLURRED,) * len(result.scores[0].state))
    assert render_heatmap(replace(result, scores=(scores,)))


def test_used_counts_leave_out_the_others() -> None:
    result = slide_result()
    assert sum(used_counts(result.scores, 3)) == result.counts.used


def test_letters_are_initials_when_these_differ() -> None:
    assert class_letters(MODEL) == ("A", "B", "S")
    alike = replace(MODEL, display_names=("Adeno", "Atypical", "Benign"))
    assert class_letters(alike) == ("A", "B", "C")
    foreign = replace(MODEL, display_names=("", "\u4e2d", "x"))
    assert class_letters(foreign) == ("A", "B", "C")


def test_a_card_without_usable_colours_gets_ours() -> None:
    model = replace(MODEL, colors=("red", "#12", "#0072b2"))
    ours = class_rgb(model)
    assert len(set(ours)) == 3
    assert class_rgb(replace(MODEL, colors=("#000000",) * 3)) == ours
    assert class_rgb(replace(MODEL, colors=())) == ours
    assert class_rgb(MODEL)[0] == (0xD5, 0x5E, 0x00)


# Text that may be shown


def test_the_fonts_travel_with_their_licence() -> None:
    assert (REGULAR.parent / "LICENSE").read_text(encoding="utf-8").startswith("Fonts are (c)")
    assert max(REGULAR.stat().st_size, BOLD.stat().st_size) < 1_000_000


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("S24-01877_A1.svs", "S24-01877_A1.svs"),
        ("Łódź żółć.svs", "Łódź żółć.svs"),
        ("препарат αβγ", "препарат αβγ"),
        ("中文.svs", "\\u4e2d\\u6587.svs"),
        ("a\u202egnp.svs", "a\\u202egnp.svs"),
        ("\u05d7\u05d5.svs", "\\u05d7\\u05d5.svs"),
        ("line\nbreak\ttab\x00", "line\\nbreak\\ttab\\x00"),
        ("two  spaces ", "two \\x20spaces\\x20"),
        ("\U0001f9ec.svs", "\\U0001f9ec.svs"),
        ("bad\udcff", "bad\\udcff"),
        ("", ""),
    ],
)
def test_what_cannot_be_shown_as_itself_is_escaped(name: str, shown: str) -> None:
    assert visible(name) == shown


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_nothing_invisible_is_left(name: str) -> None:
    assert all(char.isprintable() for char in visible(name))


def test_shorten_keeps_both_ends() -> None:
    assert shorten("abcdefghij", 5) == "ab…ij"
    assert shorten("abc", 5) == "abc"


@pytest.mark.parametrize(
    ("best", "state", "expected"),
    [
        (0.9, TileState.USED, []),
        (0.5, TileState.USED, ["Uncertain"]),
        (0.9, TileState.PEN, ["Not used"]),
        (0.9, TileState.FAILED, ["Not readable"]),
    ],
)
def test_map_and_report_explain_the_hatchings_that_occur(
    tmp_path: Path, best: float, state: TileState, expected: list[str]
) -> None:
    result = slide_result()
    scores = result.scores[0]
    probs = np.full_like(scores.probs, (1 - best) / 2)
    probs[:, 0] = best
    states = (state, *[TileState.USED] * (len(scores.state) - 1))
    result = replace(result, scores=(replace(scores, probs=probs, state=states),))
    write_case_pdf(tmp_path / "r.pdf", result)
    page = PdfReader(tmp_path / "r.pdf").pages[0].extract_text()
    on_page = page[page.index("Class map") :].partition("Quality")[0]
    legend = " ".join(words for _, words in legend_of(result, 0))
    for words in ("Uncertain", "Not used", "Not readable"):
        assert (words in on_page) == (words in legend) == (words in expected), words
