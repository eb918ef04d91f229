"""Draw the shell at work for the README: a real run, as text in an SVG.

    python packaging/draw_shell.py [FILE]      by default docs/pictures/shell.svg

Runs ``lungscan classify`` over a slide, fields and a drawing of the demo; writes what it prints.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from lungscan.demo import make_demo

TARGET = Path(__file__).parents[1] / "docs" / "pictures" / "shell.svg"
COMMAND = "lungscan classify slides/"
PICTURES = {
    "stitched-slide.svs": "S26-0117.svs",
    "training-benign-1.jpg": "benign.jpg",
    "training-squamous-1.jpg": "squamous.jpg",
    "drawn-glands.jpg": "drawing.jpg",
    "out-of-focus.jpg": "blurred.jpg",
}
SIZE, LEADING, MARGIN = 13, 18, 16
ADVANCE = 0.61 * SIZE  # of a character, at most, in the usual fonts of one width
PAPER, INK, PROMPT = "#1c2128", "#dfe5ec", "#7ee2a8"


def run(folder: Path) -> list[str]:
    """The lines that a run prints there, empty ones at the end left out."""
    made = folder / "made"
    make_demo(made)
    (folder / "slides").mkdir()
    for name, new in PICTURES.items():
        (found,) = made.rglob(name)
        shutil.copyfile(found, folder / "slides" / new)
    done = subprocess.run(
        [sys.executable, "-m", "lungscan_cli", *COMMAND.split()[1:]],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1"},
    )
    return done.stderr.rstrip().splitlines()


def draw(lines: list[str]) -> str:
    """An SVG with the command and its lines."""
    width = round(max(map(len, lines)) * ADVANCE) + 2 * MARGIN
    height = (len(lines) + 1) * LEADING + 2 * MARGIN
    rows = [f'<tspan fill="{PROMPT}">$ {escape(COMMAND)}</tspan>', *map(_row, lines)]
    texts = [
        f'<text x="{MARGIN}" y="{MARGIN + LEADING * number + SIZE}">{row}</text>'
        for number, row in enumerate(rows)
        if row
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-size="{SIZE}" fill="{INK}" role="img" '
            'font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace">',
            "<title>A run in the shell</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>',
            *texts,
            "</svg>\n",
        ]
    )


def _row(line: str) -> str:
    return escape(line).replace(" ", "\N{NO-BREAK SPACE}")  # drawings fold other spaces


def main() -> None:
    """Run and draw."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    with tempfile.TemporaryDirectory() as scratch:
        target.write_text(draw(run(Path(scratch))), encoding="utf-8")


if __name__ == "__main__":
    main()
