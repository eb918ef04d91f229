"""Small drawn inputs, one of each kind that LungScan reads."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tifffile
from PIL import Image

from lungscan.types import RgbArray
from tests.drawing import draw_he, write_generic_tiff, write_svs

MPP_UM = 0.5
_OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="192" '
    'SizeY="192" SizeC="3" SizeZ="1" SizeT="1" PhysicalSizeX="0.5" PhysicalSizeY="0.5">'
    '<Channel ID="Channel:0:0" SamplesPerPixel="3"/><TiffData/></Pixels></Image></OME>'
)


def slide(path: Path, side: int = 512, seed: int = 0, **changes: object) -> Path:
    """A slide full of tissue whose fields coincide with the file's own tiles of 64 px."""
    path.parent.mkdir(parents=True, exist_ok=True)
    more = {"tile": 64} | changes
    return write_svs(path, tissue(side, seed), MPP_UM, **more)  # type: ignore[arg-type]


def tissue(side: int, seed: int = 0) -> RgbArray:
    """A square of tissue; a large one repeats a smaller, because drawing takes long."""
    patch = draw_he(min(side, 512), min(side, 512), seed)
    times = -(-side // len(patch))
    return np.tile(patch, (times, times, 1))[:side, :side]


def field(path: Path, side: int = 96, seed: int = 0) -> Path:
    """A field image without a scale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_he(side, side, seed)).save(path)
    return path


def encoded(rgb: RgbArray, form: str, **options: object) -> bytes:
    """A picture as the bytes of a file that Pillow writes."""
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, form, **options)
    return out.getvalue()


@cache
def seeds() -> dict[str, tuple[str, bytes]]:
    """Tiny intact files by kind: their suffix and their bytes."""
    rgb = draw_he(192, 192, 5)
    small = np.ascontiguousarray(rgb[:96, :96])
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        svs = write_svs(folder / "a.svs", rgb, MPP_UM, tile=64, downsamples=(2,)).read_bytes()
        tiled = write_generic_tiff(folder / "b.tif", rgb, tile=64, downsamples=(2,)).read_bytes()
        big = write_tiled(folder / "c.tif", rgb, bigtiff=True).read_bytes()
        ome_path = folder / "d.ome.tif"
        ome = write_tiled(ome_path, rgb, compression="deflate", description=_OME).read_bytes()
        jp2 = write_tiled(folder / "e.svs", rgb, compression="jpeg2000").read_bytes()
    return {
        "svs": (".svs", svs),
        "svs-jpeg2000": (".svs", jp2),
        "bigtiff": (".svs", big),
        "ome-tiff": (".ome.tif", ome),
        "tiled-tiff": (".tif", tiled),
        "tiff": (".tif", encoded(small, "TIFF", compression="tiff_lzw")),
        "jpeg": (".jpg", encoded(small, "JPEG", quality=85)),
        "jpeg-progressive": (".jpg", encoded(small, "JPEG", progressive=True)),
        "png": (".png", encoded(small, "PNG")),
        "bmp": (".bmp", encoded(small, "BMP")),
        "webp": (".webp", encoded(small, "WEBP", quality=80)),
    }


def write_tiled(
    path: Path,
    rgb: RgbArray,
    tile: int = 64,
    compression: str = "jpeg",
    *,
    description: str | None = None,
    bigtiff: bool = False,
    maxworkers: int | None = None,
) -> Path:
    """A tiled TIFF of one level that says it comes from an Aperio scanner, or ``description``."""
    height, width = rgb.shape[:2]
    aperio = f"Aperio Drawn v1.0\r\n{width}x{height} ({tile}x{tile})|AppMag = 20|MPP = {MPP_UM}"
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as tiff:
        tiff.write(
            rgb,
            tile=(tile, tile),
            photometric="rgb",
            compression=compression,
            description=aperio if description is None else description,
            metadata=None,
            software=False,
            maxworkers=maxworkers,
        )
    return path
