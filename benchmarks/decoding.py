"""How fast the pixels of an input are decoded and nothing else: what reading cannot go below.

    python benchmarks/decoding.py SLIDE|FOLDER [--size PX] [--covers PX] [--seconds S]

A slide: its JPEG tiles at full size, one after the other, through tifffile and libjpeg-turbo. A
folder of fields: each through Pillow, and down to ``--size`` if it is larger. All from memory, on
all cores. Prints JSON; the rate counts tiles, each of which ``--covers`` so many pixels a side of a
slide, so it can be set beside that of the network.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import tifffile
from PIL import Image

from lungscan.reading.resize import sample
from lungscan.workers import available_threads

MOST = 1000  # tiles or files kept in memory

Decode = Callable[[bytes], object]


def slide(path: Path, side: int) -> tuple[list[bytes], Decode, float]:
    """The tiles of a slide's largest level, how one is decoded, and its squares of ``side``."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        if not isinstance(page, tifffile.TiffPage):
            raise SystemExit(f"{path.name} has no page to read")
        places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        step = max(1, len(places) // MOST)
        tiles = []
        for offset, length in islice(places, 0, None, step):
            tiff.filehandle.seek(offset)
            tiles.append(tiff.filehandle.read(length))
        squares = page.tilewidth * page.tilelength / side**2
        decode, tables = page.decode, page.jpegtables
    return tiles, lambda data: decode(data, 0, jpegtables=tables), squares


def fields(folder: Path, size: int) -> tuple[list[bytes], Decode, float]:
    """The files of a folder, how one is decoded, and how many answers it gives."""
    files = [path.read_bytes() for path in islice(sorted(folder.rglob("*.jpg")), MOST)]

    def decode(data: bytes) -> object:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        if min(image.size) > size:
            image = sample(image, (0, 0, *image.size), (size, size))
        return image.load()

    return files, decode, 1.0


def pieces_per_second(pieces: Sequence[bytes], decode: Decode, seconds: float) -> float:
    """Pieces decoded per second by all cores over about ``seconds``."""
    threads = available_threads()
    end = time.perf_counter() + seconds

    def work(first: int) -> int:
        done = 0
        while time.perf_counter() < end:
            decode(pieces[(first + done * threads) % len(pieces)])
            done += 1
        return done

    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(work, range(threads)))
    return done / (time.perf_counter() - begun)


def main() -> None:
    """Measure one input."""
    parser = argparse.ArgumentParser(description="Speed of decoding alone.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--size", type=int, default=224, help="side of the network's input, px")
    parser.add_argument("--covers", type=int, help="px of a slide in a tile; default: --size")
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    pieces, decode, squares = (
        fields(given.path, given.size)
        if given.path.is_dir()
        else slide(given.path, given.covers or given.size)
    )
    rate = pieces_per_second(pieces, decode, given.seconds) * squares
    print(json.dumps({"tiles_per_second": rate, "threads": available_threads()}))


if __name__ == "__main__":
    main()
