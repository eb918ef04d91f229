"""Draw docs/pictures/architecture.svg and training.svg from the code's own lists.

    python packaging/draw_architecture.py          # draw both again
    python packaging/draw_architecture.py --check  # end with 1 when they are stale

The levels are those of the import contract in pyproject.toml, the words the first sentence of each
package's docstring; the stages are those that ``lungscan train`` knows.
"""

from __future__ import annotations

import ast
import sys
import textwrap
import tomllib
from collections.abc import Sequence
from html import escape
from pathlib import Path

from lungscan.training.stage_names import BUNDLE, STAGE_TEXTS, STAGES

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
FACES = {
    "lungscan_cli": "cli",
    "lungscan_gui": "gui",
    "lungscan_web": "gui",
    "lungscan_gradio": "gui",
}

INK, FAINT, PAPER, LINE = "#1f2933", "#52606d", "#ffffff", "#9aa5b1"
FACE, ENGINE, BASE, MODELS = "#fff4e0", "#e8f1fb", "#f1f3f5", "#e6f4ea"
WIDTH, GAP, SIDE = 980, 10, 16


def main(words: Sequence[str]) -> int:
    """Draw, or compare with what is there."""
    drawn = {"architecture.svg": architecture(), "training.svg": training()}
    stale = [name for name, text in drawn.items() if _read(PICTURES / name) != text]
    if "--check" in words:
        for name in stale:
            print(f"docs/pictures/{name} is stale: python packaging/draw_architecture.py")
        return 1 if stale else 0
    PICTURES.mkdir(exist_ok=True)
    for name, text in drawn.items():
        (PICTURES / name).write_text(text, encoding="utf-8")
    return 0


def levels() -> list[list[str]]:
    """Packages of the engine, those that may import the others first."""
    settings = tomllib.loads(_read(ROOT / "pyproject.toml"))["tool"]["importlinter"]
    (contract,) = [one for one in settings["contracts"] if one.get("containers") == ["lungscan"]]
    rows = [row.replace("|", ":").split(":") for row in contract["layers"]]
    return [[name.strip() for name in row] for row in rows]


def about(module: Path) -> str:
    """The first sentence of a module's or package's docstring."""
    path = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    text = (ast.get_docstring(ast.parse(_read(path))) or "").partition("\n\n")[0]
    return " ".join(text.split()).partition(". ")[0].rstrip(".")


def architecture() -> str:
    """Front ends over the engine's levels over the models."""
    faces = [name for name, folder in FACES.items() if (ROOT / folder / name).is_dir()]
    rows = [[(name, about(ROOT / FACES[name] / name), FACE) for name in faces]]
    for row in levels():
        paths = [ROOT / "lungscan" / name for name in row]
        rows.append([(p.name, about(p), ENGINE if p.is_dir() else BASE) for p in paths])
    rows.append([("lungscan_models", about(ROOT / "models" / "lungscan_models"), MODELS)])
    title = "Each level imports only from those below it (blue: folders, grey: single files)"
    y, parts = 44, [_text(SIDE, 26, title, 15, bold=True)]
    for boxes in rows:
        wide = (WIDTH - 2 * SIDE - GAP * (len(boxes) - 1)) / len(boxes)
        lines = [textwrap.wrap(text, int(wide / 6.1)) for _, text, _ in boxes]
        high = 26 + 14 * max(map(len, lines))
        for index, ((name, _, colour), words) in enumerate(zip(boxes, lines, strict=True)):
            x = SIDE + index * (wide + GAP)
            parts += _box(x, y, wide, high, colour, name, words)
        y += high + GAP
    return _svg("The engine's levels", WIDTH, y + 6, parts)


def training() -> str:
    """The stages of a training, from a data folder to a model folder."""
    steps = [
        (
            "data",
            "folders of pictures; groups.csv, or near-duplicates that are found",
        ),
        (
            "split",
            "whole groups to each part or fold: no tissue on two sides",
        ),
        *((stage, STAGE_TEXTS[stage]) for stage in (*STAGES, BUNDLE)),
        ("model folder", "card, weights, graph, limits of novelty, golden answers, README"),
    ]
    wide, high, across = 301, 72, 3
    parts = [_text(SIDE, 26, "From pictures to a model: stages of `lungscan train`", 15, bold=True)]
    for index, (name, text) in enumerate(steps):
        row, column = divmod(index, across)
        x, y = SIDE + column * (wide + 22), 44 + row * (high + 26)
        colour = MODELS if index == len(steps) - 1 else FACE if index < 2 else ENGINE
        parts += _box(x, y, wide, high, colour, name, textwrap.wrap(text, 46))
        if index + 1 < len(steps):
            parts.append(_arrow(x, y, wide, high, last=column == across - 1))
    rows = -(-len(steps) // across)
    return _svg("Stages of a training", WIDTH, 44 + rows * (high + 26), parts)


def _arrow(x: float, y: float, wide: float, high: float, *, last: bool) -> str:
    """To the next box: on the right, or, at the end of a row, down to the next row's first."""
    if not last:
        d = f"M{x + wide + 3:.0f} {y + high / 2:.0f}h13m-5 -4l5 4l-5 4"
    else:
        down = y + high + 13
        start = f"M{x + wide / 2:.0f} {y + high + 3:.0f}"
        d = f"{start}V{down:.0f}H{SIDE + wide / 2:.0f}v10m-4 -5l4 5l4 -5"
    return f'<path d="{d}" fill="none" stroke="{LINE}" stroke-width="1.6"/>'


def _box(
    x: float, y: float, wide: float, high: float, colour: str, name: str, lines: Sequence[str]
) -> list[str]:
    parts = [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" rx="5" '
        f'fill="{colour}" stroke="{LINE}"/>',
        _text(x + 9, y + 17, name, 12.5, bold=True),
    ]
    return parts + [
        _text(x + 9, y + 33 + 14 * row, line, 11, colour=FAINT) for row, line in enumerate(lines)
    ]


def _text(
    x: float, y: float, text: str, size: float, *, bold: bool = False, colour: str = INK
) -> str:
    weight = ' font-weight="600"' if bold else ""
    shown = escape(text.replace("``", "").replace("`", ""))
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"{weight}>{shown}</text>'
    )


def _svg(title: str, wide: float, high: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" '
        f'width="{wide:.0f}" height="{high:.0f}" '
        'font-family="system-ui, Helvetica, Arial, sans-serif" role="img">'
    )
    paper = f'<rect width="{wide:.0f}" height="{high:.0f}" fill="{PAPER}"/>'
    return "\n".join([head, f"<title>{title}</title>", paper, *parts, "</svg>"]) + "\n"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
