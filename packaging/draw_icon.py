"""Draw LungScan's icon: two lungs of tiles, coloured as the map of a case colours them.

    python packaging/draw_icon.py [FOLDER]     by default packaging/icon

The one of 256 pixels lies in the window's package too, as ``icon.png``.

Writes ``lungscan.svg``, ``lungscan-SIZE.png``, ``lungscan.ico`` (Windows) and ``lungscan.icns``
(macOS). The same bytes every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

# One letter is one tile: b benign, a adenocarcinoma, s squamous; t is the windpipe.
TILES = """\
.....tt.....
.....tt.....
..bb.tt.bb..
.bbb.tt.bbb.
.bbbbttbabb.
bbbbb..baaab
bbbbb..bbaab
bsbbb..bbbbb
bssb....bbbb
bbsb....bbbb
bbb......bbb
bb........bb
"""
COLOURS = {"b": "#009E73", "a": "#D55E00", "s": "#56B4E9", "t": "#F4F1E8"}  # Okabe and Ito's
GROUND = "#16323F"
UNITS = 16.0  # the side of the icon, in tiles
MARGIN, GAP, CORNER = 2.0, 0.12, 3.2  # in tiles
SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
OVERSAMPLING = 8


def squares() -> list[tuple[float, float, float, str]]:
    """Left, top, side and colour of each tile, in units of a tile."""
    return [
        (MARGIN + column + GAP / 2, MARGIN + row + GAP / 2, 1 - GAP, COLOURS[letter])
        for row, line in enumerate(TILES.splitlines())
        for column, letter in enumerate(line)
        if letter in COLOURS
    ]


def as_svg() -> str:
    """The icon for every size."""
    tiles = "".join(
        f'<rect x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" rx="0.14" fill="{colour}"/>'
        for x, y, side, colour in squares()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {UNITS:g} {UNITS:g}">'
        "<title>LungScan</title>"
        f'<rect width="{UNITS:g}" height="{UNITS:g}" rx="{CORNER:g}" fill="{GROUND}"/>'
        f"{tiles}</svg>\n"
    )


def as_picture(size: int) -> Image.Image:
    """The icon of one size, RGBA."""
    unit = size * OVERSAMPLING / UNITS
    large = Image.new("RGBA", (size * OVERSAMPLING,) * 2, (0, 0, 0, 0))
    pen = ImageDraw.Draw(large)
    pen.rounded_rectangle((0, 0, large.width - 1, large.height - 1), CORNER * unit, GROUND)
    for x, y, side, colour in squares():
        pen.rectangle(
            (x * unit, y * unit, (x + side) * unit - 1, (y + side) * unit - 1), fill=colour
        )
    return large.resize((size, size), Image.Resampling.BOX)


def write_all(folder: Path) -> None:
    """Write every file of the icon."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lungscan.svg").write_text(as_svg(), encoding="utf-8")
    pictures = {size: as_picture(size) for size in SIZES}
    for size, picture in pictures.items():
        picture.save(folder / f"lungscan-{size}.png", optimize=True)
    largest = pictures[max(SIZES)]
    others = [pictures[size] for size in SIZES if size <= 256]
    sizes = [picture.size for picture in others]
    pictures[256].save(folder / "lungscan.ico", sizes=sizes, append_images=others)
    largest.save(folder / "lungscan.icns", append_images=list(pictures.values()))


if __name__ == "__main__":
    write_all(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "icon")
