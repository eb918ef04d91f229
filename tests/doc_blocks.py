"""Blocks of code in Markdown pages, and what the comment before each says about running it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n+)?^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
RUN, WITH_PICTURES, NIGHTLY = "run", "run with pictures", "run: nightly"
NOT_RUN = "not run: "  # with the reason


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int  # of its first line of code
    language: str
    code: str
    mark: str  # of the comment before it, or nothing

    def __str__(self) -> str:
        return f"{self.page.parent.name}/{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start("code")) + 1,
            match["language"],
            match["code"],
            match["mark"] or "",
        )
        for match in _BLOCK.finditer(text)
    ]


def command_lines(code: str) -> list[str]:
    """The lines of a shell block as the shell takes them: joined at backslashes, no comments."""
    joined = re.sub(r"\\\n\s*", " ", code)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
