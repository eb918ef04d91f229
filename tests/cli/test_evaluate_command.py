"""`lungscan evaluate` and `lungscan compare`, over drawn fields and a network of colours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from lungscan.evaluation import writing
from lungscan.evaluation.events import FieldsJudged, JudgingStarted
from lungscan.evaluation.writing import NEEDS_MATPLOTLIB
from lungscan_cli.main import main
from lungscan_cli.views.judging import (
    JudgingBarView,
    JudgingView,
    QuietJudgingView,
    judging_view,
)
from tests.labelled import CLASSES, ColourRuntime, draw_class, draw_folder, write_split

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with data, two split files, and the network."""
    rows = draw_folder(tmp_path / "data", wrong=("adeno/g0-0.png",))
    write_split(tmp_path / "split.csv", rows)
    write_split(tmp_path / "leak.csv", rows, leaking=True)
    network = ColourRuntime()
    monkeypatch.setattr("lungscan.evaluation.judging.load_runtime", lambda *_: network)
    # Figures take the longest of all; the engine's tests draw them.
    monkeypatch.setattr(writing, "drawn_figures", lambda _: ({}, NEEDS_MATPLOTLIB))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lungscan(*words: object) -> int:
    return main([str(word) for word in words])


def test_the_figures_are_printed_and_filed(here: Path, model: Path, capsys: Captured) -> None:
    assert lungscan("evaluate", model, "data", "--split", "split.csv", "--out", "o") == 0
    captured = capsys.readouterr()
    assert "6 fields in 3 groups (grouped)" in captured.out
    assert "83.3 % (50.0 to 100.0)" in captured.out
    assert "Adenocarcinoma" in captured.out
    assert "Research use only" in captured.out
    assert "LEAKING" not in captured.out
    assert "Judging 6 fields" in captured.err
    assert "matplotlib is not installed" in captured.err
    assert "In o: evaluation.json, metrics.csv" in captured.err
    assert {"metrics.csv", "predictions.csv", "evaluation.md", "errors.html"} <= {
        path.name for path in (here / "o").iterdir()
    }


@pytest.mark.usefixtures("here")
def test_a_leak_comes_first(model: Path, capsys: Captured) -> None:
    assert lungscan("evaluate", model, "data", "--split", "leak.csv") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "LEAKING SPLIT" in lines[0]
    assert lines[1].startswith("LEAKING SPLIT: 12 of the 12 groups")


@pytest.mark.usefixtures("here")
def test_without_a_split_the_whole_folder_is_judged_and_that_is_reported(
    model: Path, capsys: Captured
) -> None:
    assert lungscan("evaluate", model, "data") == 0
    out = capsys.readouterr().out
    assert "24 fields in 12 groups (whole folder)" in out
    assert "No split file was given" in out
    assert "No groups are known" not in out


def test_without_groups_the_intervals_are_called_too_narrow(
    here: Path, model: Path, capsys: Captured
) -> None:
    (here / "data" / "groups.csv").unlink()
    assert lungscan("evaluate", model, "data") == 0
    assert "the intervals are too narrow" in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_json_is_one_object_on_stdout(model: Path, capsys: Captured) -> None:
    assert lungscan("evaluate", model, "data", "--json", "--seed", "5") == 0
    data = json.loads(capsys.readouterr().out)
    figures = {metric["name"]: metric["value"] for metric in data["metrics"]}
    assert figures["accuracy"] == pytest.approx(23 / 24)
    assert data["data"]["protocol"] == "whole folder"
    assert ["seed", "5"] in data["settings"]
    assert len(data["answers"]) == 24


@pytest.mark.usefixtures("here")
def test_robustness_adds_a_table(model: Path, capsys: Captured) -> None:
    words = ("--split", "split.csv", "--robustness", "--out", "o")
    assert lungscan("evaluate", model, "data", *words) == 0
    captured = capsys.readouterr()
    assert "haematoxylin −40 %".replace(" ", "\xa0") in captured.out
    assert "blur 2 px (11 of 20)" in captured.err
    assert "robustness.csv" in captured.err


def test_a_broken_field_is_reported_and_the_others_go_on(
    here: Path, model: Path, capsys: Captured
) -> None:
    (here / "data" / "benign" / "g0-0.png").write_bytes(b"x")
    assert lungscan("evaluate", model, "data") == 1
    assert "1 field could not be read" in capsys.readouterr().out


