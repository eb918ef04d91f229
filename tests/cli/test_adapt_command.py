"""``lungscan adapt`` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lungscan.adaptation.records import Adapted, AdaptOptions, AdaptResult, Found, Shares, Step
from lungscan.model.card import Metric
from lungscan_cli.main import main
from tests.models import CARD


def test_what_was_typed_reaches_the_engine_and_the_gain_is_shown(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[AdaptOptions, Path]] = []
    right = Metric("right", 0.9, 0.8, 0.95, 40, 20)
    before = Shares(40, 20, 0.05, Metric("right", 0.3, 0.2, 0.4, 40, 20), None)

    def fake(card: object, options: AdaptOptions, out: Path) -> object:
        seen.append((options, out))
        yield Step("Reading your fields")
        yield Found("40 fields")
        yield Adapted(AdaptResult(CARD, before, Shares(40, 20, 0.85, right, right), None, None))

    monkeypatch.setattr("lungscan.adaptation.adapt.adapting", fake)
    words = ["adapt", str(model), str(tmp_path), "--out", "mine", "--mpp", "0.5", "--folds", "4"]
    words += ["--reviews", str(tmp_path)]
    assert main(words) == 0
    ((options, out),) = seen
    assert (options.fields, options.mpp, options.folds, out) == (tmp_path, 0.5, 4, Path("mine"))
    assert options.reviews == tmp_path
    command = f"lungscan adapt {model.name} {tmp_path.name} --out mine --mpp 0.5"
    command += f" --reviews {tmp_path.name} --folds 4"
    assert options.command == command
    printed = capsys.readouterr()
    assert "5.0 %" in printed.out
    assert "85.0 %" in printed.out
    assert "lungscan classify --model mine --mpp 0.5`" in printed.err
    assert "is not known" not in printed.err
    assert main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["after"]["answered"] == 0.85
    assert data["unproven"] == ""


def test_without_labels_it_says_that_nobody_knows_how_often_it_is_right(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = Shares(40, 0, 0.05, None, None), Shares(40, 0, 0.85, None, None)

    def fake(card: object, options: AdaptOptions, out: Path) -> object:
        yield Adapted(AdaptResult(CARD, before, after, None, None))

    monkeypatch.setattr("lungscan.adaptation.adapt.adapting", fake)
    assert main(["adapt", str(model), str(tmp_path), "--out", "mine"]) == 0
    printed = " ".join(capsys.readouterr().err.split())
    assert "How often it is right on your tissue is not known, as no labels were given." in printed
    assert "one that it was never taught may pass for lung" in printed


def test_an_empty_folder_is_refused_in_one_sentence(
    real_model: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fields").mkdir()
    folder = str(real_model.folder)  # type: ignore[attr-defined]
    assert main(["adapt", folder, str(tmp_path / "fields"), "--out", str(tmp_path / "m")]) == 3
    assert "No slide or field image was found" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()
