"""Explanations as people see them: cells, colours with numbers, words."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

from lungscan.report.explained import (
    FALLS,
    RISES,
    caption,
    cells_picture,
    color_limit,
    render_explanation,
    scale_picture,
    sentences,
    signed,
    tile_picture,
    title,
)
from lungscan.report.pdf.case import write_case_pdf
from lungscan.report.write import rebuild, write_case_files, write_run_files
from lungscan.results.run_json import summarise
from lungscan.types import CaseResult, Explanation, SeriesInfo
from tests.results import MODEL, drawn_tile, field_result, slide_result

NOTHING = {"pdf": False, "heatmap": False, "geojson": False, "tiles_csv": False}


def made(cells: np.ndarray, **changes: object) -> Explanation:
    part = Explanation(
        "occlusion", 0, (10, 20, 900, 900), 0, 0.934, cells.astype(np.float32), 2.6, None, 0.71,
        drawn_tile(1),
    )  # fmt: skip
    return replace(part, **changes)  # type: ignore[arg-type]


def cells(*values: tuple[int, int, float]) -> np.ndarray:
    empty = np.zeros((6, 6))
    for row, column, value in values:
        empty[row, column] = value
    return empty


def with_explained(*parts: Explanation) -> CaseResult:
    return replace(slide_result(), explained=parts)


@pytest.mark.parametrize(
    ("most", "limit"),
    [(0.0, 0.1), (0.04, 0.1), (0.1, 0.1), (0.83, 1.0), (1.3, 1.5), (2.01, 3.0), (7.0, 8.0)],
)  # fmt: skip
def test_a_scale_ends_at_a_number_easily_read(most: float, limit: float) -> None:
    assert color_limit([made(cells((1, 2, most)))]) == pytest.approx(limit)
    assert color_limit([made(cells((1, 2, -most)))]) == pytest.approx(limit)


def test_several_tiles_share_a_scale() -> None:
    assert color_limit([made(cells((0, 0, 0.2))), made(cells((5, 5, -2.4)))]) == 3.0


def test_cells_are_drawn_as_cells_at_their_place() -> None:
    part = made(cells((1, 2, 1.0), (4, 0, -1.0)))
    drawn = np.asarray(cells_picture(part, 1.0, 300), float)
    grey = np.asarray(tile_picture(part, 300).convert("L"), float)

    def middle(row: int, column: int) -> np.ndarray:
        return drawn[50 * row + 5 : 50 * row + 15, 50 * column + 5 : 50 * column + 45]

    for (row, column), color in {(1, 2): FALLS, (4, 0): RISES}.items():
        base = grey[50 * row + 5 : 50 * row + 15, 50 * column + 5 : 50 * column + 45, None]
        expected = base + (np.array(color) - base) * 0.8
        assert np.abs(middle(row, column) - expected).max() <= 1
    untouched = middle(2, 2)
    assert (untouched.max(2) == untouched.min(2)).all()  # grey


def test_the_scale_has_its_numbers_and_both_colours() -> None:
    drawn = np.asarray(scale_picture(2.0, 400))
    assert drawn[5, 21, 2] > drawn[5, 21, 1] + 30  # violet at the left
    assert drawn[5, -23, 0] > drawn[5, -23, 2] + 60  # orange at the right
    assert drawn[20:].min() < 60  # numbers below
    assert [signed(v) for v in (-2.0, -0.75, 0.0, 1.5)] == ["−2", "−0.75", "0", "+1.5"]


def test_words_claim_no_more_than_was_measured() -> None:
    result = with_explained(made(cells((1, 2, 0.8))))
    words = " ".join((title(result.explained or ()), *sentences(result)))
    assert "What changes the answer most when blurred" in words
    assert "not whether the answer is right" in words
    for claim in ("sees", "looks at", "because", "attention"):
        assert claim not in words
    first, second = caption(made(cells()), MODEL, several=True)
    assert first == "Adenocarcinoma 0.93; at the least 0.71 with one cell blurred"
    assert second == "file 1, x 10, y 20, 900 × 900 px"


def test_a_slice_has_its_number_in_the_place_of_pixels() -> None:
    series = SeriesInfo(4, 2, 512, (0.0, 1.0, 2.0, 3.0), 1.0, (-500, 1500))
    info = replace(field_result().files[0].info, series=series)
    part = replace(made(cells()), box=(512, 512, 512, 512))
    assert caption(part, MODEL, several=False, info=info)[1] == "slice 4 of 4, 3.0 mm"


def test_a_class_map_tells_its_constant() -> None:
    part = made(cells((0, 0, 1.5)), method="cam", score=1.9, rest=0.4, lowest=None)
    result = with_explained(part)
    words = " ".join(sentences(result))
    assert "a constant of +0.4 add up to +1.9" in words
    assert "blurred" not in words + title(result.explained or ())
    assert "least" not in caption(part, MODEL, several=False)[0]


def test_the_picture_stands_alone_and_is_the_same_each_time() -> None:
    result = with_explained(made(cells((1, 2, 0.8))), made(cells((3, 3, -0.4))))
    data = render_explanation(result)
    assert data == render_explanation(result)
    with Image.open(io.BytesIO(data)) as opened:
        assert not opened.info
        assert opened.height > 2 * 320


def test_the_report_has_a_section_only_where_it_was_asked_for(tmp_path: Path) -> None:
    write_case_pdf(tmp_path / "a.pdf", with_explained(made(cells((1, 2, 0.8)))))
    text = "".join(page.extract_text() for page in PdfReader(tmp_path / "a.pdf").pages)
    assert "What changes the answer most when blurred" in text
    assert "at the least 0.71 with one cell blurred" in text.replace("\n", " ")
    write_case_pdf(tmp_path / "b.pdf", slide_result())
    write_case_pdf(tmp_path / "c.pdf", replace(slide_result(), explained=None))
    plain = "".join(page.extract_text() for page in PdfReader(tmp_path / "b.pdf").pages)
    assert "when blurred" not in plain
    assert (tmp_path / "b.pdf").read_bytes() == (tmp_path / "c.pdf").read_bytes()


def test_a_field_among_thousands_gets_its_picture_and_keeps_it(tmp_path: Path) -> None:
    results = [
        replace(field_result(f"{n}.png"), explained=(made(cells((1, 2, 0.8))),)) for n in range(14)
    ]
    for result in results:
        write_case_files(tmp_path / "cases" / result.key, result, **NOTHING)
    write_run_files(tmp_path, iter(results), summarise(results), pdf=False)
    pictures = sorted(tmp_path.rglob("explanation.png"))
    assert len(pictures) == 14
    before = pictures[0].read_bytes()
    pictures[0].unlink()
    rebuild(tmp_path)
    assert pictures[0].read_bytes() == before
    assert not list(tmp_path.rglob("tiles.csv"))  # a large run still gets no more than it should
