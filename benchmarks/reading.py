"""How fast tiles are read natively, against OpenSlide, on the same slides in one run.

    python benchmarks/reading.py [SLIDE ...] [--work DIR] [--side PX] [--tiles N]

Without SLIDE it draws one of JPEG and one of JPEG 2000 tiles. For each slide, with fields of 224 px
on an aligned grid and with 50 % overlap: milliseconds per field on one thread through OpenSlide (as
LungScan reads with it: neighbours in one request) and natively, how many times faster that is, and
whether every pixel is the same. Both read the same fields in turn, so other work on the machine
disturbs both alike. The opening, in which the native reader is compared with OpenSlide, and the
overview are timed by themselves.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from drawing import MPP_UM, TILE, draw_slide, draw_strips

from lungscan.reading.slides.slide import SlideSource
from lungscan.reading.source import TilePixels
from lungscan.types import BoxArray, InputFile

FIELD = 224
BATCH = 16  # fields asked for at once, as by a scan


def draw_jpeg2000(path: Path, side: int) -> Path:
    """Write one level of JPEG 2000 tiles in RGB, as Aperio's scanners do."""
    head = f"Aperio Image Library v12.0.0\r\n{side}x{side} [0,0 {side}x{side}] ({TILE}x{TILE})"
    tifffile.imwrite(
        path,
        np.concatenate(list(draw_strips(side, 7))),
        tile=(TILE, TILE),
        photometric="rgb",
        compression=33005,
        compressionargs={"level": 30},  # decibels
        description=f"{head} J2K/KDU Q=30|AppMag = 20|MPP = {MPP_UM}",
        metadata=None,
    )
    return path


def grid(source: SlideSource, step: int, tiles: int) -> BoxArray:
    """Fields row by row about the middle of a slide, at most ``tiles`` of them."""
    width, height = source.info.width, source.info.height
    across = (width - FIELD) // step + 1
    down = min((height - FIELD) // step + 1, max(2, tiles // across))
    top = (height - FIELD - (down - 1) * step) // 2 // step * step
    rows = [(x * step, top + y * step, FIELD, FIELD) for y in range(down) for x in range(across)]
    return np.array(rows[:tiles], np.int32)


def batches(boxes: BoxArray) -> Iterator[BoxArray]:
    """The boxes as a scan asks for them."""
    for start in range(0, len(boxes), BATCH):
        yield boxes[start : start + BATCH]


def timed(source: SlideSource, boxes: BoxArray) -> tuple[float, TilePixels]:
    """Seconds to read some boxes, and what was read."""
    begun = time.perf_counter()
    pixels = source.read_tiles(boxes, FIELD)
    return time.perf_counter() - begun, pixels


def compare(path: Path, step: int, tiles: int) -> str:
    """One line about a slide and a grid."""
    file = InputFile(path, path.name, "slide")
    slow, fast = SlideSource(file, MPP_UM, native=False), SlideSource(file, MPP_UM)
    boxes = grid(fast, step, tiles)
    seconds, same = np.zeros(2), True
    for part in batches(boxes):
        (by_openslide, expected), (natively, found) = timed(slow, part), timed(fast, part)
        seconds += by_openslide, natively
        same &= all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
    by_openslide, natively = seconds / len(boxes) * 1000
    levels = ", ".join(map(str, fast.native_levels)) or "none"
    slow.close()
    fast.close()
    return (
        f"  step {step:3d}: OpenSlide {by_openslide:6.2f} ms, native {natively:6.2f} ms, "
        f"{by_openslide / natively:5.1f} x; {'identical' if same else 'DIFFERENT'} on "
        f"{len(boxes)} fields; native levels: {levels}"
    )


def opening(path: Path) -> str:
    """One line about opening and overview."""
    file = InputFile(path, path.name, "slide")
    parts = []
    for native in (False, True):
        begun = time.perf_counter()
        source = SlideSource(file, MPP_UM, native=native)
        opened = time.perf_counter()
        source.overview()
        seen = time.perf_counter()
        source.close()
        name = "native" if native else "OpenSlide"
        parts.append(f"{name} {(opened - begun) * 1000:.0f} + {(seen - opened) * 1000:.0f} ms")
    return f"  opening + overview: {', '.join(parts)}"


def main() -> None:
    """Measure the slides named, or drawn ones."""
    parser = argparse.ArgumentParser(description="Native reading against OpenSlide.")
    parser.add_argument("slides", nargs="*", type=Path)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "lungscan-speed")
    parser.add_argument("--side", type=int, default=11_200, help="of the drawn JPEG slide, px")
    parser.add_argument("--tiles", type=int, default=1000, help="fields per slide and grid")
    given = parser.parse_args()
    slides: list[Path] = given.slides
    if not slides:
        given.work.mkdir(parents=True, exist_ok=True)
        slides = [
            given.work / f"drawn-{given.side}-seed7-v1.svs",
            given.work / "drawn-4096-jpeg2000.svs",
        ]
        for path, side, draw in zip(
            slides, (given.side, 4096), (draw_slide, draw_jpeg2000), strict=True
        ):
            if not path.exists():
                draw(path, side)
    for path in slides:
        print(path.name)
        for step in (FIELD, FIELD // 2):
            print(compare(path, step, given.tiles))
        print(opening(path))


if __name__ == "__main__":
    main()
