"""An error in words that may be sent to others: no name of a file, folder or case is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lungscan.errors import Code
from lungscan_gui.engine import failure

LEFT_OUT = "(its words are left out: they may name a file)"
_FRAME = re.compile(r'(\s*File )"([^"]*)"(, line \d+.*)')
_ERROR = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?")
_MARKS = re.compile(r"\s+[~^ ]+")
_BETWEEN = re.compile(r"Traceback \(most recent call last\):|(During|The above exc)[\w ,:]+")
_MAY_NAME = re.compile(r"""[/\\'"]|\w\.[A-Za-z]""")


def nameless(details: str) -> tuple[str, ...]:
    """A code, if that is the first line, with what it means; then traces without their paths."""
    lines = details.splitlines()
    said: list[str] = []
    if lines and lines[0] in set(Code):
        said = [lines[0], failure(lines.pop(0))]
    return *said, *_traces(lines)


def _traces(lines: list[str]) -> Iterator[str]:
    source = False  # the line after a place is one of the program
    for line in lines:
        frame = _FRAME.fullmatch(line)
        if frame:
            yield f'{frame[1]}"{_of_the_code(frame[2])}"{frame[3]}'
        elif _BETWEEN.fullmatch(line) or _MARKS.fullmatch(line) or (source and line[:1] == " "):
            yield line
        elif error := _ERROR.fullmatch(line):
            yield _error(error[1], error[2] or "")
        source = frame is not None


def _error(kind: str, words: str) -> str:
    if _MAY_NAME.search(words):
        return f"{kind}: {LEFT_OUT}"
    return f"{kind}: {words}" if words else kind


def _of_the_code(path: str) -> str:
    """Where in the program a line stands, without the folders above it."""
    plain = path.replace("\\", "/")
    for part in ("site-packages/", "/lungscan"):
        if part in plain:
            return plain[plain.rindex(part) :].lstrip("/")
    return plain.rpartition("/")[2]
