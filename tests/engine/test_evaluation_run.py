"""A model judged on drawn fields: the same answers as classification, and files that say it all."""

from __future__ import annotations

import csv
import dataclasses
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lungscan.errors import NothingToDo, UsageProblem
from lungscan.evaluation.comparing import comparison
from lungscan.evaluation.evaluate import evaluate, evaluation
from lungscan.evaluation.events import ComparisonFinished, FieldsJudged, JudgingStarted
from lungscan.evaluation.gallery import errors_of
from lungscan.evaluation.labelled import load_material
from lungscan.evaluation.options import DataOptions, JudgeOptions
from lungscan.evaluation.records import Comparison, Evaluation, Protocol
from lungscan.evaluation.shifts import SHIFTS
from lungscan.evaluation.writing import NEEDS_MATPLOTLIB, write_comparison, write_evaluation
from lungscan.model.card import ModelCard
from lungscan.results.codec import decode
from lungscan.types import CaseStatus
from tests.drawing import draw_he
from tests.engine.scanning import options as scan_options
from tests.engine.scanning import results, run
from tests.labelled import CLASSES, ColourRuntime, draw_class, draw_folder, write_split, write_table
from tests.models import CARD, tiny_model
from tests.schemas import check_file

WRONG = ("adeno/g0-0.png", "squamous/g2-1.png")
SPLIT = ("file", "label", "group", "part")
QUICK = JudgeOptions(threads=2, draws=200)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> ColourRuntime:
    """The network in the place of each model's own."""
    network = ColourRuntime()
    monkeypatch.setattr("lungscan.evaluation.judging.load_runtime", lambda *_: network)
    return network


@pytest.fixture(autouse=True)
def _coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures in few pixels: what is looked at here does not need more."""
    with suppress(ImportError):
        monkeypatch.setattr("lungscan.evaluation.plot_frame.DPI", 60)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figures, which take the longest of all."""
    monkeypatch.setattr("lungscan.evaluation.writing.drawn_figures", lambda _: ({}, ""))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "drawn"
    draw_folder(folder, wrong=WRONG)
    return folder


@pytest.fixture(scope="module")
def splits(data: Path) -> Path:
    """The folder with two split files: grouped.csv and leaking.csv."""
    rows = [
        (f"{label}/g{g}-{p}.png", label, f"{label}-{g}")
        for label in CLASSES
        for g in range(4)
        for p in range(2)
    ]
    write_split(data.parent / "grouped.csv", rows)
    write_split(data.parent / "leaking.csv", rows, leaking=True)
    return data.parent


def judged(model: Path, data: Path, **changes: object) -> Evaluation:
    """One evaluation of a whole folder."""
    options = dataclasses.replace(QUICK, **changes)  # type: ignore[arg-type]
    return evaluate(model, load_material(DataOptions(data)), options)


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_the_figures_are_those_of_the_answers(
    runtime: ColourRuntime, model: Path, data: Path
) -> None:
    found = judged(model, data)
    assert found.metric("accuracy").value == pytest.approx(22 / 24)
    assert found.metric("accuracy").groups == 12
    assert found.metric("answered").value == 1
    assert found.confusion.forced.tolist() == [[7, 1, 0], [0, 8, 0], [1, 0, 7]]
    assert [figures.support for figures in found.classes] == [8, 8, 8]
    assert {answer.file for answer in errors_of(found)} == set(WRONG)
    assert found.use.startswith("Research use only")


def test_fields_are_judged_as_classify_judges_them(real_model: ModelCard, tmp_path: Path) -> None:
    names = real_model.class_names
    for number in range(6):  # one is glass, one is blurred: these get no result
        path = tmp_path / "fields" / names[number % 3] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        rgb = np.full((256, 256, 3), 243, np.uint8) if number == 4 else draw_he(256, 256, number)
        image = Image.fromarray(rgb)
        image = image.resize((16, 16)).resize((256, 256)) if number == 5 else image
        image.save(path)
    folder = real_model.folder
    chosen = scan_options(folder, tmp_path / "out", tmp_path / "fields", device="cpu")
    expected = {
        result.relative_paths[0].removeprefix("fields/"): result
        for result in results(run(chosen)).values()
    }
    found = judged(folder, tmp_path / "fields", device="cpu")
    assert len(found.answers) == 6
    assert {answer.status for answer in found.answers} == {CaseStatus.OK, CaseStatus.NO_RESULT}
    for answer in found.answers:
        result = expected[answer.file]
        assert result.prediction is not None
        assert answer.status is result.status
        assert answer.answer == result.prediction.label
        if answer.answer:
            assert (answer.forced, answer.probs) == (answer.answer, result.prediction.probs)


