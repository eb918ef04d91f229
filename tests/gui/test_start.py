"""How the window is started, and what is said where it cannot be; who imports what."""

from __future__ import annotations

import ast
import ctypes
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PyQt6.QtGui import QColor, QFont
from PyQt6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from lungscan_cli.main import main as shell
from lungscan_gui import main as start
from lungscan_gui.panels.queue import seen_on
from lungscan_gui.theme import Scheme, apply_theme, is_dark

ROOT = Path(__file__).parents[2]
GUI = ROOT / "gui" / "lungscan_gui"
COLOURS = ("#1a7f4b", "#8a6100", "#c0392b", "#6b7686")
OPEN = {
    "lungscan", "lungscan.errors", "lungscan.events", "lungscan.options", "lungscan.types",
    "lungscan.opening.apart",  # the processes of window and page are made by it
}  # fmt: skip


def test_the_shell_opens_the_window_on_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[Path]] = []
    monkeypatch.setattr(start, "start", lambda paths: given.append(paths) or 0)
    assert shell(["gui", "a.svs", "results"]) == 0
    assert given == [[Path("a.svs"), Path("results")]]


def test_on_a_terminal_the_shell_breaks_why_there_is_no_window_between_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "PyQt6.QtWidgets", None)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert shell(["gui"]) == 5
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Error: The window needs PyQt6")
    assert len(lines) > 1
    assert max(map(len, lines)) <= 60


def test_without_a_display_a_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert start.main([]) == 5
    assert "There is no display" in capsys.readouterr().err


def test_without_qt_a_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "PyQt6.QtWidgets", None)
    assert start.main([]) == 5
    assert 'python -m pip install "lungscan-histology[gui]"' in capsys.readouterr().err


def test_started_without_a_terminal_on_windows_it_says_so_in_a_box(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`lungscan-gui` has no console there: without the extra nothing at all happened."""
    told: list[str] = []

    def box(_owner: None, words: str, _title: str, _kind: int) -> None:
        told.append(words)

    user32 = SimpleNamespace(MessageBoxW=box)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(user32=user32), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setitem(sys.modules, "PyQt6.QtWidgets", None)
    assert start.main([]) == 5
    assert 'python -m pip install "lungscan-histology[gui]"' in told[0]


def test_the_window_opens_from_the_command_line_and_closes(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from PyQt6.QtCore import QTimer\n"
        "from lungscan_gui import window\n"
        "show = window.MainWindow.show\n"
        "def shown(self):\n"
        "    show(self)\n"
        "    QTimer.singleShot(0, self.close)\n"
        "window.MainWindow.show = shown\n"
        "from lungscan_gui.main import main\n"
        "sys.exit(main([]))\n"
    )
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    path = os.pathsep.join(str(ROOT / part) for part in (".", "gui", "models"))
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60,
        env=os.environ | home | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted(GUI.rglob("*.py")), ids=lambda p: str(p.relative_to(GUI)))
def test_the_inside_of_the_engine_is_imported_in_one_place(path: Path) -> None:
    inside = {
        name for name in imports_of(path) if name.split(".")[0] == "lungscan" and name not in OPEN
    }
    assert path.name == "engine.py" or not inside


@pytest.mark.parametrize("name", ["engine", "cases", "card", "thumbnail", "scanning/job",
                                  "scanning/child", "viewer/camera", "viewer/ladder",
                                  "viewer/tilemap", "review/draft"])  # fmt: skip
def test_what_can_do_without_qt_does(name: str) -> None:
    assert not any(module.startswith("PyQt6") for module in imports_of(GUI / f"{name}.py"))


def test_light_and_dark_are_told_apart(qtbot: QtBot) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, "dark")
    assert app.palette().window().color().lightness() < 80
    assert is_dark(app, "dark")
    apply_theme(app, "light")
    assert app.palette().window().color().lightness() > 200
    assert not is_dark(app, "light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_signs_of_the_list_are_seen_in_the_dark_too(qtbot: QtBot, scheme: Scheme) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, scheme)
    ground = app.palette().base().color()
    try:
        for colour in COLOURS:
            light, dark = sorted(map(luminance, (seen_on(ground, colour), ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) > 4.5, colour
    finally:
        apply_theme(app, "light")


def luminance(colour: QColor) -> float:
    """As WCAG has it."""
    red, green, blue = (
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
        for c in (colour.redF(), colour.greenF(), colour.blueF())
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_headings_grow_with_the_font_of_the_system(qtbot: QtBot, qapp: QApplication) -> None:
    usual, label = qapp.font(), QLabel("No result")
    label.setObjectName("answer")
    qtbot.addWidget(label)
    sizes = []
    try:
        for times in (1, 2):
            large = QFont(usual)
            large.setPointSizeF(times * usual.pointSizeF())
            qapp.setFont(large)
            apply_theme(qapp, "light")
            label.ensurePolished()
            sizes.append(label.fontMetrics().height())
    finally:
        qapp.setFont(usual)
        apply_theme(qapp, "light")
    assert sizes[1] > 1.8 * sizes[0]
