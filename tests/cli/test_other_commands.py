"""`models`, `report` and `doctor`, over fakes of what they call."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from rich.console import Console

from lungscan.errors import ModelError
from lungscan.layout import LOCK
from lungscan.model import checked as cards
from lungscan_cli.main import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A model folder and its card, as the only shipped model."""
    (tmp_path / "card.json").write_text('{"name": "tiny", "version": "2.0"}', encoding="utf-8")
    (tmp_path / "README.md").write_text("# Tiny\n\nKnows [little].\n", encoding="utf-8")
    card = SimpleNamespace(
        name="tiny",
        version="2.0",
        summary="Two classes",
        display_names=("Tumour", "Benign"),
        patch_size_pixels=224,
        spacing_um_px=0.5,
        licence="Apache-2.0",
        sha256="ab" * 32,
        folder=tmp_path,
        facts=(("Grouped test accuracy", "91 % (88 to 94)"),),
    )

    def find_model(name: str) -> SimpleNamespace:
        if name != "tiny":
            raise ModelError(f"There is no model {name!r}.")
        return card

    monkeypatch.setattr(cards, "list_models", lambda: (card,))
    monkeypatch.setattr(cards, "find_model", find_model)
    return card


@pytest.mark.usefixtures("card")
def test_models_list_names_the_models_on_stdout(capsys: Captured) -> None:
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr()
    assert "tiny" in shown.out
    assert "Tumour, Benign" in shown.out
    assert main(["models", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"] == [{"name": "tiny", "version": "2.0"}]


@pytest.mark.usefixtures("card")
def test_models_show_prints_main_fields_and_the_card_for_people(capsys: Captured) -> None:
    assert main(["models", "show", "tiny"]) == 0
    out = capsys.readouterr().out
    for text in ("224 x 224 px at 0.5 µm/px", "Apache-2.0", "91 % (88 to 94)", "Knows [little]."):
        assert text in out
    assert main(["models", "show", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "tiny"


def test_on_a_terminal_no_limit_of_a_model_is_cut(
    card: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = "All training fields come from one source, and most lung of others is refused as it is."
    text = f"## Limits\n\n- {limit}\n\n![Accuracy](coverage.svg)\n"
    (card.folder / "README.md").write_text(text, encoding="utf-8")
    screen = Console(file=io.StringIO(), force_terminal=True, width=60, color_system=None)
    monkeypatch.setattr("lungscan_cli.console.answers", lambda: screen)
    assert main(["models", "show", "tiny"]) == 0
    shown = screen.file.getvalue()  # type: ignore[attr-defined]
    assert limit in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 60
    assert "\N{CITYSCAPE AT DUSK}" not in shown, "a picture that no terminal shows"


@pytest.mark.usefixtures("card")
def test_an_unknown_model_ends_with_4(capsys: Captured) -> None:
    assert main(["models", "show", "huge"]) == 4
    assert capsys.readouterr().err == "Error: There is no model 'huge'.\n"


def test_report_rebuilds_and_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    asked: list[tuple[Path, str | None]] = []

    def rebuild(out: Path, *, pdf: str | None) -> SimpleNamespace:
        asked.append((out, pdf))
        assert (out / LOCK).exists()
        return SimpleNamespace(cases=1204, notices=("cases.csv is open",))

    module = ModuleType("lungscan.report.write")
    module.rebuild = rebuild  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lungscan.report.write", module)
    assert main(["report", str(tmp_path)]) == 0
    assert main(["report", str(tmp_path), "--pdf", "none"]) == 0
    assert asked == [(tmp_path, None), (tmp_path, "none")]
    err = capsys.readouterr().err
    assert "1,204 cases" in err
    assert "Note: cases.csv is open" in err
    assert main(["report", str(tmp_path / "none")]) == 2


@dataclass(frozen=True)
class Check:
    """As the engine's record."""

    name: str
    state: str
    detail: str


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("warning", 0), ("failed", 5)])
def test_doctor_prints_each_check_and_fails_with_5(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, state: str, code: int
) -> None:
    module = ModuleType("lungscan.self_check")
    module.examine = lambda: iter((Check("Device", "ok", "CPU"), Check("Model", state, "[golden]")))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lungscan.self_check", module)
    assert main(["doctor"]) == code
    out = capsys.readouterr().out
    assert "[golden]" in out
    assert out.count("\n") == 3
    assert main(["doctor", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["checks"][1] == {
        "name": "Model",
        "state": state,
        "detail": "[golden]",
    }


def test_on_a_terminal_a_long_check_goes_on_under_its_column(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("lungscan.self_check")
    module.examine = lambda: iter((Check("Processor", "ok", "eight words " * 6),))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lungscan.self_check", module)
    screen = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr("lungscan_cli.console.answers", lambda: screen)
    assert main(["doctor"]) == 0
    first, second, *_ = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert first.index("eight") == len(second) - len(second.lstrip())
