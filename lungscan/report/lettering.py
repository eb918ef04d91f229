r"""Fonts, and text that can be shown without deceiving: what a reader sees is what is there.

File names come from strangers. A bidi override can make ``gnp.exe`` read backwards, a missing
glyph turns a name into boxes, and right-to-left script drawn without a shaping engine comes out in
the wrong order. All of these are shown as escapes (``\u202e``); the name itself is in case.json.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

from PIL import ImageFont
from reportlab.pdfbase.ttfonts import TTFontFile

_FOLDER = Path(__file__).parent / "fonts"
REGULAR = _FOLDER / "DejaVuSans.ttf"
BOLD = _FOLDER / "DejaVuSans-Bold.ttf"

_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")  # ASCII with single spaces inside
_LONE_SPACES = re.compile(r"^ | $|(?<= ) ")


def visible(text: str) -> str:
    """``text`` with every character that cannot be shown as itself escaped as in Python.

    Spaces at the ends and repeated spaces are escaped too: layout would swallow them.
    """
    if _PLAIN.fullmatch(text):
        return text
    spaced = _LONE_SPACES.sub(r"\\x20", text)
    return "".join(char if _can_show(char) else _escaped(char) for char in spaced)


def shorten(text: str, limit: int) -> str:
    """``text`` with its middle left out when longer than ``limit`` characters."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return f"{text[: limit - 1 - tail]}…{text[-tail:]}"


@cache
def pillow_font(size_px: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The report's font for pictures. The basic layout draws the same on every machine."""
    path = BOLD if bold else REGULAR
    return ImageFont.truetype(str(path), size_px, layout_engine=ImageFont.Layout.BASIC)


def _can_show(char: str) -> bool:
    if char == " ":
        return True
    if unicodedata.category(char)[0] in "CZ":  # controls, format characters, odd spaces
        return False
    if unicodedata.bidirectional(char) in ("R", "AL", "AN"):
        return False
    # Beyond the first plane ReportLab writes a text layer that readers cannot decode.
    return ord(char) <= 0xFFFF and ord(char) in _drawable()


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


@cache
def _drawable() -> frozenset[int]:
    """Code points for which both weights have a glyph."""
    faces = [TTFontFile(str(path)).charToGlyph for path in (REGULAR, BOLD)]
    return frozenset(faces[0]) & frozenset(faces[1])
