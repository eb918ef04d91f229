"""A person's review: tiles left out, the answer again, and what is kept beside the record."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from lungscan.errors import ModelError, UsageProblem
from lungscan.layout import LIST, REVIEW
from lungscan.model.card import ModelCard
from lungscan.model.checked import read_card
from lungscan.report.write import rebuild
from lungscan.results.case_json import DamagedRecord, from_json
from lungscan.results.lock import output_lock
from lungscan.results.review_json import (
    Region,
    Verdict,
    answer_digest,
    read_review,
    review_beside,
    review_from_json,
    review_to_json,
)
from lungscan.review.again import answer_again, card_of
from lungscan.review.regions import covered, left_out
from lungscan.review.storing import save_review
from lungscan.types import CaseResult, CaseStatus, NoResult, TileState
from lungscan.verification.verify import State, verify
from tests.engine.scanning import make_field, make_slide, options, run
from tests.models import FakeRuntime, tiny_model
from tests.reviewing import rectangle, review_of
from tests.schemas import check_file


@dataclass(frozen=True)
class Place:
    """A finished run, and its model."""

    root: Path

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def card(self) -> ModelCard:
        return read_card(self.root / "model")

    def folder(self, stem: str) -> Path:
        (found,) = (self.out / "cases").glob(f"{stem}-*")
        return found

    def result(self, stem: str) -> CaseResult:
        return from_json((self.folder(stem) / "case.json").read_bytes())

    def amiss(self) -> dict[str, State]:
        checks = verify(self.out, (), str(self.root / "model"))
        quiet = (State.SAME, State.NOT_CHECKED)
        return {check.path: check.state for check in checks if check.state not in quiet}

    def again(self) -> None:
        """The same command once more, from the start."""
        run(self.options(fresh=True))

    def options(self, **changes: object):  # type: ignore[no-untyped-def]
        return options(
            self.root / "model", self.out, self.root / "in", pdf="auto", heatmap=True, **changes
        )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("review"))
    make_slide(place.root / "in" / "s.svs", 1024, 768)
    make_field(place.root / "in" / "a.png", side=120, seed=1)
    tiny_model(place.root / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lungscan.classification.loading.load_runtime", lambda *_: FakeRuntime())
        run(place.options())
    return place


@pytest.fixture
def place(finished: Place, tmp_path: Path, fake: FakeRuntime) -> Place:
    shutil.copytree(finished.root, tmp_path / "copy")
    return Place(tmp_path / "copy")


# Tiles in regions -------------------------------------------------------------------------------


def grid(columns: int, rows: int, side: int = 100) -> np.ndarray:
    boxes = [(x * side, y * side, side, side) for y in range(rows) for x in range(columns)]
    return np.array(boxes, np.int32)


def test_a_tile_is_left_out_from_half_of_it_on() -> None:
    boxes = grid(3, 1)
    assert covered(boxes, [rectangle(50, -10, 300, 110).points]).tolist() == [0.5, 1.0, 1.0]
    assert left_out(boxes, [rectangle(50, -10, 300, 110)], 0).tolist() == [True, True, True]
    assert left_out(boxes, [rectangle(51, -10, 300, 110)], 0).tolist() == [True, True, True]
    assert left_out(boxes, [rectangle(60, -10, 300, 110)], 0).tolist() == [False, True, True]
    assert left_out(boxes, [rectangle(50, -10, 300, 110, 1)], 0).tolist() == [False] * 3


def test_two_regions_cover_a_tile_together() -> None:
    boxes = grid(1, 1)
    halves = [rectangle(0, 0, 100, 30), rectangle(0, 60, 100, 100)]
    assert covered(boxes, [halves[0].points])[0] == pytest.approx(0.3, abs=0.04)
    assert left_out(boxes, halves[:1], 0).tolist() == [False]
    assert left_out(boxes, halves, 0).tolist() == [True]


def test_a_polygon_is_filled_whichever_way_it_is_drawn_and_where_it_crosses_itself() -> None:
    boxes = grid(4, 4)
    square = rectangle(0, 0, 200, 200).points
    inside = [True, True, False, False] * 2 + [False] * 8
    assert left_out(boxes, [Region(0, square)], 0).tolist() == inside
    assert left_out(boxes, [Region(0, square[::-1])], 0).tolist() == inside
    twice = (*square, *square)
    assert left_out(boxes, [Region(0, twice)], 0).tolist() == inside


def test_the_borders_of_a_slanted_polygon_agree_with_a_picture_of_it() -> None:
    from PIL import Image, ImageDraw

    points = ((130.0, 20.0), (770.0, 310.0), (520.0, 760.0), (90.0, 640.0), (300.0, 330.0))
    picture = Image.new("1", (800, 800))
    ImageDraw.Draw(picture).polygon(list(points), fill=1)
    drawn = np.asarray(picture)
    boxes = grid(20, 20, 40)
    shares = np.array([drawn[y : y + h, x : x + w].mean() for x, y, w, h in boxes.tolist()])
    assert covered(boxes, [points]) == pytest.approx(shares, abs=0.06)
    assert (shares > 0.9).sum() > 60  # most of them are not border


# The answer again -------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", ["s", "a"])
def test_without_regions_the_second_answer_is_the_first_to_the_last_digit(
    finished: Place, stem: str
) -> None:
    result = finished.result(stem)
    again = answer_again(result, finished.card, ())
    assert again.prediction == result.prediction
    assert (again.counts, again.tissue_mm2, again.flags, again.status) == (
        result.counts, result.tissue_mm2, result.flags, result.status,
    )  # fmt: skip


def test_a_region_takes_its_tiles_and_their_tissue_away(finished: Place) -> None:
    result = finished.result("s")
    region = rectangle(0, 0, 512, 768)
    again = answer_again(result, finished.card, [region])
    gone = left_out(result.scores[0].boxes, [region], 0)
    assert 0 < gone.sum() < len(gone)
    assert again.counts.total == result.counts.total - gone.sum()
    part = result.scores[0]
    weights = part.tissue_fraction * (part.boxes[:, 2].astype(float) * part.boxes[:, 3])
    share = weights[~gone].sum() / weights.sum()
    assert again.tissue_mm2 == pytest.approx(share * result.tissue_mm2, rel=1e-5)
    assert sum(again.prediction.area_mm2) == pytest.approx(again.tissue_mm2, rel=1e-5)
    assert (again.scores[0].boxes == part.boxes[~gone]).all()


def changed_tiles(result: CaseResult, rows: slice, probs: tuple[float, ...]) -> CaseResult:
    """The slide with some tiles of another class."""
    part = result.scores[0]
    table = part.probs.copy()
    table[rows] = probs
    return replace(result, scores=(replace(part, probs=table),))


def test_the_answer_changes_when_the_tumour_is_left_out(finished: Place) -> None:
    first = finished.result("s")
    benign = changed_tiles(first, slice(None), (0.04, 0.92, 0.04))
    right = first.scores[0].boxes[:, 0] >= 384
    table = benign.scores[0].probs.copy()
    table[right] = (0.03, 0.03, 0.94)
    mixed = replace(benign, scores=(replace(benign.scores[0], probs=table),))
    card = finished.card
    whole = answer_again(mixed, card, ())
    assert whole.prediction.label == "squamous"
    rest = answer_again(mixed, card, [rectangle(384, 0, 1024, 768)])
    assert rest.prediction.label == "benign"
    assert rest.prediction.area_mm2[2] == 0


def test_all_left_out_is_too_little_tissue(finished: Place) -> None:
    result = finished.result("s")
    again = answer_again(result, finished.card, [rectangle(-10, -10, 2000, 2000)])
    assert again.prediction.label is None
    assert again.prediction.reason is NoResult.LITTLE_TISSUE
    assert again.status is CaseStatus.NO_RESULT
    assert (again.counts.total, again.tissue_mm2, again.pictures) == (0, 0.0, ())


def test_the_refusal_is_by_the_same_limits(finished: Place) -> None:
    result = finished.result("s")
    part = result.scores[0]
    right = part.boxes[:, 0] >= 512
    states = tuple(TileState.NOVEL if r else TileState.USED for r in right)
    half = replace(result, scores=(replace(part, state=states),))
    left = rectangle(0, 0, 512, 768)
    refused = answer_again(half, finished.card, [left])
    assert refused.prediction.reason is NoResult.NOT_LUNG
    kept = answer_again(half, finished.card, [rectangle(512, 0, 1024, 768)])
    assert kept.prediction.label == result.prediction.label


def test_rule_and_policy_are_those_of_the_record(finished: Place) -> None:
    result = finished.result("s")
    settings = tuple(
        (name, "flag" if name == "abstain" else value) for name, value in result.settings
    )
    part = result.scores[0]
    blurred = replace(part, state=(TileState.BLURRED,) * len(part.state))
    strict = replace(result, scores=(blurred,))
    assert answer_again(strict, finished.card, ()).prediction.label is None
    flagged = answer_again(replace(strict, settings=settings), finished.card, ())
    assert flagged.prediction.label is not None
    assert NoResult.BLURRED.value in flagged.flags
    mean = replace(result, prediction=replace(result.prediction, rule="mean"))
    assert answer_again(mean, finished.card, ()).prediction.rule == "mean"


def test_only_the_model_that_answered_may_form_the_answer_again(
    finished: Place, tmp_path: Path
) -> None:
    result = finished.result("s")
    assert card_of(result, [str(finished.root / "model")]).sha256 == result.model.sha256
    with pytest.raises(ModelError, match=r"tiny 1\.0, the model that answered, is not here"):
        card_of(result)
    other = tiny_model(tmp_path / "other", dataclasses.replace(finished.card, version="2.0"))
    with pytest.raises(ModelError, match="not the model that answered"):
        answer_again(result, other, ())
    failed = replace(result, prediction=None, scores=())
    with pytest.raises(UsageProblem, match="not classified"):
        answer_again(failed, finished.card, ())
    older = replace(result, settings=(*result.settings, ("settings_schema", "1")))
    with pytest.raises(UsageProblem, match="rules of another version"):
        answer_again(older, finished.card, ())


# Kept beside the record -------------------------------------------------------------------------


def test_a_review_reads_back_and_equal_reviews_give_equal_bytes(finished: Place) -> None:
    result = finished.result("s")
    review = review_of(
        result, Verdict.DISAGREE, "benign", rectangle(0, 0, 512, 700.5), card=finished.card,
        comment="Two lines\nand “signs”", seen=(0, 3),
    )  # fmt: skip
    data = review_to_json(review)
    assert review_from_json(data) == review
    assert review_to_json(review_from_json(data)) == data


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (b'"verdict":"agree"', b'"verdict":"maybe"', "unknown value"),
        (b"[9.0,0.0],", b"[null,0.0],", "no polygon"),
        (b"[9.0,0.0],", b"", "no polygon"),
        (b'"schema_version":1', b'"schema_version":9', "newer LungScan"),
        (b"}\n", b"", "not JSON"),
    ],
)
def test_a_damaged_review_is_reported(
    finished: Place, before: bytes, after: bytes, why: str
) -> None:
    region = Region(0, ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0)))
    data = review_to_json(review_of(finished.result("s"), Verdict.AGREE, "", region))
    assert before in data
    with pytest.raises(DamagedRecord, match=why):
        review_from_json(data.replace(before, after))


@pytest.mark.parametrize("stem", ["s", "a"])
def test_a_saved_review_lies_beside_an_unchanged_record_and_verify_knows_it(
    place: Place, stem: str
) -> None:
    assert place.amiss() == {}
    folder, result = place.folder(stem), place.result(stem)
    record = (folder / "case.json").read_bytes()
    before = (folder / "report.pdf").read_bytes()
    save_review(place.out, result, review_of(result))
    assert (folder / "case.json").read_bytes() == record
    assert (folder / "report.pdf").read_bytes() != before
    check_file(REVIEW, folder / REVIEW)
    assert REVIEW in (folder / LIST).read_text()
    assert place.amiss() == {}
    (folder / REVIEW).write_bytes((folder / REVIEW).read_bytes().replace(b"agree", b"disagree"))
    assert place.amiss() == {f"cases/{folder.name}/{REVIEW}": State.CHANGED}
    with pytest.raises(DamagedRecord, match="was changed since it was saved"):
        read_review(folder)
    (folder / REVIEW).unlink()
    assert place.amiss() == {f"cases/{folder.name}/{REVIEW}": State.MISSING}


def test_of_a_report_that_is_open_elsewhere_it_is_told_where_the_new_one_lies(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows: else the old one would be filed, without the review."""
    result, honest = place.result("s"), Path.replace

    def replace_unless_open(path: Path, to: Path) -> Path:
        if to.name == "report.pdf":
            raise PermissionError(13, "another program has it open")
        return honest(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_unless_open)
        (told,) = save_review(place.out, result, review_of(result))
    assert "'report (1).pdf' beside it" in told
    assert told.endswith("Close the old one and save the review again.")
    assert (place.folder("s") / "report (1).pdf").is_file()
    assert save_review(place.out, result, review_of(result)) == ()


