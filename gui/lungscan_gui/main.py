"""``lungscan-gui``: the window's start, and what to do where it cannot start."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from lungscan import DISTRIBUTION
from lungscan.errors import MachineError

NO_QT = (
    "The window needs PyQt6, which is not installed here: "
    f'python -m pip install "{DISTRIBUTION}[gui]"'
)
NO_LIBRARY = (
    "Qt cannot be loaded ({error}). On Linux it needs a few libraries of the system; on Debian or "
    "Ubuntu: apt install libegl1 libxkbcommon0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1"
)
NO_DISPLAY = (
    "There is no display to open a window on. Log in to a desktop, or use `lungscan classify`."
)
ICON = Path(__file__).with_name("icon.png")  # packaging/draw_icon.py draws it


def main(args: Sequence[str] | None = None) -> int:
    """Open the window on these files and folders; returns the exit code."""
    given = list(sys.argv[1:] if args is None else args)
    if given and given[0] in ("-h", "--help"):
        print("Usage: lungscan-gui [FILE]...\n\nOpen slides, fields or a folder of results.")  # noqa: T201
        return 0
    try:
        return start([Path(name) for name in given])
    except MachineError as error:
        _tell(str(error))
        return error.exit_code


def start(paths: list[Path]) -> int:
    """Open the window on these files and folders; returns the exit code.

    Raises MachineError where none can open.
    """
    problem = _problem()
    if problem:
        raise MachineError(problem)
    return _run(paths)


def _problem() -> str:
    """Why no window can open; "" when one can."""
    try:
        import PyQt6.QtWidgets  # noqa: F401
    except ModuleNotFoundError:
        return NO_QT
    except ImportError as error:
        return NO_LIBRARY.format(error=error)
    named = os.environ.get("QT_QPA_PLATFORM", "")
    display = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform == "linux" and not display and not named:
        return NO_DISPLAY
    return ""


def _tell(problem: str) -> None:
    """Say why there is no window; where there is no terminal either (Windows), in a box."""
    if sys.platform == "win32" and sys.stderr is None:
        import ctypes

        ctypes.windll.user32.MessageBoxW(None, problem, "LungScan", 0x10)  # MB_ICONERROR
        return
    print(f"Error: {problem}", file=sys.stderr)  # noqa: T201


def _run(paths: list[Path]) -> int:
    from PyQt6.QtCore import QTimer
    from PyQt6.QtGui import QIcon

    from lungscan_gui.alarm import report_unexpected
    from lungscan_gui.handed_over import Application
    from lungscan_gui.settings import Settings
    from lungscan_gui.theme import apply_theme
    from lungscan_gui.window import MainWindow

    app = Application(["lungscan"])
    app.setApplicationName("LungScan")
    app.setDesktopFileName("lungscan")  # by it Wayland finds the icon of an installed package
    app.setWindowIcon(QIcon(str(ICON)))
    settings = Settings()
    apply_theme(app, settings.scheme)
    window = MainWindow(settings)
    report_unexpected(window.alarmed.emit)
    app.take = window.add_paths
    window.show()
    if paths:
        window.add_paths(paths)
    else:
        window.welcome.greet()
    signal.signal(signal.SIGINT, lambda *_: window.close())
    ticks = QTimer()  # so that Python gets to see Ctrl+C
    ticks.start(300)
    ticks.timeout.connect(lambda: None)
    return app.exec()
