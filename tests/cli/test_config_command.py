"""Options from files and the environment: which wins, where each comes from, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lungscan_cli.main import main
from tests.cli.fake_engine import FakeEngine

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; the user's own settings lie in ``home`` beside it."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("click.get_app_dir", lambda name: str(tmp_path / "home" / name))
    (tmp_path / "home" / "lungscan").mkdir(parents=True)
    return folder


def keep(here: Path, text: str, *, user: bool = False) -> None:
    folder = here.parent / "home" / "lungscan" if user else here
    (folder / "lungscan.toml").write_text(text, encoding="utf-8")


def shown(capsys: Captured, *arguments: str) -> dict[str, Any]:
    """The settings of `config show`, by option."""
    capsys.readouterr()
    assert main(["config", "show", *arguments, "--json"]) == 0
    return {s["option"]: s for s in json.loads(capsys.readouterr().out)["settings"]}


def test_each_place_wins_over_the_next(
    here: Path, engine: FakeEngine, slide: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Flag, then variable, then the file here, then the user's, then the default."""

    def rule(*flags: str) -> str:
        assert main(["classify", str(slide), "--quiet", *flags]) == 0
        return engine.options.rule

    first = rule()
    assert first == "tumour-aware"
    assert shown(capsys, "classify")["rule"]["source"] == "default"
    keep(here, '[classify]\nrule = "mean"\n', user=True)
    assert rule() == "mean"
    assert shown(capsys, "classify")["rule"]["source"].endswith("home/lungscan/lungscan.toml")
    keep(here, 'rule = "majority"\n')
    assert rule() == "majority"
    assert shown(capsys, "classify")["rule"]["source"] == "./lungscan.toml"
    monkeypatch.setenv("LUNGSCAN_RULE", "mean")
    assert rule() == "mean"
    assert shown(capsys, "classify")["rule"]["source"] == "LUNGSCAN_RULE"
    assert rule("--rule", "tumour-aware") == "tumour-aware"


def test_a_table_is_one_command_s_and_the_rest_everybody_s(here: Path, capsys: Captured) -> None:
    keep(here, 'device = "cpu"\n[classify]\ndevice = "cpu-fp32"\nheatmap = false\n')
    classify, demo = shown(capsys, "classify"), shown(capsys, "demo")
    assert classify["device"]["value"] == "cpu-fp32"
    assert demo["device"]["value"] == "cpu"
    assert classify["heatmap"]["value"] is False


def test_a_value_reaches_the_run_with_its_type(here: Path, engine: FakeEngine, slide: Path) -> None:
    keep(here, '[classify]\nmpp = 0.25\nbatch-size = 8\ngeojson = false\nout = "elsewhere"\n')
    assert main(["classify", str(slide), "--quiet"]) == 0
    found = engine.options
    assert (found.mpp, found.batch_size, found.geojson) == (0.25, 8, False)
    assert found.out == Path("elsewhere")


def test_out_for_everybody_is_that_of_results_only(here: Path, capsys: Captured) -> None:
    """As LUNGSCAN_OUT: a model must not be written where results go."""
    keep(here, 'out = "results"\n')
    assert shown(capsys, "classify")["out"]["value"] == "results"
    assert shown(capsys, "train")["out"]["source"] == "default"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('devic = "cpu"', "devic is no option of LungScan. Did you mean device?"),
        ("[clasify]\nmpp = 1", "[clasify] is no option of LungScan. Did you mean classify?"),
        ("[classify]\nmp = 1", "[classify] mp is no option of LungScan. Did you mean mpp?"),
        ("[classify]\nmpp = true", "true or false is not wanted"),
        ("[classify]\nheatmap = 1", "true or false is wanted"),
        ('[classify]\npdf = "all"', "'all' is not one of"),
        ("[classify]\nmpp = [1]", "one value is wanted"),
        ("[classify]\nmpp = 2020-01-01", "a date is no value"),
        ("[classify", "is no TOML file"),
    ],
)
def test_what_no_option_can_have_is_refused_before_work(
    here: Path, engine: FakeEngine, slide: Path, text: str, message: str, capsys: Captured
) -> None:
    keep(here, text)
    assert main(["classify", str(slide)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "lungscan.toml" in error
    assert engine.options is None


def test_another_command_s_option_stops_nobody(here: Path, capsys: Captured) -> None:
    keep(here, 'rule = "mean"\n[train]\nseed = 3\n')
    assert main(["models", "list", "--json"]) == 0


def test_show_names_files_changes_and_strange_variables(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    keep(here, '[classify]\npdf = "none"\n')
    monkeypatch.setenv("LUNGSCAN_DEVCIE", "cpu")
    monkeypatch.setenv("LUNGSCAN_DEBUG", "1")
    assert main(["config", "show", "--changed"]) == 0
    out, error = capsys.readouterr()
    assert "./lungscan.toml: read" in out
    assert "home/lungscan/lungscan.toml: not there" in out.replace("\n", "")
    assert "pdf  none  (./lungscan.toml)" in out
    assert "abstain" not in out
    assert "LUNGSCAN_DEVCIE is set, but no command knows it." in error
    assert "LUNGSCAN_DEBUG" not in error


def test_show_says_which_variable_cannot_be_used(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("LUNGSCAN_MPP", "much")
    assert main(["config", "show", "classify"]) == 2
    assert "mpp: 'much' is not a valid float" in capsys.readouterr().err


def test_show_lists_every_option_of_every_command(here: Path, capsys: Captured) -> None:
    assert main(["config", "show", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["settings"]
    pairs = {(setting["command"], setting["option"]) for setting in found}
    assert {("classify", "mpp"), ("models list", "json"), ("train", "recipe")} <= pairs
    assert all(setting["source"] == "default" for setting in found)
    assert main(["config", "show", "clasify"]) == 2
