"""Reviews of many cases: the table, agreement by groups, and labels for adapting."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lungscan.errors import NothingToDo
from lungscan.layout import RECORD, REVIEW
from lungscan.report.write import write_case_files, write_run_files
from lungscan.results.review_json import Opinion, Verdict
from lungscan.results.run_json import summarise
from lungscan.review.agreement import agreements, groups_of, wilson
from lungscan.review.gathering import Reviewed, reviews_below
from lungscan.review.labels import labels_below
from lungscan.review.reviews_table import read_reviews, write_reviews
from lungscan.review.storing import save_review
from lungscan.types import CaseResult, NoResult
from tests.models import CARD
from tests.results import CLASS_NAMES, field_result, no_result, slide_result
from tests.reviewing import rectangle, review_of

SQUAMOUS = "squamous_cell_carcinoma"


def field(name: str, sha256: str = "") -> CaseResult:
    result = field_result(name)
    return replace(result, files=(replace(result.files[0], sha256=sha256 or name * 3),))


def filed(out: Path, results: Sequence[CaseResult]) -> Path:
    for result in results:
        write_case_files(
            out / "cases" / result.key, result,
            pdf=False, heatmap=False, geojson=False, tiles_csv=False,
        )  # fmt: skip
    write_run_files(out, results, summarise(results), pdf=False)
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reviewed(result: CaseResult, verdict: Verdict | None, right: str = "") -> Reviewed:
    return Reviewed(".", result, review_of(result, verdict, right))


AGREE, DISAGREE, CANNOT = Verdict.AGREE, Verdict.DISAGREE, Verdict.NOT_ASSESSABLE


# The table --------------------------------------------------------------------------------------


def test_all_reviews_below_a_folder_are_one_table(tmp_path: Path) -> None:
    refused = replace(no_result(NoResult.BLURRED), key="no-0000000a")
    first = filed(tmp_path / "monday", [field("a.png"), field("b.png")])
    second = filed(tmp_path / "more" / "tuesday", [field("=c.png"), refused])
    save_review(first, field("a.png"), review_of(field("a.png"), AGREE, seen=(0, 1)))
    review = review_of(field("=c.png"), DISAGREE, "benign", comment="=1+1\ntwo lines")
    earlier = (Opinion(AGREE, reviewer="Another"),)
    save_review(second, field("=c.png"), replace(review, earlier=earlier))
    save_review(second, refused, review_of(refused, AGREE))
    (tmp_path / "groups.csv").write_text("file,group\na.png,p1\n")
    found = read_reviews(tmp_path)
    write_reviews(tmp_path / "reviews.csv", found)
    table = {row["case"]: row for row in rows(tmp_path / "reviews.csv")}
    assert len(table) == 3
    a, c = table[field("a.png").case_id], table["'" + field("=c.png").case_id]
    assert (a["run"], a["answer"], a["held_right"]) == ("monday", SQUAMOUS, SQUAMOUS)
    assert (a["evidence_seen"], a["confidence"], a["reviewer"]) == (
        "2",
        "0.9500",
        "Dr. Ada Example",
    )
    assert (c["run"], c["verdict"], c["held_right"]) == ("more/tuesday", "disagree", "benign")
    assert (c["file"], c["comment"]) == ("'=c.png", "'=1+1\\ntwo lines")
    assert c["earlier_reviews"] == "1"
    r = table[refused.case_id]
    assert (r["status"], r["answer"], r["reason"], r["held_right"]) == (
        "no_result", "", "too_blurred", "",
    )  # fmt: skip
    (one,) = found.agreements
    assert (one.agree, one.disagree, one.refusals_agree, one.refusals) == (1, 1, 1, 1)
    assert one.grouped == 1


def test_the_second_answer_stands_in_its_row(tmp_path: Path) -> None:
    from lungscan.results.review_json import SecondAnswer

    result = field("a.png")
    filed(tmp_path, [result])
    second = SecondAnswer(
        replace(result.prediction, label="benign", confidence=0.75),
        result.counts,
        None,
        (),
        3,
        0.25,
    )
    review = replace(review_of(result), regions=(rectangle(0, 0, 9, 9),), second=second)
    save_review(tmp_path, result, review)
    write_reviews(tmp_path / "table.csv", read_reviews(tmp_path))
    (row,) = rows(tmp_path / "table.csv")
    assert (row["regions"], row["tiles_left_out"], row["left_out_mm2"]) == ("1", "3", "0.2500")
    assert (row["second_answer"], row["second_confidence"]) == ("benign", "0.7500")


def test_what_cannot_be_used_is_reported_and_costs_nothing_else(tmp_path: Path) -> None:
    results = [field(f"{name}.png") for name in "abcd"]
    filed(tmp_path, results)
    for result in results:
        save_review(tmp_path, result, review_of(result))
    a, b, c, _ = [tmp_path / "cases" / result.key for result in results]
    (a / REVIEW).write_bytes(b"{")
    (b / RECORD).write_bytes((b / RECORD).read_bytes().replace(b"openvino", b"something"))
    other = replace(results[2], settings_hash="other")
    write_case_files(c, other, pdf=False, heatmap=False, geojson=False, tiles_csv=False)
    found = reviews_below(tmp_path)
    assert [case.result.key for case in found.cases] == [results[3].key]
    assert len(found.damaged) == 2
    text = " ".join(found.damaged)
    assert f"cases/{a.name}: This review.json was changed" in text
    assert f"cases/{b.name}: The record was changed" in text
    assert "is of another answer" in found.outdated[0]
    with pytest.raises(NothingToDo, match="no reviewed cases"):
        reviews_below(tmp_path / "cases" / a.name)


# Agreement --------------------------------------------------------------------------------------


def test_agreement_is_of_judged_answers_only_and_of_each_model_by_itself() -> None:
    other = replace(
        field("x.png"), model=replace(field("x.png").model, sha256="f" * 64, name="two")
    )
    cases = [
        *(reviewed(field(f"{n}.png"), AGREE) for n in range(6)),
        *(reviewed(field(f"{n}.png"), DISAGREE, "benign") for n in range(6, 8)),
        reviewed(field("8.png"), CANNOT),
        reviewed(field("9.png"), None),
        reviewed(replace(no_result(NoResult.BLURRED), key="no-0000000a"), DISAGREE, "benign"),
        reviewed(other, AGREE),
    ]
    groups, known = groups_of(cases, None)
    one, two = agreements(cases, groups, known)
    assert (one.model, one.reviewed) == ("lung-histology 1.0.0", 11)
    assert (one.agree, one.disagree, one.not_assessable, one.undecided) == (6, 2, 1, 1)
    assert (one.refusals_agree, one.refusals) == (0, 1)
    assert one.share.value == 0.75
    assert (one.share.low, one.share.high) == pytest.approx((0.4093, 0.9285), abs=1e-4)  # 6 of 8
    assert [(c.name, c.agree, c.judged) for c in one.classes] == [
        ("adenocarcinoma", 0, 0), ("benign", 0, 0), (SQUAMOUS, 6, 8),
    ]  # fmt: skip
    assert (two.model, two.agree, two.share.value) == ("two 1.0.0", 1, 1.0)
    nobody = [reviewed(field("8.png"), CANNOT)]
    assert agreements(nobody, ["1"], [False])[0].share is None


def test_groups_widen_the_interval(tmp_path: Path) -> None:
    verdicts = [AGREE] * 15 + [DISAGREE] * 5
    cases = [reviewed(field(f"{n:02}.png"), verdict) for n, verdict in enumerate(verdicts)]
    table = tmp_path / "groups.csv"
    table.write_text("file,group\n" + "".join(f"ward/{n:02}.png,p{n // 5}\n" for n in range(20)))
    alone, _ = groups_of(cases, None)
    together, known = groups_of(cases, table)  # found by the file's name
    assert len(set(alone)) == 20
    assert len(set(together)) == 4
    assert all(known)
    narrow = agreements(cases, alone, [False] * 20)[0].share
    wide = agreements(cases, together, known)[0].share
    assert (wide.value, wide.groups, narrow.groups) == (0.75, 4, 20)
    assert (narrow.low, narrow.high) == pytest.approx(wilson(0.75, 20))
    # Whole groups agree or not: they are worth little more than one case each.
    assert (wide.low, wide.high) == pytest.approx(wilson(0.75, 3 * 20 / 19), abs=1e-6)


def test_a_table_of_groups_knows_a_case_by_its_other_unicode_form(tmp_path: Path) -> None:
    """Its "é" is two characters after a copy through macOS."""
    table = tmp_path / "groups.csv"
    table.write_text("file,group\n\u00e9.png,p1\nward/\u00e8.png,p1\n", encoding="utf-8")
    cases = [reviewed(field("e\u0301.png"), AGREE), reviewed(field("e\u0300.png"), AGREE)]
    assert groups_of(cases, table) == (["1", "1"], [True, True])


def test_answers_to_the_same_image_are_one_group_and_one_name_on_two_lines_is_none(
    tmp_path: Path,
) -> None:
    cases = [
        reviewed(field("a.png", "same"), AGREE),
        reviewed(replace(field("b.png", "same"), settings_hash="other"), AGREE),
        reviewed(field("c.png"), AGREE),
    ]
    table = tmp_path / "groups.csv"
    table.write_text("file,group\nx/c.png,p1\ny/c.png,p2\n")
    groups, known = groups_of(cases, table)
    assert groups == ["1", "1", "2"]
    assert known == [False] * 3


def test_where_all_agree_the_interval_is_wilson_s_over_the_groups() -> None:
    cases = [reviewed(field(f"{n}.png"), AGREE) for n in range(10)]
    groups = [str(n // 2) for n in range(10)]
    share = agreements(cases, groups, [True] * 10)[0].share
    assert (share.value, share.groups, share.n) == (1.0, 5, 10)
    assert (share.low, share.high) == (pytest.approx(0.5655, abs=1e-4), 1.0)  # 5 of 5
    assert wilson(0.9, 100) == pytest.approx((0.8256, 0.9448), abs=1e-4)  # Newcombe 1998


# Labels for adapting ----------------------------------------------------------------------------

MODEL = replace(CARD, name="theirs", class_names=CLASS_NAMES)


def test_labels_are_what_reviewers_hold_right(tmp_path: Path) -> None:
    names = {"agree": (AGREE, ""), "wrong": (DISAGREE, "benign"), "none": (DISAGREE, ""),
             "cannot": (CANNOT, ""), "other": (DISAGREE, "small_cell")}  # fmt: skip
    results = {name: field(f"{name}.png", name) for name in names}
    filed(tmp_path, list(results.values()))
    for name, (verdict, right) in names.items():
        save_review(tmp_path, results[name], review_of(results[name], verdict, right))
    found = labels_below(tmp_path, MODEL).files
    assert {name: file.label for name, file in found.items()} == {
        "agree": SQUAMOUS, "wrong": "benign", "none": "", "cannot": "", "other": "",
    }  # fmt: skip
    assert "is no class of theirs" in found["other"].why
    assert len(found["wrong"].boxes) == 1


def test_of_a_slide_only_tumour_tiles_speak_for_a_tumour_and_none_that_was_left_out(
    tmp_path: Path,
) -> None:
    slide = replace(slide_result(), key="slide-0000000a")
    filed(tmp_path, [slide])
    part = slide.scores[0]
    half = rectangle(0, 0, 15_000, 30_000)
    save_review(tmp_path, slide, review_of(slide, DISAGREE, SQUAMOUS, half))
    (file,) = labels_below(tmp_path, MODEL).files.values()
    assert file.label == SQUAMOUS
    best = np.nan_to_num(part.probs, nan=-1).argmax(1)
    used = np.array([state.value in ("used", "novel") for state in part.state])
    right = part.boxes[:, 0] + part.boxes[:, 2] / 2 > 15_000
    assert file.boxes.tolist() == part.boxes[used & right & (best != 1)].tolist()
    save_review(tmp_path, slide, review_of(slide, DISAGREE, "benign", half))
    (file,) = labels_below(tmp_path, MODEL).files.values()
    assert file.boxes.tolist() == part.boxes[used & right].tolist()
    everywhere = np.tile(np.array([0.1, 0.8, 0.1], np.float32), (len(part.probs), 1))
    missed = replace(slide, scores=(replace(part, probs=everywhere),))
    missed = replace(missed, prediction=replace(slide.prediction, label="benign"))
    filed(tmp_path / "missed", [missed])
    save_review(tmp_path / "missed", missed, review_of(missed, DISAGREE, SQUAMOUS))
    (file,) = labels_below(tmp_path / "missed", MODEL).files.values()
    assert file.label == ""
    assert "saw tumour nowhere" in file.why


def test_the_latest_review_of_an_image_counts_and_a_contradiction_is_reported(
    tmp_path: Path,
) -> None:
    old, new = field("a.png", "same"), replace(field("a.png", "same"), settings_hash="other")
    for name, result, right, when in (("x", old, "benign", "2026-01-01"),
                                      ("y", new, "adenocarcinoma", "2026-02-01")):  # fmt: skip
        filed(tmp_path / name, [result])
        review = review_of(result, DISAGREE, right)
        review = replace(review, opinion=replace(review.opinion, reviewed_utc=when))
        save_review(tmp_path / name, result, review)
    found = labels_below(tmp_path, MODEL)
    assert found.files["same"].label == "adenocarcinoma"
    assert "an earlier review of this image says benign" in found.problems[0]


def test_squares_of_another_model_are_chosen_by_the_tiles_that_count(tmp_path: Path) -> None:
    from lungscan.adaptation.reviewed import shown_in
    from lungscan.review.labels import ReviewedFile

    tiles = np.array([[0, 0, 100, 100], [100, 0, 100, 100]], np.int32)
    review = ReviewedFile("benign", tiles, np.ones(2, np.float32))
    squares = np.array(
        [[0, 0, 60, 60], [80, 60, 60, 60], [170, 0, 60, 60], [180, 0, 60, 60]], np.int32
    )
    assert shown_in(squares, review).tolist() == [0, 1]
    assert shown_in(squares, None).tolist() == [0, 1, 2, 3]
    many = np.repeat(squares, 200, axis=0)
    assert len(shown_in(many, review)) == 400