def test_an_uncertain_model_answers_nothing_yet_is_forced(
    runtime: ColourRuntime, model: Path, data: Path
) -> None:
    runtime.sure = 0.45  # the card wants 0.5
    found = judged(model, data)
    assert found.metric("answered").value == 0
    assert found.metric("accuracy").value == pytest.approx(22 / 24)
    assert np.isnan(found.metric("accuracy of the answered").value)
    assert found.confusion.answered[:, -1].tolist() == [8, 8, 8]
    assert found.answers[0].reason == "too uncertain"


def test_a_scale_given_tiles_the_fields(runtime: ColourRuntime, model: Path, data: Path) -> None:
    judged(model, data)
    whole = runtime.tiles
    found = judged(model, data, mpp=1.0)  # the model's tiles are then 64 px of the 96
    assert dict(found.settings)["mpp"] == "1 given"
    assert any("1 µm/px (--mpp)" in note for note in found.notes)
    assert whole == 24
    assert runtime.tiles - whole > 24


@pytest.mark.usefixtures("undrawn")
def test_unreadable_fields_are_reported_and_count_in_no_figure(
    runtime: ColourRuntime, model: Path, tmp_path: Path
) -> None:
    rows = draw_folder(tmp_path / "d")
    (tmp_path / "d" / rows[0][0]).write_bytes(b"no picture")
    (tmp_path / "d" / rows[1][0]).unlink()  # groups.csv still names it
    found = judged(model, tmp_path / "d")
    assert found.metric("accuracy").n == 22
    text = next(text for text in found.warnings if "could not be read" in text)
    assert rows[0][0] in text
    assert rows[1][0] in text
    assert write_evaluation(found, tmp_path / "out", tmp_path / "d")
    predictions = {row["file"]: row for row in cells(tmp_path / "out" / "predictions.csv")}
    assert predictions[rows[0][0]]["status"] == "failed"
    assert "not an image" in predictions[rows[0][0]]["reason"]
    assert predictions[rows[0][0]]["right"] == ""


def test_nothing_readable_is_nothing_to_do(
    runtime: ColourRuntime, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "adeno").mkdir()
    (tmp_path / "adeno" / "a.png").write_bytes(b"x")
    with pytest.raises(NothingToDo, match="None of the 1 fields could be read"):
        judged(model, tmp_path)


def test_an_absurd_scale_is_refused_before_anything_is_opened(model: Path, data: Path) -> None:
    with pytest.raises(UsageProblem, match="--mpp cannot be 99"):
        judged(model, data, mpp=99.0)


def test_robustness_judges_every_field_under_every_change(
    runtime: ColourRuntime, model: Path, tmp_path: Path
) -> None:
    draw_folder(tmp_path / "d", groups=1, per_group=1)
    (tmp_path / "d" / "adeno" / "bad.png").write_bytes(b"x")
    options = dataclasses.replace(QUICK, robustness=True)
    events = list(evaluation(str(model), DataOptions(tmp_path / "d"), options))
    rounds = [event for event in events if isinstance(event, JudgingStarted)]
    assert [event.round for event in rounds] == list(range(1, 21))
    assert {event.rounds for event in rounds} == {20}
    assert [event.fields for event in rounds] == [4] + [3] * 19  # what is broken is asked once
    assert any(isinstance(event, FieldsJudged) for event in events)
    found = events[-1].evaluation  # type: ignore[union-attr]
    by_name = {(shift.kind, shift.amount): shift for shift in found.robustness}
    assert len(by_name) == 19
    # The network looks at colour alone: JPEG leaves that as it is; with little haematoxylin the
    # two bluer classes look like the next redder one.
    assert by_name["JPEG quality", "70"].drop.value == 0
    assert by_name["haematoxylin", "−40 %"].drop.value == pytest.approx(2 / 3)
    for shift in found.robustness:
        accuracy = found.metric("accuracy").value - shift.drop.value
        assert shift.accuracy.value == pytest.approx(accuracy)
    assert runtime.tiles == 3 * 20


