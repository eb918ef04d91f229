"""Slides whose pictures cover a part of their canvas only, as scanners leave glass out."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from pathlib import Path
from struct import pack

import numpy as np
import tifffile
from PIL import Image

from lungscan.types import RgbArray

TILE = 256
Cell = tuple[int, int]  # column, row of a tile

_SLIDE_ID = "0123456789abcdef0123456789abcdef"


def write_mirax(
    path: Path, rgb: RgbArray, at: Cell, canvas: tuple[int, int], mpp: Sequence[float] = (0.5, 0.5)
) -> Path:
    """Write a MIRAX slide of two levels, 4 apart, whose canvas is ``canvas`` tiles wide and high.

    ``rgb`` fills whole multiples of 4 tiles; its first tile lies in cell ``at``, a multiple of 4.
    As OpenSlide's openslide-vendor-mirax.c reads it, without positions and overlaps.
    """
    folder = path.with_suffix("")
    folder.mkdir()
    path.write_bytes(b"MIRAX")
    sections = ["LAYER_0_LEVEL_0_SECTION", "LAYER_0_LEVEL_1_SECTION"]
    facts = {
        "GENERAL": {
            "SLIDE_VERSION": "01.02",
            "SLIDE_ID": _SLIDE_ID,
            "IMAGENUMBER_X": canvas[0],
            "IMAGENUMBER_Y": canvas[1],
            "OBJECTIVE_MAGNIFICATION": 20,
        },
        "HIERARCHICAL": {
            "HIER_COUNT": 1,
            "NONHIER_COUNT": 0,
            "HIER_0_NAME": "Slide zoom level",
            "HIER_0_COUNT": 2,
            "HIER_0_VAL_0_SECTION": sections[0],
            "HIER_0_VAL_1_SECTION": sections[1],
            "INDEXFILE": "Index.dat",
        },
        "DATAFILE": {"FILE_COUNT": 1, "FILE_0": "Data0000.dat"},
    } | {
        name: {
            "IMAGE_CONCAT_FACTOR": 2 * level,
            "OVERLAP_X": 0,
            "OVERLAP_Y": 0,
            "MICROMETER_PER_PIXEL_X": mpp[0] * 4**level,
            "MICROMETER_PER_PIXEL_Y": mpp[1] * 4**level,
            "IMAGE_FILL_COLOR_BGR": 0xFFFFFF,
            "DIGITIZER_WIDTH": TILE,
            "DIGITIZER_HEIGHT": TILE,
            "IMAGE_FORMAT": "JPEG",
        }
        for level, name in enumerate(sections)
    }
    lines = [
        line
        for section, values in facts.items()
        for line in (f"[{section}]", *(f"{key}={value}" for key, value in values.items()))
    ]
    (folder / "Slidedat.ini").write_text("\n".join(lines) + "\n")
    data = bytearray()
    pages = []
    for level in (0, 1):
        step = 4**level
        picture = Image.fromarray(rgb).reduce(step)
        entries = []
        for top in range(0, picture.height, TILE):
            for left in range(0, picture.width, TILE):
                column, row = at[0] + left // TILE * step, at[1] + top // TILE * step
                tile = _jpeg(picture.crop((left, top, left + TILE, top + TILE)))
                entries.append((row * canvas[0] + column, len(data), len(tile), 0))
                data += tile
        pages.append(pack("<2i", len(entries), 0) + b"".join(pack("<4i", *e) for e in entries))
    (folder / "Data0000.dat").write_bytes(data)
    (folder / "Index.dat").write_bytes(_index(pages))
    return path


def _jpeg(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=92)
    return stream.getvalue()


def _index(pages: Sequence[bytes]) -> bytes:
    """The index: where each level's page lies, each behind a head of its own."""
    head = ("01.02" + _SLIDE_ID).encode()
    pointers = len(head) + 8
    at = pointers + 4 * len(pages)
    places, body = [], b""
    for page in pages:
        places.append(at + len(body))
        body += pack("<2i", 0, at + len(body) + 8) + page
    return head + pack("<2i", pointers, 0) + pack(f"<{len(places)}i", *places) + body


def write_sparse_tiff(path: Path, rgb: RgbArray, kept: Collection[Cell], **options: object) -> Path:
    """Write a tiled TIFF of 0.5 µm pixels that holds the tiles ``kept`` only."""
    tifffile.imwrite(
        path,
        rgb,
        tile=(TILE, TILE),
        photometric="rgb",
        compression="deflate",
        metadata=None,
        resolution=(20_000, 20_000),
        resolutionunit=3,
        **options,  # type: ignore[arg-type]
    )
    across = -(-rgb.shape[1] // TILE)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tags = tiff.pages.first.tags
        for name in ("TileOffsets", "TileByteCounts"):
            values = tags[name].value
            tags[name].overwrite(
                [v if divmod(i, across)[::-1] in kept else 0 for i, v in enumerate(values)]
            )
    return path


def cells(left: int, top: int, right: int, bottom: int) -> set[Cell]:
    """The cells of a rectangle; right and bottom are outside."""
    return {(x, y) for x in range(left, right) for y in range(top, bottom)}


def white(width: int, height: int) -> RgbArray:
    """Bright glass."""
    return np.full((height, width, 3), 242, np.uint8)


def write_leica(path: Path, regions: Sequence[tuple[RgbArray, int, int]]) -> Path:
    """Write an SCN of several regions: pictures of 0.5 µm pixels, each with its left and top.

    As OpenSlide's openslide-vendor-leica.c reads it; lengths in its XML are nanometres.
    """
    right = max(x + rgb.shape[1] for rgb, x, _ in regions) + TILE
    bottom = max(y + rgb.shape[0] for rgb, _, y in regions) + TILE
    macro = white(TILE, TILE), 0, 0, right, bottom  # the whole glass, which no level shows
    placed = [(rgb, x, y, rgb.shape[1], rgb.shape[0]) for rgb, x, y in regions]
    images = "".join(
        f'<image name="{ifd}"><creationDate>2026-01-01T00:00:00Z</creationDate>'
        '<device model="Drawn" version="1"/>'
        f'<pixels sizeX="{rgb.shape[1]}" sizeY="{rgb.shape[0]}">'
        f'<dimension sizeX="{rgb.shape[1]}" sizeY="{rgb.shape[0]}" r="0" ifd="{ifd}"/></pixels>'
        f'<view sizeX="{wide * 500}" sizeY="{high * 500}" '
        f'offsetX="{x * 500}" offsetY="{y * 500}"/>'
        "<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings>"
        "<illuminationSettings><numericalAperture>0.4</numericalAperture>"
        "<illuminationSource>brightfield</illuminationSource></illuminationSettings>"
        "</scanSettings></image>"
        for ifd, (rgb, x, y, wide, high) in enumerate([*placed, macro])
    )
    text = (
        '<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        f'<collection name="drawn" sizeX="{right * 500}" sizeY="{bottom * 500}">'
        f"<barcode></barcode>{images}</collection></scn>"
    )
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for index, (rgb, *_) in enumerate([*placed, macro]):
            tiff.write(
                rgb,
                tile=(TILE, TILE),
                photometric="rgb",
                compression="jpeg",
                description=None if index else text,
                metadata=None,
                resolution=(20_000, 20_000),
                resolutionunit=3,
            )
    return path