def test_an_unknown_class_is_one_sentence(here: Path, model: Path, capsys: Captured) -> None:
    draw_class(here / "data" / "colon" / "a.png", "adeno", 1)
    assert lungscan("evaluate", model, "data") == 2
    err = capsys.readouterr().err
    assert "Error: The data have the classes adeno, benign, colon, squamous, but tiny knows" in err
    assert not (here / "lungscan-evaluation").exists()


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("data", "--split", "no.csv"), 2, "no.csv"),
        (("data", "--part", "tset"), 2, "tset"),
        (("nowhere",), 2, "nowhere"),
        (("empty",), 3, "one sub-folder per class"),
        (("data", "--mpp", "50"), 2, "50"),
    ],
)
def test_wrong_calls(
    here: Path, model: Path, words: tuple[str, ...], code: int, expected: str, capsys: Captured
) -> None:
    (here / "empty").mkdir()
    assert lungscan("evaluate", model, *words) == code
    assert expected in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_no_such_model(capsys: Captured) -> None:
    assert lungscan("evaluate", "no-such-model", "data") == 4
    assert "There is no model" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_quiet_prints_nothing_and_files_all(model: Path, capsys: Captured) -> None:
    assert lungscan("evaluate", model, "data", "-q", "--out", "o") == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert Path("o/metrics.csv").is_file()


@pytest.mark.usefixtures("here")
def test_ctrl_c_says_what_became_of_it(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lungscan.evaluation.evaluate.load_judge", interrupted)
    assert lungscan("evaluate", model, "data") == 130
    assert "nothing was written" in capsys.readouterr().err


# Compare -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_equal_models_have_no_changed_answer(model: Path, capsys: Captured) -> None:
    assert lungscan("compare", model, model, "data", "--split", "split.csv") == 0
    captured = capsys.readouterr()
    assert "No answer changes." in captured.out
    assert "cannot be told from 3 groups" in " ".join(captured.out.split())
    assert "model A, tiny (1 of 2)" in captured.err
    assert not Path("lungscan-evaluation").exists()


class Fickle(ColourRuntime):
    """Sure of its answers until it has seen ``limit`` tiles."""

    def predict(self, batch):  # type: ignore[no-untyped-def]
        self.sure = 0.9 if self.tiles < 24 else 0.4
        return super().predict(batch)


@pytest.mark.usefixtures("here")
def test_every_changed_answer_is_printed(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    network = Fickle()
    monkeypatch.setattr("lungscan.evaluation.judging.load_runtime", lambda *_: network)
    assert lungscan("compare", model, model, "data", "--out", "c") == 0
    out = capsys.readouterr().out
    for label in CLASSES:
        for group in range(4):
            assert f"{label}/g{group}-1.png" in out
    assert out.count("no result (") == 24
    assert "wrong: benign" in out  # A, of the field that is drawn as the next class
    assert "24 answers of 24 fields changed" in out
    assert "0.05 0.90 0.05" in out
    assert {path.name for path in Path("c").iterdir()} == {
        *("comparison.json", "comparison.md"),
        "changes.csv",
    }


@pytest.mark.usefixtures("here")
def test_a_comparison_as_json(model: Path, capsys: Captured) -> None:
    assert lungscan("compare", model, model, "data", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["both_right"], data["both_wrong"], data["mcnemar_p"]) == (23, 1, 1.0)
    assert data["use"].startswith("Research use only")


# Views ---------------------------------------------------------------------------------------


def console(*, terminal: bool) -> Console:
    return Console(force_terminal=terminal, record=True, width=100, stderr=True)


def test_lines_tell_how_long_it_takes() -> None:
    now = 0.0
    screen = console(terminal=False)
    view = JudgingView(screen, clock=lambda: now)
    view.started(JudgingStarted("fields as they are", 100, 1, 2))
    now = 10.0
    view.judged(FieldsJudged(50))
    now = 12.0
    view.judged(FieldsJudged(60))  # too soon for another line
    view.judged(FieldsJudged(100))
    view.started(JudgingStarted("blur 1 px", 100, 2, 2))
    now = 30.0
    view.judged(FieldsJudged(50))
    text = screen.export_text()
    assert "Judging 100 fields: fields as they are (1 of 2)" in text
    assert "50 of 200 fields, about 30 s left" in text
    assert "60 of 200" not in text
    assert "150 of 200 fields, about 10 s left" in text


def test_a_bar_runs_over_all_rounds() -> None:
    screen = console(terminal=True)
    view = JudgingBarView(screen)
    with view:
        view.started(JudgingStarted("fields as they are", 10, 1, 2))
        view.judged(FieldsJudged(10))
        view.started(JudgingStarted("blur 1 px", 8, 2, 2))
        view.judged(FieldsJudged(4))
    text = screen.export_text()
    assert "14/18" in text
    assert "blur 1 px" in text


def test_the_view_suits_the_place() -> None:
    assert isinstance(judging_view(console(terminal=True), quiet=False), JudgingBarView)
    assert isinstance(judging_view(console(terminal=False), quiet=False), JudgingView)
    assert type(judging_view(console(terminal=True), quiet=True)) is QuietJudgingView
