"""How a part of LungScan is started as a process of its own, by Python or by a frozen program.

Python is asked for a module. A frozen program, as PyInstaller makes them, holds its own interpreter
and takes no ``-m``: it is started again with a mark in front, by which its entry knows that it is
to be that module and no command.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MARK = "--lungscan-process"
SHELL = "lungscan"  # the program without a window: one with a window has no stdin on Windows
YIELDING = 3  # added to a process's niceness: half of what others get where all want to run
# On Windows the window has no console, and each part of it would open a black one for itself.
NO_CONSOLE: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
PACKAGES = ("lungscan", "lungscan_cli", "lungscan_gui", "lungscan_web")


def start(
    module: str, *arguments: str, more: Mapping[str, str] | None = None, **how: Any
) -> subprocess.Popen[bytes]:
    """Start ``module`` as a process of its own; ``how`` is as ``Popen`` has it, pipes above all.

    ``more`` is added to its environment. Raises OSError when the system will not.
    """
    return subprocess.Popen(  # noqa: S603  our own interpreter and module
        [*command(module), *arguments],
        env=environment() | dict(more or {}),
        creationflags=NO_CONSOLE,
        **how,
    )


def command(module: str) -> list[str]:
    """What to call, with further arguments after it, so that ``module`` runs as ``__main__``.

    The working folder, which may hold anything, is not among the places that it imports from.
    """
    if not getattr(sys, "frozen", False):
        return [sys.executable, "-P", "-m", module]
    program = Path(sys.executable)
    return [str(program.with_name(SHELL + program.suffix)), MARK, module]


def environment() -> dict[str, str]:
    """The environment for it: it imports from the places where this process does.

    A frozen program finds its own libraries anew, as when a person starts it: PyInstaller's start
    takes a program that one of its own kind began for a part of that one, and leaves that out.
    """
    if getattr(sys, "frozen", False):
        return os.environ | {"PYINSTALLER_RESET_ENVIRONMENT": "1"}
    return os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


def give_way() -> None:
    """Let all other programs go first, for work that others may wait longer for.

    What this process starts from now on does so, too. Where the system knows no such thing
    (Windows), nothing changes.
    """
    if hasattr(os, "nice"):
        os.nice(YIELDING)


def run_if_asked(arguments: Sequence[str]) -> bool:
    """Be the module that ``command`` asked a frozen program for; whether it was asked for one.

    Only modules of LungScan can be asked for.
    """
    if len(arguments) < 2 or arguments[0] != MARK:
        return False
    module, rest = arguments[1], arguments[2:]
    if module.split(".")[0] not in PACKAGES:
        raise SystemExit(f"{module} is no part of LungScan.")
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return True
