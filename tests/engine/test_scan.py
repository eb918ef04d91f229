"""The front door: one scan, its events and what lies on the disk afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lungscan.errors import NothingToDo, UsageProblem
from lungscan.events import CaseFinished, CaseStarted, RunFinished, RunStarted, TilesScored
from lungscan.layout import LIST
from lungscan.report.wording import answer_line
from lungscan.scanning.planning import planned_cases
from lungscan.scanning.scan import scan
from lungscan.types import CaseStatus, MppSource, NoResult
from tests.drawing import draw_he, draw_slide, write_generic_tiff, write_svs
from tests.engine.scanning import (
    files_below,
    make_field,
    make_slide,
    options,
    results,
    rows,
    run,
    stored,
)
from tests.models import CARD, TILE_PX, FakeRuntime, tiny_model

CASE_FILES = {"case.json", LIST, "tiles.csv", "tiles.geojson", "heatmap.png", "report.pdf"}
RUN_FILES = {"cases.csv", LIST, "summary.pdf", "run.json"}
COLUMNS = (
    "case_id,relative_path,status,label,confidence,prob_adeno,prob_benign,prob_squamous,"
    "tiles,tiles_used,tissue_mm2,area_mm2_adeno,area_mm2_benign,area_mm2_squamous,flags,mpp_um,"
    "mpp_source,width,height,sha256,model,model_sha256,settings_hash,device,seconds,error_code,"
    "error_message,lungscan_version,schema_version"
)


def test_a_slide_and_fields_from_start_to_end(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    make_slide(tmp_path / "in" / "b.svs")
    make_field(tmp_path / "in" / "a.png")
    make_field(tmp_path / "in" / "c.jpg", seed=1)
    (tmp_path / "in" / "Thumbs.db").write_bytes(b"x")
    out = tmp_path / "out"
    events = run(options(model, out, tmp_path / "in", pdf="auto", heatmap=True, geojson=True))

    kinds = [type(event).__name__ for event in events if not isinstance(event, TilesScored)]
    assert kinds == [
        "RunStarted", "CaseFinished", "CaseStarted", "CaseStarted", "CaseFinished",
        "CaseFinished", "CaseStarted", "CaseFinished", "RunFinished",
    ]  # fmt: skip
    assert events[0] == RunStarted(3, 1, "tiny", "fake", out, "he-histology")
    indices = [event.index for event in events if isinstance(event, CaseFinished | CaseStarted)]
    assert indices == [1, 2, 3, 2, 3, 4, 4]
    scored = [event for event in events if isinstance(event, TilesScored)]
    assert [event.done for event in scored] == sorted(event.done for event in scored)
    assert scored[-1].done == scored[-1].total == results(events)["b"].counts.total > 16
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.ok, finished.skipped, finished.failed) == (3, 1, 0)

    assert [row["case_id"] for row in rows(out)] == ["a", "b", "c", "in/Thumbs.db"]
    assert [row["status"] for row in rows(out)] == ["ok", "ok", "ok", "skipped"]
    assert (out / "cases.csv").read_text(encoding="utf-8").splitlines()[0] == COLUMNS
    expected = RUN_FILES.copy()
    for case in results(events).values():
        names = {"case.json"} if case.status is CaseStatus.SKIPPED else CASE_FILES
        expected |= {f"cases/{case.key}/{name}" for name in names}
    assert files_below(out) == expected
    assert json.loads((out / "run.json").read_text())["case_keys"] == [
        results(events)[row["case_id"]].key for row in rows(out)
    ]


def test_many_fields_get_their_record_only_unless_asked(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    for index in range(13):
        make_field(tmp_path / "in" / f"{index}.png", side=80, seed=index)
    run(options(model, tmp_path / "out", tmp_path / "in", pdf="auto", heatmap=True, geojson=True))
    names = {path.rsplit("/", 1)[-1] for path in files_below(tmp_path / "out")}
    assert names == {"case.json"} | RUN_FILES
    assert [path.parent for path in (tmp_path / "out").rglob(LIST)] == [tmp_path / "out"]
    assert all(case.files[0].thumbnail_jpeg is None for case in stored(tmp_path / "out").values())
    # Asked for them later, the pictures are made: the records of the first run lack them.
    run(options(model, tmp_path / "out", tmp_path / "in", pdf="cases"))
    assert len(list((tmp_path / "out").glob("cases/*/report.pdf"))) == 13
    assert all(case.files[0].thumbnail_jpeg for case in stored(tmp_path / "out").values())


def test_the_numbers_of_a_slide(model: Path, fake: FakeRuntime, tmp_path: Path) -> None:
    slide = make_slide(tmp_path / "s.svs")
    result = results(run(options(model, tmp_path / "out", slide)))["s"]
    tissue = np.pi / 4 * (0.8 * 1024) * (0.8 * 768) * 0.25e-6  # an ellipse of 0.5 µm pixels
    assert result.tissue_mm2 == pytest.approx(tissue, rel=0.05)
    assert result.prediction is not None
    assert result.prediction.area_mm2 is not None
    assert sum(result.prediction.area_mm2) == pytest.approx(result.tissue_mm2, rel=1e-3)
    assert result.prediction.label == "adeno"
    assert result.prediction.confidence == pytest.approx(0.9, abs=1e-6)
    assert result.files[0].info.scale.source is MppSource.FILE
    assert result.scores[0].boxes[:, 2].tolist() == [128] * result.counts.total
    assert [picture.role for picture in result.pictures] == ["top"] * 6 + ["uncertain"] * 3


def test_overlap_sees_more_tiles_but_not_more_tissue(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    slide = make_slide(tmp_path / "s.svs")
    plain = results(run(options(model, tmp_path / "a", slide)))["s"]
    dense = results(run(options(model, tmp_path / "b", slide, overlap=0.5)))["s"]
    assert dense.counts.total > 3 * plain.counts.total
    assert plain.prediction is not None
    assert dense.prediction is not None
    assert plain.prediction.area_mm2 is not None
    assert dense.prediction.area_mm2 is not None
    assert sum(dense.prediction.area_mm2) == pytest.approx(sum(plain.prediction.area_mm2), rel=0.02)


@pytest.mark.parametrize(
    ("side", "mpp", "mode", "tiles"),
    [
        (400, None, "whole", 1),
        (400, 0.5, "tiled", 16),
        (400, 2.0, "tiled", 169),
        (100, 1.0, "tiled", 4),
        (40, 1.0, "whole", 1),
    ],
)
def test_a_field_is_tiled_when_its_scale_is_known_and_it_is_large_enough(
    model: Path,
    fake: FakeRuntime,
    tmp_path: Path,
    side: int,
    mpp: float | None,
    mode: str,
    tiles: int,
) -> None:
    field = make_field(tmp_path / "f.png", side=side)
    result = results(run(options(model, tmp_path / "out", field, mpp=mpp)))["f"]
    assert result.files[0].mode == mode
    assert result.counts.total == tiles
    assert ("scale_unknown" in result.flags) == (mpp is None)
    assert ("resized" in result.flags) == (mode == "whole" and side != TILE_PX)
    assert (result.tissue_mm2 is None) == (mode == "whole")
    if mode == "tiled" and mpp is not None:
        assert result.tissue_mm2 == pytest.approx((side * mpp / 1000) ** 2, rel=0.05)


def test_a_tiff_that_holds_a_slide_goes_the_way_of_slides(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    drawn = draw_slide(768, 512, tissue=((0.1, 0.1, 0.9, 0.9),))
    (tmp_path / "in").mkdir()
    write_generic_tiff(tmp_path / "in" / "x.tif", drawn, downsamples=(4,))
    for index in range(13):  # so many that fields get no files of their own
        make_field(tmp_path / "in" / f"{index}.png", side=80, seed=index)
    chosen = options(model, tmp_path / "out", tmp_path / "in", mpp=0.5, pdf="auto", heatmap=True)
    events = run(chosen)
    result = results(events)["x"]
    assert result.files[0].kind == "slide"
    assert [event.case_id for event in events if isinstance(event, CaseStarted)].count("x") == 1
    names = {path.name for path in (tmp_path / "out" / "cases" / result.key).iterdir()}
    assert names == CASE_FILES - {"tiles.geojson"}
    assert [row["case_id"] for row in rows(tmp_path / "out")][-1] == "x"
    planned = {case.case_id: case for case in planned_cases(chosen)}
    assert planned["x"].kind == "slide"
    assert planned["x"].tiles == result.counts.total


def test_equal_names_in_two_folders_stay_apart(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    make_field(tmp_path / "in" / "a" / "1.png", seed=1)
    make_field(tmp_path / "in" / "b" / "1.png", seed=2)
    found = results(run(options(model, tmp_path / "out", tmp_path / "in")))
    assert sorted(found) == ["in/a/1.png", "in/b/1.png"]
    assert len(stored(tmp_path / "out")) == 2
    assert [row["relative_path"] for row in rows(tmp_path / "out")] == sorted(found)


@pytest.mark.parametrize("abstain", ["strict", "flag", "never"])
def test_abstaining_as_asked(fake: FakeRuntime, tmp_path: Path, abstain: str, model: Path) -> None:
    fake.sure = 0.4  # below the card's limit
    field = make_field(tmp_path / "f.png")
    out = tmp_path / "out"
    result = results(run(options(model, out, field, abstain=abstain)))["f"]
    assert result.prediction is not None
    assert result.prediction.reason is NoResult.UNCERTAIN
    assert (result.status is CaseStatus.NO_RESULT) == (abstain == "strict")
    assert (result.prediction.label is None) == (abstain == "strict")
    assert "too_uncertain" in rows(out)[0]["flags"]
    assert result.prediction.suggested == "benign"  # the likeliest class, as the map shows it


def test_an_empty_slide_has_too_little_tissue(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    glass = write_svs(tmp_path / "glass.svs", np.full((600, 800, 3), 244, np.uint8))
    Image.new("RGB", (300, 300), (244, 243, 244)).save(tmp_path / "white.png")
    found = results(run(options(model, tmp_path / "out", glass, tmp_path / "white.png")))
    for case in ("glass", "white"):
        prediction = found[case].prediction
        assert found[case].status is CaseStatus.NO_RESULT
        assert prediction is not None
        assert prediction.reason is NoResult.LITTLE_TISSUE


def test_a_plan_opens_everything_and_writes_nothing(model: Path, tmp_path: Path) -> None:
    make_slide(tmp_path / "in" / "s.svs")
    make_field(tmp_path / "in" / "f.png")
    (tmp_path / "in" / "bad.svs").write_text("no slide")
    (tmp_path / "in" / "notes.txt").write_text("x")
    planned = {
        c.case_id: c for c in planned_cases(options(model, tmp_path / "out", tmp_path / "in"))
    }
    assert planned["s"].tiles > 16
    assert (planned["s"].kind, planned["s"].mpp) == ("slide", 0.5)
    assert (planned["f"].kind, planned["f"].tiles, planned["f"].mpp) == ("field", 1, None)
    assert planned["f"].note == "Scale unknown: areas cannot be given."
    assert "not a slide" in planned["bad"].note
    assert planned["in/notes.txt"].kind == "skipped"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changes",
    [{"mpp": 11}, {"overlap": 0.9}, {"batch_size": 0}, {"threads": 1000}, {"rule": "guess"}],
)
def test_senseless_options_are_refused_first(
    model: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(UsageProblem):
        next(scan(options(model, tmp_path / "out", tmp_path, **changes)))
    assert not (tmp_path / "out").exists()


def test_a_manifest_that_the_results_would_overwrite_is_refused(
    model: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "cases.csv"
    manifest.write_text("file,case\n")
    with pytest.raises(UsageProblem, match="overwrite"):
        next(scan(options(model, tmp_path, tmp_path, cases=manifest)))


def test_a_folder_without_images_is_nothing_to_do(model: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(NothingToDo, match="1 file was skipped: not an image format"):
        next(scan(options(model, tmp_path / "out", tmp_path)))
    assert not (tmp_path / "out").exists()


def test_results_lie_beside_the_slides_without_becoming_input(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    make_field(tmp_path / "f.png")
    chosen = options(model, tmp_path, tmp_path, heatmap=True)
    first = run(chosen)
    assert sorted(results(run(chosen))) == sorted(results(first)) == ["f"]


def test_novel_and_blurred_tiles_are_refused(fake: FakeRuntime, tmp_path: Path) -> None:
    strict = tiny_model(tmp_path / "m", replace(CARD, novelty_threshold=1e-9))
    field = make_field(tmp_path / "f.png")
    novel = results(run(options(strict.folder, tmp_path / "a", field)))["f"]
    assert novel.prediction is not None
    assert novel.prediction.reason is NoResult.NOT_LUNG
    plain = tiny_model(tmp_path / "n")
    blurred = Image.fromarray(draw_he(200, 200)).filter(ImageFilter.GaussianBlur(8))
    blurred.save(tmp_path / "g.png")
    result = results(run(options(plain.folder, tmp_path / "b", tmp_path / "g.png")))["g"]
    assert result.prediction is not None
    assert result.prediction.reason is NoResult.BLURRED


@pytest.mark.parametrize(
    ("size", "resolution", "expected"),
    [
        ((640, 640), None, "640 × 640 px was taken whole and shrunk 10.0 times"),
        ((800, 100), None, "in 8 squares of its shorter side and shrunk 1.6 times"),
        ((64, 64), None, "64 × 64 px was taken whole. "),
        ((40, 40), None, "enlarged 1.6 times"),
        ((640, 640), 20_000.0, ""),  # 0.5 µm/px
    ],
)
def test_a_refusal_without_a_scale_names_it_and_the_cure(
    fake: FakeRuntime,
    tmp_path: Path,
    size: tuple[int, int],
    resolution: float | None,
    expected: str,
) -> None:
    strict = tiny_model(tmp_path / "m", replace(CARD, novelty_threshold=1e-9))
    known = {"resolution": resolution, "resolution_unit": "cm"} if resolution else {}
    Image.fromarray(draw_he(*size, 1)).save(tmp_path / "f.tif", **known)
    result = results(run(options(strict.folder, tmp_path / "a", tmp_path / "f.tif")))["f"]
    assert result.prediction is not None
    assert result.prediction.reason is NoResult.NOT_LUNG
    text = result.prediction.reason_text
    assert expected in text
    assert ("The scale is unknown" in text) == ("--mpp" in text) == bool(expected)


def test_a_field_that_shows_less_than_a_tile_at_its_scale_is_less_certain(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    small, large = (make_field(tmp_path / f"{side}.png", side) for side in (44, 400))
    chosen = replace(options(model, tmp_path / "a", small, large), mpp=CARD.spacing_um_px)
    found = results(run(chosen))
    assert {name: "enlarged" in result.flags for name, result in found.items()} == {
        "44": True, "400": False,
    }  # fmt: skip
    assert answer_line(found["44"]).endswith("(enlarged beyond its scale)")


def test_a_tiny_or_coarse_picture_is_refused_not_enlarged(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    tiny = tmp_path / "tiny.png"
    Image.open(make_field(tmp_path / "f.png")).crop((0, 0, 12, 12)).save(tiny)
    coarse = write_svs(tmp_path / "coarse.svs", draw_he(600, 600, seed=3), mpp=4.0)
    found = results(run(options(model, tmp_path / "out", tiny, coarse)))
    assert found["tiny"].error_code == "E_TOO_SMALL"
    assert found["coarse"].error_code == "E_TOO_COARSE"
    assert {found[case].status for case in ("tiny", "coarse")} == {CaseStatus.FAILED}
