"""`classify --deidentify`: what the shell shows bears no name either."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lungscan_cli.main import main
from tests.cli.fake_engine import FakeEngine
from tests.engine.scanning import make_field, make_slide
from tests.models import FakeRuntime

Captured = pytest.CaptureFixture[str]
NAMES = ("quaxby", "ward7", "zorven")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "ward7"
    make_slide(folder / "Quaxby.svs", 512, 512)
    make_field(folder / "Quaxby.png")
    (folder / "Quaxby cut.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "zorven.csv").write_text("file,case\nQuaxby.png,Zorven\n")
    return folder


def classify(model: Path, *words: object) -> int:
    line = ["classify", *words, "--model", model, "--threads", 1]
    return main([str(word) for word in line])


def shown(capsys: Captured) -> str:
    found = capsys.readouterr()
    return (found.out + found.err).lower()


@pytest.mark.parametrize("more", [(), ("--json",), ("--quiet",), ("--dry-run",)])
def test_a_run_shows_pseudonyms(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path, capsys: Captured,
    more: tuple[str, ...],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    words = (folder, "--cases", folder / "zorven.csv", "--out", out, "--pdf", "none", *more)
    expected = 0 if "--dry-run" in more else 1
    assert classify(model, *words, "--deidentify", "--names", tmp_path / "n.csv") == expected
    text = shown(capsys)
    assert not [name for name in NAMES if name in text]
    assert "case-" in text
    assert (tmp_path / "n.csv").exists() is ("--dry-run" not in more)
    assert classify(model, *words, "--fresh") == expected
    assert "quaxby" in shown(capsys)


def test_going_on_verify_and_report_show_pseudonyms(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path, capsys: Captured
) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        assert classify(model, folder, "--out", out, "--pdf", "none", "--deidentify") == 1
    assert main(["report", str(out)]) == 0
    verify = ["verify", str(out), str(folder), "--model", str(model), "--json"]
    shown(capsys)
    assert main(verify) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["same"]["input"] == 2
    (folder / "Quaxby.png").unlink()
    assert main(verify) == 1
    assert not [name for name in NAMES if name in shown(capsys)]


@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_path_that_is_not_there_is_not_named(
    engine: FakeEngine, slide: Path, tmp_path: Path, capsys: Captured,
    monkeypatch: pytest.MonkeyPatch, way: str,
) -> None:  # fmt: skip
    lost = str(tmp_path / "Quaxby.svs")
    calls = [[lost], [str(slide), "--cases", lost], [str(slide), "--cases", str(tmp_path)],
             [str(slide), "--names", str(tmp_path)]]  # fmt: skip
    for call in calls:
        assert main(["classify", *call]) == 2
        assert Path(call[-1]).name.lower() in shown(capsys)
    more = ["--deidentify"] if way == "option" else []
    if way == "environment":
        monkeypatch.setenv("LUNGSCAN_DEIDENTIFY", "1")
    for call in calls:
        assert main(["classify", *call, *more]) == 2
        text = shown(capsys)
        assert "it does not exist, or is not what is wanted here" in " ".join(text.split())
        assert Path(call[-1]).name.lower() not in text


def test_debugging_shows_no_name(
    model: Path, tmp_path: Path, folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNGSCAN_DEBUG", "1")
    (folder / "zorven.csv").write_bytes(b"file,case\nQuaxby\xff,Zorven\n")
    words = (folder, "--cases", folder / "zorven.csv", "--out", tmp_path / "out")
    assert classify(model, *words, "--deidentify") == 2
    text = shown(capsys)
    assert "traceback" in text
    assert not [name for name in NAMES if name in text]
