"""Small files that unpack to gigabytes: refused, without the memory they ask for."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from attacks import pictures
from attacks.base import PLAIN, Bench, Done, Line, rows, watch
from lungscan.types import CaseStatus, RgbArray
from tests.drawing import draw_he

LIMIT_BYTES = 200e6  # above the peak of a run over a good small file of the same kind
_SECONDS = 300.0
_BAD = ("answered", "crashed or hung", "took more than 200 MB extra")

Bomb = Callable[[Path], Path]


def attack(bench: Bench, every: int = 1) -> list[Line]:
    """Classify each bomb by itself and compare its memory with that of a harmless file."""
    chosen = BOMBS[::every]
    bad = dict.fromkeys(_BAD, 0)
    at_fault: list[str] = []
    worst = 0.0
    with bench.folder("bombs") as folder:
        honest = _honest_peak(bench, folder)
        for make in chosen:
            path = make(folder)
            done = _run(bench, folder / "out", path)
            found = rows(folder / "out")
            extra = done.peak_bytes - honest
            worst = max(worst, extra)
            faults = _judge(done, [row["status"] for row in found], extra)
            for fault in faults:
                bad[fault] += 1
            if faults:
                code = ", ".join(row["error_code"] or row["status"] for row in found)
                at_fault.append(f"{path.name} ({code}, {extra / 1e6:+.0f} MB)")
            path.unlink()
    detail = f"most memory beyond that of a good file: {worst / 1e6:.0f} MB"
    if at_fault:
        detail += f"; at fault: {'; '.join(at_fault)}"
    return [Line("decompression bombs", len(chosen), bad, detail)]


def _honest_peak(bench: Bench, folder: Path) -> int:
    slide = pictures.slide(folder / "good.svs", 512)
    field = pictures.field(folder / "good.png", 512)
    return max(_run(bench, folder / "out", path).peak_bytes for path in (slide, field))


def _run(bench: Bench, out: Path, path: Path) -> Done:
    command = bench.command(out, path, *PLAIN, "--threads", 1, "--fresh")
    return watch(command, timeout=_SECONDS)


def _judge(done: Done, statuses: Sequence[str], extra: float) -> list[str]:
    faults = []
    if done.crashed or len(statuses) != 1:
        faults.append("crashed or hung")
    elif statuses[0] == CaseStatus.OK:  # a tile of which a part was unpacked may count as blank
        faults.append("answered")
    if extra > LIMIT_BYTES:
        faults.append("took more than 200 MB extra")
    return faults


# The bombs ----------------------------------------------------------------------------------------


def _png(name: str, side: int, bits: int) -> Bomb:
    """One colour, ``side`` a side: PNG packs it a thousandfold."""

    def make(folder: Path) -> Path:
        row = b"\0" + bytes(side * (3 if bits == 24 else 1) if bits > 1 else (side + 7) // 8)
        packer, body = zlib.compressobj(9), b""
        for _ in range(side):
            body += packer.compress(row)
        body += packer.flush()
        head = struct.pack(">IIBBBBB", side, side, min(bits, 8), 2 if bits == 24 else 0, 0, 0, 0)
        chunks = (b"IHDR", head), (b"IDAT", body), (b"IEND", b"")
        path = folder / name
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))
        return path

    return make


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _bmp(folder: Path) -> Path:
    """A run-length BMP: two bytes for 255 pixels of one colour."""
    side = 16_000
    row = b"\xff\0" * (side // 255) + bytes((side % 255, 0)) + b"\0\0"
    body = row * side + b"\0\1"
    palette = bytes(256 * 4)
    head = struct.pack(
        "<2sIHHIIiiHHIIiiII",
        *(b"BM", 54 + len(palette) + len(body), 0, 0, 54 + len(palette)),
        *(40, side, side, 1, 8, 1, len(body), 0, 0, 256, 0),
    )
    path = folder / "run-length.bmp"
    path.write_bytes(head + palette + body)
    return path


def _webp(folder: Path) -> Path:
    path = folder / "lossless.webp"
    empty = np.zeros((16_000, 16_000, 3), np.uint8)
    path.write_bytes(imagecodecs.webp_encode(empty, level=0, lossless=True))
    return path


def _tile(name: str, side: int, compression: str) -> Bomb:
    """A slide whose only tile is as large as the picture."""

    def make(folder: Path) -> Path:
        empty = np.zeros((side, side, 3), np.uint8)
        return pictures.write_tiled(folder / name, empty, side, compression, maxworkers=1)

    return make


def _strips(folder: Path) -> Path:
    """A field of 225 million pixels in one strip."""
    path, side = folder / "strips.tif", 15_000
    tifffile.imwrite(
        path, np.zeros((side, side), np.uint8), compression="zlib", rowsperstrip=side, metadata=None
    )
    return path


def _swapped_tile(name: str, compression: str, payload: Callable[[], bytes]) -> Bomb:
    """A good slide of which each tile's data is replaced by one that unpacks to far more."""

    def make(folder: Path) -> Path:
        path = pictures.write_tiled(folder / name, draw_he(512, 512), 256, compression)
        bomb = payload()
        with tifffile.TiffFile(path, mode="r+") as tiff:
            page: Any = tiff.pages[0]
            handle = tiff.filehandle
            handle.seek(0, 2)
            at = handle.tell()
            handle.write(bomb)
            count = len(page.dataoffsets)
            page.tags["TileOffsets"].overwrite([at] * count)
            page.tags["TileByteCounts"].overwrite([len(bomb)] * count)
        return path

    return make


def _deflated() -> bytes:
    """A gigabyte of zeros."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(1024)) + packer.flush()


def _tall_jpeg() -> bytes:
    """A JPEG of 256 px whose header says 65,500 a side."""
    data = bytearray(_encoded_jpeg(draw_he(256, 256)))
    at = data.find(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    return bytes(data)


def _wide_jpeg() -> bytes:
    """A true JPEG of one colour, 12,000 px a side."""
    return _encoded_jpeg(np.zeros((12_000, 12_000, 3), np.uint8))


def _wide_jpeg2000() -> bytes:
    """A true JPEG 2000 of one colour, 12,000 px a side."""
    return bytes(imagecodecs.jpeg2k_encode(np.zeros((12_000, 12_000, 3), np.uint8), level=1))


def _encoded_jpeg(rgb: RgbArray) -> bytes:
    return pictures.encoded(rgb, "JPEG", quality=50)


BOMBS: tuple[Bomb, ...] = (
    _tile("one-jpeg-tile.svs", 16_384, "jpeg"),
    _png("grey.png", 30_000, 8),
    _swapped_tile("deflated-tile.svs", "deflate", _deflated),
    _tile("one-deflate-tile.svs", 16_384, "deflate"),
    _swapped_tile("tall-jpeg-tile.svs", "jpeg", _tall_jpeg),
    _swapped_tile("wide-jpeg2000-tile.svs", "jpeg2000", _wide_jpeg2000),
    _png("colour.png", 14_100, 24),
    _bmp,
    _swapped_tile("wide-jpeg-tile.svs", "jpeg", _wide_jpeg),
    _png("one-bit.png", 60_000, 1),
    _webp,
    _strips,
)
