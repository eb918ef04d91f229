"""All that can be done by keyboard: one table for menus, keys and the page of keys (F1)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QMainWindow, QMenu

from lungscan_gui.words import as_typed


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that can be done."""

    menu: str
    text: str
    keys: tuple[str, ...]
    name: str  # method of the window


# What is called "delete" on a Mac's keyboard is Backspace elsewhere, and most have no other.
REMOVE = ("Del", "Backspace") if sys.platform == "darwin" else ("Del",)
COMMANDS = (
    Command("File", "Open files ...", ("Ctrl+O",), "open_files"),
    Command("File", "Open folder ...", ("Ctrl+Shift+O",), "open_folder"),
    Command("File", "Open results ...", ("Ctrl+R",), "open_results"),
    Command("File", "Open the demo slide", (), "open_demo"),
    Command("File", "Export report (PDF) ...", ("Ctrl+E",), "export_report"),
    Command("File", "Copy picture", ("Ctrl+C",), "copy_picture"),
    Command("File", "Quit", ("Ctrl+Q",), "close"),
    Command("Case", "Analyse", ("Ctrl+Return", "Ctrl+Enter"), "analyse"),
    Command("Case", "Analyse all", ("Ctrl+Shift+Return",), "analyse_all"),
    Command("Case", "Cancel", ("Esc",), "cancel"),
    Command("Case", "Retry failed", (), "retry_failed"),
    Command("Case", "Next case", ("Ctrl+PgDown",), "next_case"),
    Command("Case", "Previous case", ("Ctrl+PgUp",), "previous_case"),
    Command("Case", "Remove from the list", REMOVE, "remove_case"),
    Command("Case", "Move up", ("Alt+Up",), "move_up"),
    Command("Case", "Move down", ("Alt+Down",), "move_down"),
    Command("Case", "Compare with another model or run", ("Ctrl+D",), "compare_sides"),
    Command("Case", "Compare with the run in ...", ("Ctrl+Shift+D",), "compare_run"),
    Command("Case", "Next changed tile", ("J",), "next_change"),
    Command("Case", "Previous changed tile", ("K",), "previous_change"),
    Command("Case", "Use a model of your own ...", ("Ctrl+M",), "use_model"),
    Command("Case", "Adapt a model to your own slides ...", ("Ctrl+Shift+M",), "open_adapting"),
    Command("Case", "Train a model ...", ("Ctrl+T",), "open_training"),
    Command("Review", "Agree", ("A",), "agree"),
    Command("Review", "Disagree", ("D",), "disagree"),
    Command("Review", "Not assessable", ("X",), "not_assessable"),
    Command("Review", "Leave out a region, by its corners", ("R",), "leave_out_region"),
    Command("Review", "Leave out a region, drawn freehand", ("L",), "leave_out_freehand"),
    Command("Review", "Let the last region count again", ("Shift+R",), "remove_region"),
    Command("Review", "Undo", ("Ctrl+Z",), "undo_review"),
    Command("Review", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo_review"),
    Command("Review", "Save review", ("Ctrl+S",), "save_review"),
    Command("Review", "Export all reviews (CSV) ...", (), "export_reviews"),
    Command("View", "Fit", ("F",), "fit"),
    Command("View", "Zoom in", ("+", "="), "zoom_in"),
    Command("View", "Zoom out", ("-",), "zoom_out"),
    Command("View", "Magnify 1x", ("1",), "magnify_1"),
    Command("View", "Magnify 5x", ("2",), "magnify_5"),
    Command("View", "Magnify 10x", ("3",), "magnify_10"),
    Command("View", "Magnify 20x", ("4",), "magnify_20"),
    Command("View", "Magnify 40x", ("5",), "magnify_40"),
    Command("View", "Show or hide the map", ("H",), "toggle_map"),
    Command("View", "Outlines only", ("O",), "toggle_fill"),
    Command("View", "Next tile of the evidence", ("N",), "next_tile"),
    Command("View", "Previous tile of the evidence", ("P",), "previous_tile"),
    Command("View", "Next slice of a series, or next case", ("PgDown",), "page_down"),
    Command("View", "Previous slice of a series, or previous case", ("PgUp",), "page_up"),
    Command("View", "Next image of a case", ("Alt+PgDown",), "next_file"),
    Command("View", "Previous image of a case", ("Alt+PgUp",), "previous_file"),
    Command("View", "Explain this tile or slice", ("E",), "explain_tile"),
    Command("View", "Read the image again", ("F5",), "reopen"),
    Command("View", "Colours by the image's profile", ("C",), "toggle_profile"),
    Command("View", "Colours: system", (), "scheme_system"),
    Command("View", "Colours: light", (), "scheme_light"),
    Command("View", "Colours: dark", (), "scheme_dark"),
    Command("Help", "Keys", ("F1", "?"), "show_keys"),
    Command("Help", "Model card", (), "show_card"),
    Command("Help", "What this machine computes with", (), "ask_machine"),
)
MOUSE = (
    ("Wheel", "Zoom at the cursor"),
    ("Drag, arrow keys, two fingers", "Pan"),
    ("Double click", "Fit"),
    ("Ctrl+wheel", "Opacity of the map"),
    ("Alt+wheel", "Through the slices of a series"),
)


def add_commands(window: QMainWindow) -> dict[str, QAction]:
    """Put all commands into the menus of a window that has their methods."""
    bar = window.menuBar()
    menus = {}
    actions = {}
    for command in COMMANDS:
        if command.menu not in menus and bar is not None:
            menus[command.menu] = bar.addMenu(f"&{command.menu}")
        action = QAction(command.text, window)
        action.setShortcuts([QKeySequence(key) for key in command.keys])
        do: Callable[[], object] = getattr(window, command.name)
        action.triggered.connect(lambda _=False, do=do: do())
        menu = menus[command.menu]
        if menu is not None:
            menu.addAction(action)
        actions[command.name] = action
    return actions


def add_recent(
    menu: QMenu, recent: Callable[[], list[Path]], show: Callable[[Path], None]
) -> QMenu:
    """A menu of what was opened lately, made anew whenever it is shown."""
    below = QMenu("Open recent", menu)

    def fill() -> None:
        below.clear()
        for path in recent():
            action = QAction(str(path), below)
            action.triggered.connect(lambda _=False, path=path: show(path))
            below.addAction(action)

    below.aboutToShow.connect(fill)
    menu.insertMenu(menu.actions()[3], below)
    return below


def keys_html() -> str:
    """The page of keys."""
    rows = [f"<tr><td><b>{what}</b></td><td>{does}</td></tr>" for what, does in MOUSE]
    rows += [
        f"<tr><td><b>{' or '.join(command.keys)}</b>&nbsp;&nbsp;</td><td>{command.text}</td></tr>"
        for command in COMMANDS
        if command.keys
    ]
    return as_typed("<table cellpadding='3'>" + "".join(rows) + "</table>")
