"""Open one image and plan its tiles: everything that happens before the network."""

from __future__ import annotations

import io
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from PIL import Image

from lungscan.cards import ModelCard
from lungscan.errors import UnreadableFile
from lungscan.inputs import sha256_of
from lungscan.options import ScanOptions
from lungscan.reading import ImageSource, kind_of, open_field, open_source
from lungscan.tiles.grid import pen_area_mm2, plan_grid, tissue_area_mm2, whole_grid
from lungscan.tiles.tissue import find_tissue
from lungscan.types import FileResult, FloatArray, InputFile, Overview, TileGrid

THUMBNAIL_PX = 1024


@dataclass(frozen=True)
class Plan:
    """An opened image with its tiles; ``source`` stays open until the case is done."""

    file: InputFile
    source: ImageSource
    grid: TileGrid
    result: FileResult

    @property
    def fraction(self) -> FloatArray:
        """Tissue in each tile ``(n,)``; NaN for a field taken whole, where no overview knows it."""
        if self.grid.mode == "whole":
            return np.full(len(self.grid.boxes), np.nan, np.float32)
        return self.grid.tissue_fraction


def plan_file(
    file: InputFile, options: ScanOptions, card: ModelCard, *, picture: bool, digest: str | None = None
) -> Plan:
    """Open, hash and plan one file.

    Args:
        picture: keep a thumbnail for the reports.
        digest: the file's SHA-256, when it is known already.

    Raises:
        UnreadableFile, NoScale: the file cannot be classified.
    """
    if kind_of(file) == "field":
        return plan_field(file, _content(file), options, card, picture=picture)
    digest = digest or sha256_of(file)
    source = open_source(file, options.mpp)
    try:
        return _plan_tiled(file, source, digest, options, card, source.overview())
    except BaseException:
        source.close()
        raise


def plan_field(
    file: InputFile, data: bytes, options: ScanOptions, card: ModelCard, *, picture: bool
) -> Plan:
    """Plan a field image from its bytes: tiled when its scale is known and it is large enough."""
    source = open_field(file, data=data, mpp=options.mpp)
    info, digest = source.info, sha256(data).hexdigest()
    mpp = info.scale.mpp_um
    side = card.patch_size_pixels
    if mpp is not None:
        tile = side * card.spacing_um_px / mpp
        if min(info.width, info.height) >= tile * 0.75:
            return _plan_tiled(file, source, digest, options, card, source.overview())
    grid = whole_grid(info.width, info.height, side)
    thumbnail = _thumbnail(source.overview(THUMBNAIL_PX)) if picture else (None, None)
    return Plan(file, source, grid, _record(file, source, digest, grid, thumbnail, None, None))


def _content(file: InputFile) -> bytes:
    try:
        return file.path.read_bytes()
    except OSError as error:
        raise UnreadableFile(
            f"The file cannot be read ({error.strerror or error}). Check the drive and permissions."
        ) from error


def _plan_tiled(
    file: InputFile,
    source: ImageSource,
    digest: str,
    options: ScanOptions,
    card: ModelCard,
    overview: Overview,
) -> Plan:
    info = source.info
    mask = find_tissue(overview, info.scale)
    grid = plan_grid(
        mask,
        info.width,
        info.height,
        info.scale,
        card.patch_size_pixels,
        card.spacing_um_px,
        options.overlap,
    )
    record = _record(
        file,
        source,
        digest,
        grid,
        _thumbnail(overview),
        tissue_area_mm2(mask, info.scale),
        pen_area_mm2(mask, info.scale),
    )
    return Plan(file, source, grid, record)


def _thumbnail(overview: Overview) -> tuple[bytes, float]:
    """JPEG of the overview, at most 1,024 px; without any metadata of the slide."""
    image = Image.fromarray(overview.rgb)
    full = max(image.size)
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue(), overview.downsample * full / max(image.size)


def _record(
    file: InputFile,
    source: ImageSource,
    digest: str,
    grid: TileGrid,
    thumbnail: tuple[bytes, float] | tuple[None, None],
    tissue_mm2: float | None,
    pen_mm2: float | None,
) -> FileResult:
    return FileResult(
        relative_path=file.relative_path,
        kind=source.kind,
        sha256=digest,
        info=source.info,
        mode=grid.mode,
        tile_spacing_um_px=grid.spacing_um_px,
        tissue_mm2=tissue_mm2,
        pen_mm2=pen_mm2,
        thumbnail_jpeg=thumbnail[0],
        thumbnail_downsample=thumbnail[1],
    )