def test_a_case_that_was_a_record_alone_gets_a_list(place: Place) -> None:
    out = place.root / "many"
    run(options(place.root / "model", out, place.root / "in" / "a.png", pdf="none"))
    (folder,) = (out / "cases").iterdir()
    for name in ("tiles.csv", LIST, "heatmap.png"):
        (folder / name).unlink(missing_ok=True)
    from lungscan.results.checksums import digest_of, dump_sums, known_sums

    sums = {k: v for k, v in known_sums(out).items() if "/" not in k}
    sums[f"cases/{folder.name}/case.json"] = digest_of(folder / "case.json")
    (out / LIST).write_bytes(dump_sums(sums))  # as a run of many fields leaves it
    here = dataclasses.replace(place)
    result = from_json((folder / "case.json").read_bytes())
    assert not [c for c in verify(out, (), str(here.root / "model")) if c.state is State.CHANGED]
    save_review(out, result, review_of(result))
    found = {c.path: c.state for c in verify(out, (), str(place.root / "model"))}
    assert found[f"cases/{folder.name}/{REVIEW}"] is State.SAME
    assert found[f"cases/{folder.name}/{LIST}"] is State.SAME
    assert State.UNEXPECTED not in found.values()
    assert not (folder / "report.pdf").exists()


def test_nothing_is_saved_beside_a_record_that_was_changed(place: Place) -> None:
    folder, result = place.folder("s"), place.result("s")
    record = folder / "case.json"
    record.write_bytes(record.read_bytes().replace(b'"device":"', b'"device":"x'))
    with pytest.raises(DamagedRecord, match="were changed since"):
        save_review(place.out, result, review_of(result))
    assert not (folder / REVIEW).exists()
    other = review_of(replace(result, settings_hash="0"))
    with pytest.raises(UsageProblem, match="another answer"):
        save_review(place.out, result, other)


