"""`verify`: the table for people, the object for programs, the exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lungscan.report.write import write_case_files, write_run_files
from lungscan.results.run_json import summarise
from lungscan_cli.main import main
from tests.results import field_result, slide_result

Captured = pytest.CaptureFixture[str]
SLIDE = "ward-7-0123abcd"
RESULTS = (
    replace(field_result("b.png"), key="b-0123abcd"),
    replace(slide_result(), key=SLIDE),
)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The files of a run, without its images."""
    for result in RESULTS:
        write_case_files(
            tmp_path / "out" / "cases" / result.key, result,
            pdf=True, heatmap=True, geojson=True, tiles_csv=True,
        )  # fmt: skip
    write_run_files(tmp_path / "out", RESULTS, summarise(RESULTS), pdf=True)
    return tmp_path / "out"


def verify(*words: object, code: int) -> None:
    assert main(["verify", *map(str, words)]) == code


@pytest.fixture(autouse=True)
def _same_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawn results name no model that exists."""
    monkeypatch.setattr("lungscan.verification.verify.check_models", lambda *_: iter(()))


def test_0_nothing_changed(out: Path, capsys: Captured) -> None:
    verify(out, code=0)
    shown = capsys.readouterr()
    assert "Nothing changed." in shown.out
    assert "not checked" in shown.out
    assert "lungscan verify DIR slides/" in " ".join(shown.out.split())
    verify(out, "--quiet", code=0)
    assert capsys.readouterr().out == ""


def test_1_something_changed_is_named(out: Path, capsys: Captured) -> None:
    (out / "cases" / SLIDE / "heatmap.png").write_bytes(b"x")
    (out / "cases.csv").unlink()
    verify(out, "-q", code=1)
    text = capsys.readouterr().out
    assert "missing" in text
    assert "changed" in text
    assert "2 files amiss" in text
    verify(out, "--json", code=1)
    data = json.loads(capsys.readouterr().out)
    assert data["exit_code"] == 1
    assert data["same"]["output"] > 5
    amiss = {(c["area"], c["path"], c["state"]) for c in data["found"]}
    assert amiss >= {
        ("output", "cases.csv", "missing"),
        ("output", f"cases/{SLIDE}/heatmap.png", "changed"),
    }
    assert data["found"][0]["text"]


def test_names_from_outside_are_harmless_on_a_terminal(
    out: Path, tmp_path: Path, capsys: Captured
) -> None:
    evil = replace(field_result("\x1b[2J[red]b.png"), key="evil-0123abcd")
    write_case_files(
        out / "cases" / evil.key, evil, pdf=False, heatmap=False, geojson=False, tiles_csv=False
    )
    write_run_files(out, (evil,), summarise([evil]), pdf=False)
    (tmp_path / "in").mkdir()
    verify(out, tmp_path / "in", code=1)
    text = capsys.readouterr().out
    assert "\x1b[2J" not in text
    assert "[red]b.png" in "".join(text.split())


def test_2_wrong_usage(out: Path, tmp_path: Path) -> None:
    verify(tmp_path / "none", code=2)
    verify(out, tmp_path / "none", code=2)


def test_3_no_results_there(tmp_path: Path, capsys: Captured) -> None:
    verify(tmp_path, code=3)
    assert "holds no results" in capsys.readouterr().err


def test_4_an_unknown_model(out: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.undo()
    verify(out, "--model", "no-such-model", code=4)
    assert "no-such-model" in capsys.readouterr().err


def test_6_a_run_is_writing_there(out: Path, capsys: Captured) -> None:
    (out / ".lungscan-lock").write_text('{"pid": 17, "host": "another-machine"}')
    verify(out, code=6)
    assert "process 17 on another-machine" in capsys.readouterr().err