def test_a_changed_copy_keeps_its_scale(
    runtime: ColourRuntime, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for label in CLASSES:
        rgb = np.asarray(Image.open(draw_class(tmp_path / "x" / f"{label}.png", label, 1, 300)))
        (tmp_path / "d" / label).mkdir(parents=True)
        per_cm = 10_000 / 0.5
        path = tmp_path / "d" / label / "a.tif"
        Image.fromarray(rgb).save(path, resolution_unit=3, resolution=per_cm)
    judged(model, tmp_path / "d")
    tiles = runtime.tiles
    assert tiles > 3  # tiled, as the file states its scale
    monkeypatch.setattr("lungscan.evaluation.evaluate.SHIFTS", SHIFTS[-2:])
    judged(model, tmp_path / "d", robustness=True)
    assert runtime.tiles == tiles * (1 + 3)


def test_every_output_names_a_leak_and_the_use(
    runtime: ColourRuntime, model: Path, data: Path, splits: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    leaking = load_material(DataOptions(data, splits / "leaking.csv"))
    found = evaluate(model, leaking, QUICK)
    assert found.data.protocol is Protocol.LEAKING
    assert found.warnings[0].startswith("LEAKING SPLIT: 12 of the 12 groups")
    written = write_evaluation(found, tmp_path / "out", data)
    assert set(written.files) == {path.name for path in (tmp_path / "out").iterdir()}
    for name in written.files:
        path = tmp_path / "out" / name
        if name.endswith(".png"):
            continue  # looked at by eye; see below for what stands on them
        text = path.read_text(encoding="utf-8")
        assert "LEAKING SPLIT" in text, name
        assert "Research use only" in text, name
    for row in cells(tmp_path / "out" / "metrics.csv"):
        assert row["protocol"] == "LEAKING SPLIT"


def test_a_figure_of_a_leak_differs_from_one_without(
    runtime: ColourRuntime, model: Path, data: Path, splits: Path
) -> None:
    plots = pytest.importorskip("lungscan.evaluation.plots")
    found = evaluate(model, load_material(DataOptions(data, splits / "leaking.csv")), QUICK)
    honest = dataclasses.replace(
        found,
        data=dataclasses.replace(found.data, protocol=Protocol.GROUPED),
        warnings=found.warnings[1:],
    )
    leak, clean = (plots.as_png(plots.draw_confusion(e), e) for e in (found, honest))
    assert red_pixels(leak) > red_pixels(clean) + 100
    assert clean == plots.as_png(plots.draw_confusion(honest), honest)  # same figures, same bytes


def red_pixels(png: bytes) -> int:
    """How many pixels bear the colour of the warning."""
    import io

    with Image.open(io.BytesIO(png)) as image:
        rgb = np.asarray(image.convert("RGB")).astype(int)
    return int((np.abs(rgb - (0xB3, 0x26, 0x1E)).max(-1) < 12).sum())


@pytest.mark.usefixtures("undrawn")
def test_a_grouped_split_says_so(
    runtime: ColourRuntime, model: Path, data: Path, splits: Path, tmp_path: Path
) -> None:
    found = evaluate(model, load_material(DataOptions(data, splits / "grouped.csv")), QUICK)
    assert found.data.protocol is Protocol.GROUPED
    (few,) = found.warnings  # of what was judged, not of the split
    assert few.startswith("FEW GROUPS: of class adeno ")
    assert any("No group judged stands in another part of grouped.csv" in n for n in found.notes)
    write_evaluation(found, tmp_path, data)
    assert "LEAKING" not in (tmp_path / "evaluation.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("undrawn")
def test_the_json_reads_back_as_the_same_figures(
    runtime: ColourRuntime, model: Path, data: Path, tmp_path: Path
) -> None:
    found = judged(model, data)
    write_evaluation(found, tmp_path, data)
    again = decode(Evaluation, check_file("evaluation.json", tmp_path / "evaluation.json"))
    assert again.metrics == found.metrics
    assert again.classes == found.classes
    assert (again.confusion.answered == found.confusion.answered).all()
    assert again.answers == ()
    assert (again.data, again.warnings) == (found.data, found.warnings)
    text = (tmp_path / "evaluation.json").read_text(encoding="utf-8")
    assert str(data.parent) not in text  # no folder of this machine


@pytest.mark.usefixtures("undrawn")
def test_the_same_seed_writes_the_same_files(
    runtime: ColourRuntime, model: Path, data: Path, tmp_path: Path
) -> None:
    found = judged(model, data)
    for name in ("a", "b"):
        write_evaluation(found, tmp_path / name, data)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


@pytest.mark.usefixtures("undrawn")
def test_the_page_of_errors_shows_each_and_runs_nothing(
    runtime: ColourRuntime, model: Path, tmp_path: Path
) -> None:
    evil = "adeno/<script>alert(1)</script>&.png".replace("/s", "_s")
    draw_class(tmp_path / "d" / evil, "benign", 1)
    draw_class(tmp_path / "d" / "benign" / "b.png", "benign", 2)
    found = judged(model, tmp_path / "d")
    write_evaluation(found, tmp_path / "out", tmp_path / "d")
    page = (tmp_path / "out" / "errors.html").read_text(encoding="utf-8")
    assert page.count("<li>") == page.count("data:image/jpeg;base64,") == 1
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "True: Adenocarcinoma" in page
    assert "<script" not in (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    with Image.open(tmp_path / "out" / "errors.png") as sheet:
        assert sheet.width > 600


@pytest.mark.usefixtures("undrawn")
def test_without_errors_the_sheet_says_so(
    runtime: ColourRuntime, model: Path, tmp_path: Path
) -> None:
    draw_folder(tmp_path / "d", groups=1)
    found = judged(model, tmp_path / "d")
    write_evaluation(found, tmp_path / "out", tmp_path / "d")
    page = (tmp_path / "out" / "errors.html").read_text(encoding="utf-8")
    assert "0 of 6 fields are wrong" in page
    assert "<li>" not in page


def test_without_matplotlib_the_tables_are_there(
    runtime: ColourRuntime,
    model: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = judged(model, data)
    stale = tmp_path / "roc.png"
    stale.write_bytes(b"of an earlier evaluation")
    for name in [n for n in sys.modules if n.startswith("lungscan.evaluation.plot")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    written = write_evaluation(found, tmp_path, data)
    assert written.note == NEEDS_MATPLOTLIB
    assert "lungscan-histology[train]" in written.note
    assert not stale.exists()
    assert {"metrics.csv", "predictions.csv", "errors.png"} <= set(written.files)
    assert "roc.png" not in (tmp_path / "evaluation.md").read_text(encoding="utf-8")


def test_one_class_alone_still_gives_figures(
    runtime: ColourRuntime, model: Path, tmp_path: Path
) -> None:
    for number in range(3):
        draw_class(tmp_path / "d" / "benign" / f"{number}.png", "benign", number)
    found = judged(model, tmp_path / "d")
    assert found.metric("accuracy").value == 1
    assert np.isnan(found.metric("macro AUC").value)
    assert found.roc == ()
    assert any("No groups are known" in text for text in found.warnings)
    write_evaluation(found, tmp_path / "out", tmp_path / "d")
    assert not (tmp_path / "out" / "roc.png").exists()
    row = next(r for r in cells(tmp_path / "out" / "metrics.csv") if r["figure"] == "macro AUC")
    assert row["value"] == ""


# Comparison ----------------------------------------------------------------------------------


Compare = Callable[..., Comparison]


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    """Compare two models, each with a network of its own."""
    networks = {"first": ColourRuntime(), "second": ColourRuntime()}
    for name in networks:
        tiny_model(tmp_path / name, dataclasses.replace(CARD, name=name))
    monkeypatch.setattr(
        "lungscan.evaluation.judging.load_runtime", lambda card, *_: networks[card.name]
    )

    def call(data: DataOptions, second_sure: float = 0.9) -> Comparison:
        networks["second"].sure = second_sure
        models = (str(tmp_path / "first"), str(tmp_path / "second"))
        *_, last = comparison(*models, data, QUICK)
        assert isinstance(last, ComparisonFinished)
        return last.comparison

    return call


def test_equal_models_change_nothing(compare: Compare, data: Path) -> None:
    found = compare(DataOptions(data))
    assert found.changes == ()
    assert (found.both_right, found.only_a_right, found.only_b_right, found.both_wrong) == (
        *(22, 0, 0),
        2,
    )
    assert (found.mcnemar_p, found.difference.value) == (1.0, 0.0)
    assert "may be chance" in found.verdict


def test_every_changed_answer_is_named(compare: Compare, data: Path, tmp_path: Path) -> None:
    found = compare(DataOptions(data), second_sure=0.45)  # B is too unsure to answer
    assert len(found.changes) == 24
    first = found.changes[0]
    assert (first.file, first.answer_a, first.answer_b) == ("adeno/g0-0.png", "benign", "")
    assert first.forced_b == "benign"
    assert (found.answered_a.value, found.answered_b.value) == (1, 0)
    assert found.difference.value == 0  # by forced choice both are alike
    write_comparison(found, tmp_path / "out")
    rows = cells(tmp_path / "out" / "changes.csv")
    assert len(rows) == 24
    assert float(rows[0]["prob_a_benign"]) == pytest.approx(0.9)
    text = (tmp_path / "out" / "comparison.md").read_text(encoding="utf-8")
    assert text.count("no result (") == 24
    again = check_file("comparison.json", tmp_path / "out" / "comparison.json")
    assert decode(Comparison, again) == found


def test_a_model_that_names_the_wrong_class_is_found_out(compare: Compare, data: Path) -> None:
    found = compare(DataOptions(data), second_sure=0.05)  # B's best class is then never the true
    assert found.accuracy_b.value < 0.2
    assert found.only_a_right > 15
    assert found.mcnemar_p < 0.001
    assert (found.difference.high or 0) < 0
    assert "model A is the more accurate" in found.verdict
    assert "Believe the interval over groups" in found.verdict


def test_without_groups_nothing_is_to_be_believed_blindly(compare: Compare, tmp_path: Path) -> None:
    draw_folder(tmp_path / "d", groups=2)
    (tmp_path / "d" / "groups.csv").unlink()
    (tmp_path / "d" / "adeno" / "bad.png").write_bytes(b"x")
    found = compare(DataOptions(tmp_path / "d"))
    assert found.verdict.startswith("No groups are known")
    assert found.skipped == ("adeno/bad.png",)


def test_models_of_other_class_orders_compare_by_name(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = dataclasses.replace(
        CARD,
        name="turned",
        class_names=CARD.class_names[::-1],
        display_names=CARD.display_names[::-1],
        colors=CARD.colors[::-1],
    )
    tiny_model(tmp_path / "a")
    tiny_model(tmp_path / "b", turned)

    class Turned(ColourRuntime):
        def predict(self, batch):  # type: ignore[no-untyped-def]
            probs, features = super().predict(batch)
            return probs[:, ::-1], features

    monkeypatch.setattr(
        "lungscan.evaluation.judging.load_runtime",
        lambda card, *_: Turned() if card.name == "turned" else ColourRuntime(),
    )
    models = (str(tmp_path / "a"), str(tmp_path / "b"))
    *_, last = comparison(*models, DataOptions(data), QUICK)
    assert isinstance(last, ComparisonFinished)
    assert last.comparison.changes == ()


def test_a_class_that_one_model_lacks_is_refused(tmp_path: Path, compare: Compare) -> None:
    write_table(tmp_path / "s.csv", SPLIT, [("x", "colon", "1", "test")])
    draw_folder(tmp_path / "d", groups=1)
    with pytest.raises(UsageProblem, match="colon"):
        compare(DataOptions(tmp_path / "d", tmp_path / "s.csv"))