def test_a_list_that_was_forged_is_not_believed(place: Place) -> None:
    from lungscan.results.checksums import digest_of, dump_sums, known_sums

    folder, result = place.folder("s"), place.result("s")
    (folder / "tiles.csv").write_text("forged\n")
    sums = known_sums(folder)
    sums["tiles.csv"] = digest_of(folder / "tiles.csv")
    (folder / LIST).write_bytes(dump_sums(sums))
    with pytest.raises(DamagedRecord, match="were changed since"):
        save_review(place.out, result, review_of(result))


def test_a_review_can_be_saved_while_a_run_writes_there(place: Place) -> None:
    result = place.result("s")
    before = (place.out / LIST).read_bytes()
    with output_lock(place.out):
        save_review(place.out, result, review_of(result))
    assert (place.out / LIST).read_bytes() == before
    run(place.options())  # the run ends, with a list of its own
    assert place.amiss() == {}
    assert review_beside(place.folder("s"), result).review is not None


def test_a_review_outlives_the_same_answer_and_no_other(place: Place) -> None:
    result = place.result("s")
    save_review(place.out, result, review_of(result, comment="kept"))
    place.again()
    assert place.amiss() == {}
    now = place.result("s")
    assert now.started_utc >= result.started_utc
    assert answer_digest(now) == answer_digest(result)
    assert review_beside(place.folder("s"), now).review.opinion.comment == "kept"
    run(place.options(rule="mean"))
    other = place.result("s")
    beside = review_beside(place.folder("s"), other)
    assert beside.review is None
    assert "another answer" in beside.problem
    path = f"cases/{place.folder('s').name}/{REVIEW}"
    assert place.amiss() == {path: State.UNEXPECTED}


def test_reports_made_again_keep_the_review(place: Place) -> None:
    result, folder = place.result("s"), place.folder("s")
    save_review(place.out, result, review_of(result))
    report = (folder / "report.pdf").read_bytes()
    rebuild(place.out)
    assert (folder / "report.pdf").read_bytes() == report
    assert place.amiss() == {}
