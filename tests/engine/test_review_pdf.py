"""The review in the report: what was said, what was left out, and nothing that was not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from pypdf import PdfReader

from lungscan.report.pdf.case import write_case_pdf
from lungscan.report.pdf.case_review import with_regions
from lungscan.results.review_json import Beside, Opinion, SecondAnswer, Verdict
from lungscan.types import CaseResult
from tests.results import slide_result
from tests.reviewing import rectangle, review_of


def pages(path: Path, result: CaseResult, beside: Beside | None) -> list[str]:
    write_case_pdf(path, result, beside)
    return [" ".join(page.extract_text().split()) for page in PdfReader(path).pages]


def test_without_a_review_the_report_is_as_ever(tmp_path: Path) -> None:
    result = slide_result()
    text = pages(tmp_path / "a.pdf", result, None)
    write_case_pdf(tmp_path / "b.pdf", result, Beside())
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert "Agree Disagree Not assessable" in text[-1]
    assert "Reviewed." not in text[0]


def test_a_review_fills_its_section_and_shows_on_the_first_page(tmp_path: Path) -> None:
    result = slide_result()
    comment = "Keratin <b>pearls</b> & bridges.\nSecond line."
    review = review_of(
        result, Verdict.DISAGREE, "squamous_cell_carcinoma", comment=comment, seen=(0, 1, 4)
    )
    earlier = Opinion(Verdict.AGREE, "", "at first sight", "Dr. B", "2026-03-01T08:00:00+00:00")
    text = pages(tmp_path / "a.pdf", result, Beside(replace(review, earlier=(earlier,))))
    sentence = "Disagrees; holds Squamous cell carcinoma right"
    assert f"Reviewed. {sentence} (Dr. Ada Example, 2026-03-04 10:15 UTC)" in text[0]
    assert f"Reviewer says {sentence}" in text[-1]
    assert "Evidence looked at 3 of 9 tiles" in text[-1]
    assert "Keratin <b>pearls</b> & bridges. Second line." in text[-1]
    assert "Agrees (Dr. B, 2026-03-01 08:00 UTC): at first sight" in text[-1]
    assert "Signature" in text[-1]
    assert "Agree Disagree Not assessable" not in " ".join(text)
    none = review_of(result, Verdict.DISAGREE)
    assert (
        "names none of these classes as right" in pages(tmp_path / "b.pdf", result, Beside(none))[0]
    )


def test_a_long_comment_takes_as_many_pages_as_it_needs(tmp_path: Path) -> None:
    result = slide_result()
    comment = "\n".join(f"Line {number} of many words on this slide." for number in range(300))
    text = " ".join(pages(tmp_path / "a.pdf", result, Beside(review_of(result, comment=comment))))
    assert all(f"Line {number} of many" in text for number in range(300))


def test_a_review_with_regions_leaves_the_provenance_whole(tmp_path: Path) -> None:
    result = slide_result()
    assert result.prediction is not None
    second = SecondAnswer(result.prediction, result.counts, 15.1, (), 41, 5.3)
    review = review_of(result, comment="Words.\n" * 12)
    review = replace(review, regions=(rectangle(0, 0, 9e3, 9e3),), second=second)
    (page,) = [
        page for page in pages(tmp_path / "a.pdf", result, Beside(review)) if "Provenance" in page
    ]
    assert "Aggregation rule" in page
    assert "Settings hash" in page


def test_two_answers_stand_side_by_side(tmp_path: Path) -> None:
    result = slide_result()
    benign = replace(
        result.prediction, label="benign", confidence=0.81, area_mm2=(0.01, 15.0, 0.02)
    )
    counts = replace(result.counts, total=300, used=290)
    second = SecondAnswer(benign, counts, 15.1, (), 41, 5.3)
    review = replace(review_of(result), regions=(rectangle(0, 0, 9e3, 9e3),), second=second)
    text = pages(tmp_path / "a.pdf", result, Beside(review))
    left = "1 region, 41 tiles, 5.30 mm² of tissue"
    assert f"left out ({left}): Benign lung tissue" in text[0]
    assert f"Left out by the reviewer: {left}" in text[-1]
    assert "First answer Without the regions" in text[-1]
    assert "Answer Adenocarcinoma Benign lung tissue" in text[-1]
    assert "Probability 0.93 0.81" in text[-1]
    assert f"Tiles used {result.counts.used} of {result.counts.total} 290 of 300" in text[-1]
    assert "Tissue 20.40 mm² 15.10 mm²" in text[-1]


def test_regions_are_reported_even_where_the_answer_could_not_be_formed_again(
    tmp_path: Path,
) -> None:
    review = replace(review_of(slide_result()), regions=(rectangle(0, 0, 9e3, 9e3),))
    text = pages(tmp_path / "a.pdf", slide_result(), Beside(review))
    assert "Left out by the reviewer, as drawn below. The model was not at hand" in text[-1]


def test_before_a_verdict_only_the_counter_is_reported(tmp_path: Path) -> None:
    result = slide_result()
    text = pages(tmp_path / "a.pdf", result, Beside(review_of(result, None, seen=(2,))))
    assert "Evidence looked at: 1 of 9 tiles" in text[-1]
    assert "Agree Disagree Not assessable" in text[-1]
    assert "Reviewed." not in text[0]


def test_a_review_that_cannot_be_used_is_reported(tmp_path: Path) -> None:
    text = pages(tmp_path / "a.pdf", slide_result(), Beside(problem="It was changed."))
    assert "Not shown. It was changed." in text[-1]


def test_the_picture_is_dimmed_where_tiles_were_left_out() -> None:
    picture = Image.new("RGB", (100, 80), (200, 60, 160))
    review = replace(
        review_of(slide_result()),
        regions=(rectangle(100, 100, 500, 500), rectangle(0, 0, 1000, 800, 1)),
    )
    shown = np.asarray(with_regions(picture, 10.0, review, 0))
    assert tuple(shown[70, 90]) == (200, 60, 160)
    assert tuple(shown[30, 30]) != (200, 60, 160)
    assert shown[10, 10:50].max() == 20  # the border, dark
