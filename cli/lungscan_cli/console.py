"""Where text goes: people's text to stderr, data to stdout."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text


def people() -> Console:
    """Console on stderr for everything people read; NO_COLOR is respected by rich."""
    return Console(stderr=True, highlight=False)


def answers() -> Console:
    """Console on stdout, for commands whose answer is itself a text or table."""
    return Console(highlight=False)


def say(console: Console, text: str, style: str = "") -> None:
    """Print a sentence as it stands: no markup; lines are not broken when piped.

    On a terminal all lines of an indented one are indented.
    """
    words = Text(text, style=style)
    indent = len(text) - len(text.lstrip(" "))
    if indent and console.is_terminal:
        console.print(Padding(words[indent:], (0, 0, 0, indent), expand=False))
    else:
        console.print(words, soft_wrap=not console.is_terminal)


def plain(text: str) -> str:
    """Make a name from outside harmless on a terminal: control and bidi characters show as codes.

    Also covers names that are not valid UTF-8 (lone surrogates).
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def write_json(data: Any) -> None:
    """Print one JSON object to stdout; ASCII only, so that no terminal can spoil it."""
    click.echo(json.dumps(data, indent=2, allow_nan=False))


def count(number: int, one: str, many: str | None = None) -> str:
    """Write ``1 case`` and ``1,204 cases``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Write a time as people say it: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def quoted(word: str) -> str:
    """A word as it is typed into a shell. Both shells of Windows know double quotes alone."""
    if os.name != "nt":
        return shlex.quote(word)
    return word if re.fullmatch(r"[\w.:\\/-]+", word) else f'"{word}"'


def shell_path(path: Path) -> str:
    """A relative path as it was typed; of an absolute one only its last name."""
    return path.name if path.is_absolute() else path.as_posix()
