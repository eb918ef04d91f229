"""Pictures and slides that tests draw for themselves: H&E-like, seeded, small.

Nothing here is tissue; it has the colours, the pale background and the dark spots of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageDraw

from lungscan.types import RgbArray

GLASS = (243, 241, 243)
_EOSIN = np.array((226, 158, 190), np.float32)
_PALE = np.array((246, 222, 234), np.float32)
_NUCLEUS = (96, 62, 132)


def draw_he(width: int, height: int, seed: int = 0) -> RgbArray:
    """Draw a field full of tissue: pink stroma in waves, purple nuclei. (height, width, 3)."""
    rng = np.random.default_rng(seed)
    waves = _noise(rng, width, height, 24)[..., None]
    grain = rng.normal(0, 5, (height, width, 1)).astype(np.float32)
    stroma = _EOSIN * waves + _PALE * (1 - waves) + grain
    picture = Image.fromarray(np.clip(stroma, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(max(4, width * height // 900)):
        x, y = rng.integers(0, (width, height))
        rx, ry = rng.integers(3, 8, 2)
        tint = rng.integers(-18, 19)
        colour = tuple(int(c + tint) for c in _NUCLEUS)
        pen.ellipse((x - rx, y - ry, x + rx, y + ry), fill=colour)
    return np.asarray(picture)


def draw_slide(
    width: int,
    height: int,
    seed: int = 0,
    tissue: Sequence[tuple[float, float, float, float]] = ((0.2, 0.2, 0.8, 0.8),),
) -> RgbArray:
    """Draw glass with ellipses of tissue in the given boxes (left, top, right, bottom; 0 to 1)."""
    mask = Image.new("L", (width, height))
    pen = ImageDraw.Draw(mask)
    for left, top, right, bottom in tissue:
        pen.ellipse((left * width, top * height, right * width, bottom * height), fill=255)
    side = min(1024, max(width, height))
    patch = draw_he(side, side, seed)  # repeated: to draw every nucleus would take minutes
    repeats = (-(-height // side), -(-width // side), 1)
    rgb = np.tile(patch, repeats)[:height, :width]
    return np.where(np.asarray(mask)[..., None] > 0, rgb, np.uint8(GLASS))


def draw_pen(rgb: RgbArray, box: tuple[int, int, int, int], colour: str = "#1a3fb0") -> RgbArray:
    """Draw a thick marker line from corner to corner of ``box`` (left, top, right, bottom)."""
    picture = Image.fromarray(rgb)
    ImageDraw.Draw(picture).line(box, fill=colour, width=max(6, min(rgb.shape[:2]) // 40))
    return np.asarray(picture)


def write_svs(
    path: Path,
    rgb: RgbArray,
    mpp: float | str | None = 0.5,
    power: float | None = 20,
    *,
    downsamples: Sequence[int] = (4,),
    tile: int = 256,
    quality: int = 90,
    label: RgbArray | None = None,
    macro: RgbArray | None = None,
    missing: Sequence[int] = (),
    damaged: Sequence[int] = (),
    patient: str = "",
    icc: bytes | None = None,
) -> Path:
    """Write an Aperio-like SVS that OpenSlide opens as ``aperio``.

    ``downsamples`` are the levels below level 0; () writes none. ``missing`` and ``damaged`` are
    indices of level-0 tiles, row by row: the first have no data (OpenSlide shows them as not
    scanned), the second have data that cannot be decoded. ``patient`` goes into the free text.
    """
    height, width = rgb.shape[:2]
    facts = [f"Aperio Drawn v1.0\r\n{width}x{height} ({tile}x{tile}) JPEG/RGB Q={quality}"]
    facts += [f"AppMag = {power:g}"] if power is not None else []
    facts += [f"MPP = {mpp}"] if mpp is not None else []
    facts += [f"Filename = {patient}", f"User = {patient}"] if patient else []
    description = "|".join(facts)
    with tifffile.TiffWriter(path) as tiff:
        for downsample in (1, *downsamples):
            size = (width // downsample, height // downsample)
            level = rgb if downsample == 1 else np.asarray(Image.fromarray(rgb).reduce(downsample))
            _write_tiled(tiff, level[: size[1], : size[0]], description, tile, quality, icc)
        for name, picture in (("label", label), ("macro", macro)):
            if picture is not None:
                tiff.write(
                    picture,
                    photometric="rgb",
                    compression="lzw",
                    description=f"Aperio Drawn v1.0\r\n{name} {picture.shape[1]}x"
                    f"{picture.shape[0]}",
                    metadata=None,
                    subfiletype=1 if name == "label" else 9,
                )
    if missing or damaged:
        _hurt(path, missing, damaged)
    return path


def truncate(path: Path, share: float) -> Path:
    """Cut a file down to ``share`` of its bytes, as a broken copy would."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def write_generic_tiff(
    path: Path, rgb: RgbArray, *, tile: int = 256, downsamples: Sequence[int] = ()
) -> Path:
    """Write a tiled TIFF without any word of a scanner or a scale."""
    with tifffile.TiffWriter(path) as tiff:
        for downsample in (1, *downsamples):
            level = np.asarray(Image.fromarray(rgb).reduce(downsample))
            tiff.write(
                level,
                tile=(tile, tile),
                photometric="rgb",
                compression="deflate",
                subfiletype=0 if downsample == 1 else 1,
                metadata=None,
            )
    return path


def _write_tiled(
    tiff: tifffile.TiffWriter,
    rgb: RgbArray,
    description: str,
    tile: int,
    quality: int,
    icc: bytes | None = None,
) -> None:
    tiff.write(
        rgb,
        tile=(tile, tile),
        photometric="rgb",
        compression="jpeg",
        compressionargs={"level": quality, "outcolorspace": "ycbcr"},
        description=description,
        metadata=None,
        software=False,
        iccprofile=icc,
    )


def _hurt(path: Path, missing: Sequence[int], damaged: Sequence[int]) -> None:
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        page = tiff.pages[0]
        offsets, counts = list(page.dataoffsets), list(page.databytecounts)
        for index in damaged:
            tiff.filehandle.seek(offsets[index])
            tiff.filehandle.write(bytes(counts[index]))
        for index in missing:
            offsets[index] = counts[index] = 0
        if missing:
            page.tags["TileOffsets"].overwrite(offsets)
            page.tags["TileByteCounts"].overwrite(counts)


def _noise(rng: np.random.Generator, width: int, height: int, cell: int) -> np.ndarray:
    """Smooth noise between 0 and 1 whose hills are about ``cell`` pixels wide."""
    coarse = rng.random((height // cell + 2, width // cell + 2)).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(smooth), 0, 1)
