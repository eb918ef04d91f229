"""With ``--json`` an error is said to programs, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lungscan_cli.main import main

Captured = pytest.CaptureFixture[str]


def said(capsys: Captured) -> tuple[dict[str, object], str]:
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_an_error_of_ours_has_its_code_and_words(tmp_path: Path, capsys: Captured) -> None:
    assert main(["classify", str(tmp_path), "--json", "--out", str(tmp_path / "out")]) == 3
    answer, err = said(capsys)
    assert answer["exit_code"] == 3
    assert answer["error"]["code"] == "E_NOTHING"
    assert answer["error"]["message"].startswith("No slide or field image was found")
    assert answer["error"]["message"] in err  # people read it as ever


@pytest.mark.parametrize("wrong", [("--mpp", "thick"), ("--no-such",), ()])
def test_an_option_that_is_refused_is_one_of_them(wrong: tuple[str, ...], capsys: Captured) -> None:
    assert main(["classify", *wrong, "--json"]) == 2
    answer, _ = said(capsys)
    assert (answer["error"]["code"], answer["exit_code"]) == ("E_USAGE", 2)
    assert answer["error"]["message"]


def test_the_environment_may_ask_for_it(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNGSCAN_JSON", "1")
    assert main(["verify", str(tmp_path)]) == 3
    assert said(capsys)[0]["error"]["code"] == "E_NOTHING"


def test_what_nobody_expected_has_a_code(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr("lungscan_cli.jobs.verifying.run_verify", fail)
    monkeypatch.setattr("lungscan_cli.commands.verify.run_verify", fail, raising=False)
    assert main(["verify", str(tmp_path), "--json"]) == 70
    assert said(capsys)[0]["error"]["code"] == "E_UNEXPECTED"


def test_without_it_stdout_stays_empty(tmp_path: Path, capsys: Captured) -> None:
    assert main(["classify", str(tmp_path), "--out", str(tmp_path / "out")]) == 3
    assert main(["verify", str(tmp_path), "--", "--json"]) != 0
    assert capsys.readouterr().out == ""
