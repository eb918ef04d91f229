"""Open one image and plan its tiles: everything that happens before the network."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from math import ceil
from threading import Event
from typing import Protocol

import numpy as np
from PIL import Image

from lungscan.errors import Code, UnreadableFile
from lungscan.inputs import require_regular, sha256_of, show
from lungscan.inputs.files import open_failure
from lungscan.inputs.kinds import content_of
from lungscan.modalities.histology.survey import SURVEY_UM, survey
from lungscan.modalities.modality import Modality
from lungscan.modalities.table import modality_of
from lungscan.options import ClassifierOptions
from lungscan.reading import ImageSource, disguised, kind_of, open_field, open_source
from lungscan.reading.ct.series import LUNG_WINDOW, open_series
from lungscan.reading.slides.refusals import why_not_a_slide
from lungscan.reading.source import TileSource
from lungscan.tiles.grid import pen_area_mm2, plan_grid, tissue_area_mm2, whole_grid
from lungscan.tiles.mask import TissueMask
from lungscan.types import (
    FileKind,
    FileResult,
    FloatArray,
    InputFile,
    Overview,
    SourceInfo,
    Stamp,
    TileGrid,
)
from lungscan.workers import available_threads

THUMBNAIL_PX = 1024
SHEET_SLICES = 24  # of a series, in the picture that stands for it
# Of the network's side; a smaller picture holds no detail, and its answer would only look sure.
LEAST_FIELD = 0.5
LEAST_TILE = 0.75  # a field whose shorter side is below this share of a tile is taken whole
SURVEY_THREADS = 4  # each holds some 60 MB while it looks for tissue
MAX_FIELD_BYTES = 1 << 31  # read at once; the largest picture that is decoded holds 0.8 GB


class NetworkInput(Protocol):
    """What planning asks of a model: its card has it, and a training before there is a card."""

    @property
    def patch_size_pixels(self) -> int:
        """Side of the network's input."""

    @property
    def spacing_um_px(self) -> float:
        """Scale of tissue there, µm per pixel."""

    @property
    def modality(self) -> str:
        """What kind of picture it judges, see ``lungscan.modalities``."""

    @property
    def window(self) -> tuple[float, float] | None:
        """Of CT: level and width that grey stands for, Hounsfield units."""


@dataclass(frozen=True)
class Plan:
    """An opened image with its tiles; ``source`` stays open until the case is done."""

    file: InputFile
    source: TileSource
    grid: TileGrid
    result: FileResult
    unreadable: float = 0.0  # share of the overview that could not be read: no tiles lie there
    before: tuple[Stamp | None, ...] = ()  # of the file, before it was opened

    @property
    def fraction(self) -> FloatArray:
        """Tissue in each tile ``(n,)``; NaN for a field taken whole, where no overview knows it."""
        if self.grid.mode == "whole":
            return np.full(len(self.grid.boxes), np.nan, np.float32)
        return self.grid.tissue_fraction


def plan_file(
    file: InputFile,
    options: ClassifierOptions,
    card: NetworkInput,
    *,
    picture: bool,
    digest: str | None = None,
) -> Plan:
    """Open, hash and plan one file.

    Args:
        picture: keep a thumbnail for the reports.
        digest: the slide's SHA-256, when it is known already.

    Raises:
        UnreadableFile, NoScale: the file cannot be classified.
    """
    match kind_of(file):
        case "field":
            return plan_field(file, options, card, picture=picture)
        case "series":
            return _plan_series(file, card, picture=picture, digest=digest)
        case "slide":
            return _plan_slide(file, options, card, picture=picture, digest=digest)


_KINDS: dict[FileKind, str] = {
    "slide": "a slide",
    "field": "a picture",
    "series": "a DICOM series",
}


def _require_kind(kind: FileKind, file: InputFile, modality: Modality) -> None:
    """Refuse what a model cannot judge whatever it shows."""
    if kind not in modality.kinds:
        if file.path.suffix.lower() == ".dcm" and content_of(file.path) != "dicom":
            raise why_not_a_slide(file.path)
        raise UnreadableFile(
            f"{show(file.path.name)} is {_KINDS[kind]}, and this model judges "
            f"{modality.words.judged}. Choose another among the options (--model; "
            "`lungscan models list` names those that are here).",
            code=Code.MODALITY,
        )


def _plan_series(file: InputFile, card: NetworkInput, *, picture: bool, digest: str | None) -> Plan:
    """Plan a CT series: each slice is a tile.

    Raises:
        UnreadableFile: see ``lungscan.reading.ct.series.open_series``.
    """
    source = open_series(file, card.window or LUNG_WINDOW)
    _require_kind("series", file, modality_of(card.modality))
    boxes = source.boxes
    grid = TileGrid(
        boxes, np.ones(len(boxes), np.float32), card.patch_size_pixels, None, mode="whole"
    )
    thumbnail: tuple[bytes, float] | tuple[None, None] = (None, None)
    if picture:
        sheet = source.contact_sheet(SHEET_SLICES, THUMBNAIL_PX)
        thumbnail = to_jpeg(sheet, 85), source.info.width / sheet.width
    known = sha256_of(file) if digest is None else digest
    record = _record(file, source, known, grid, thumbnail, None, None)
    return Plan(file, source, grid, record, source.unreadable)


def _plan_slide(
    file: InputFile,
    options: ClassifierOptions,
    card: NetworkInput,
    *,
    picture: bool,
    digest: str | None = None,
) -> Plan:
    _require_kind("slide", file, modality_of(card.modality))
    unwanted = Event()
    # Hashing waits for the disk, planning computes.
    with ThreadPoolExecutor(1, "hash") as beside, ExitStack() as given_up:
        given_up.callback(unwanted.set)  # or a refusal would wait for the hash of a whole slide
        hashing = beside.submit(sha256_of, file, unwanted) if digest is None else None
        source = given_up.enter_context(closing(open_source(file, options.mpp)))
        planned = _plan_tiled(file, source, digest or "", options, card, picture=picture)
        if hashing is not None:
            planned = replace(planned, result=replace(planned.result, sha256=hashing.result()))
        given_up.pop_all()  # the file stays open
        return planned


def plan_field(
    file: InputFile, options: ClassifierOptions, card: NetworkInput, *, picture: bool
) -> Plan:
    """Plan a field image: tiled when its scale is known and it is large enough, else whole.

    Raises:
        UnreadableFile: the file is no picture that can be read.
    """
    data = _content(file)
    if disguised(file, data):
        del data  # as much as the slide
        return _plan_slide(replace(file, kind="slide"), options, card, picture=picture)
    modality = modality_of(card.modality)
    mpp = file.um_px or options.mpp if modality.scaled else None
    source = open_field(file, data=data, mpp=mpp, background=modality.background)
    info, digest = source.info, sha256(data).hexdigest()
    side = card.patch_size_pixels
    if min(info.width, info.height) < side * LEAST_FIELD:
        raise UnreadableFile(
            f"{show(file.path.name)} measures only {info.width} × {info.height} px; enlarged, it "
            f"would show nothing to judge. Export it with {ceil(side * LEAST_FIELD)} px a side at "
            "the least.",
            code=Code.TOO_SMALL,
        )
    if not modality.scaled:
        thumbnail = _thumbnail(source.overview(THUMBNAIL_PX)) if picture else (None, None)
        grid = _one_square(info.width, info.height, side)
        return Plan(file, source, grid, _record(file, source, digest, grid, thumbnail, None, None))
    if not _taken_whole(info, side, card.spacing_um_px):
        return _plan_tiled(file, source, digest, options, card, picture=picture)
    _require_fine(file, info, card)  # of very long pixels one side alone is too coarse
    grid = _whole_grid(info.width, info.height, side, info.scale.stretch)
    thumbnail = _thumbnail(source.overview(THUMBNAIL_PX)) if picture else (None, None)
    return Plan(file, source, grid, _record(file, source, digest, grid, thumbnail, None, None))


def _taken_whole(info: SourceInfo, size_px: int, spacing_um_px: float) -> bool:
    """Whether a field is covered by squares of its shorter side instead of tiles at a spacing.

    It is when its scale is unknown, or when it is too small for a tile of ``size_px`` at
    ``spacing_um_px``.
    """
    tile_um = size_px * spacing_um_px
    sides = (info.width, info.scale.x_um), (info.height, info.scale.y_um)
    return any(um is None or length < tile_um / um * LEAST_TILE for length, um in sides)


def _one_square(width: int, height: int, size_px: int) -> TileGrid:
    """A picture that is a slice: one square around all of it, whatever its shape."""
    side = max(width, height)
    box = [(width - side) // 2, (height - side) // 2, side, side]
    return TileGrid(np.array([box], np.int32), np.ones(1, np.float32), size_px, None, mode="whole")


@lru_cache(maxsize=64)
def _whole_grid(width: int, height: int, side: int, stretch: float) -> TileGrid:
    """The grid of a field taken whole: fields of one size share it, so nobody may write to it."""
    grid = whole_grid(width, height, side, stretch=stretch)
    grid.boxes.setflags(write=False)
    grid.tissue_fraction.setflags(write=False)
    return grid


def _content(file: InputFile) -> bytes:
    """The file's bytes, read once for both the hash and the picture."""
    if require_regular(file.path) > MAX_FIELD_BYTES:
        raise UnreadableFile(
            f"{show(file.path.name)} is too large for a field image; save it as a tiled, pyramidal "
            "TIFF.",
            code=Code.TOO_LARGE,
        )
    try:
        return file.path.read_bytes()
    except OSError as error:
        raise open_failure(file.path.name, error) from error


def _plan_tiled(
    file: InputFile,
    source: ImageSource,
    digest: str,
    options: ClassifierOptions,
    card: NetworkInput,
    *,
    picture: bool,
) -> Plan:
    _require_fine(file, source.info, card)
    info, overview = source.info, source.overview()
    threads = min(options.threads or available_threads(), SURVEY_THREADS)
    mask = tissue_of(source, overview, threads)
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
        _thumbnail(overview) if picture else (None, None),
        tissue_area_mm2(mask, info.scale),
        pen_area_mm2(mask, info.scale),
    )
    return Plan(file, source, grid, record, overview.unreadable)


def tissue_of(source: ImageSource, overview: Overview, threads: int = 1) -> TissueMask:
    """Find tissue and pen marks of an open image, whose overview is at hand."""
    info = source.info
    wanted = SURVEY_UM / info.scale.mpp_um if info.scale.mpp_um else overview.downsample
    return survey(overview, info, source.view, source.handy_downsample(wanted), threads)


def _require_fine(file: InputFile, info: SourceInfo, card: NetworkInput) -> None:
    """Refuse pixels so coarse that tiles would be enlarged more than twofold."""
    limit = card.spacing_um_px / LEAST_FIELD
    mpp = max(info.scale.x_um or 0.0, info.scale.y_um or 0.0)
    if mpp > limit:
        raise UnreadableFile(
            f"A pixel of {show(file.path.name)} measures {mpp:.3g} µm; this model needs "
            f"{limit:.3g} µm or finer to see cells. {_finer_elsewhere(info)}",
            code=Code.TOO_COARSE,
        )


def _finer_elsewhere(info: SourceInfo) -> str:
    """Where a finer picture of the same tissue may be found."""
    if "multi_page" in info.flags:
        return "Only the first of the file's pictures is read; if the scan is another, export that."
    if info.vendor == "dicom":
        return "If finer levels of its series lie elsewhere, put all files into one folder."
    return "Scan or export it at a higher magnification."


def _thumbnail(overview: Overview) -> tuple[bytes, float]:
    """JPEG of the overview, at most 1,024 px; without any metadata of the slide."""
    image = Image.fromarray(overview.rgb)
    full = max(image.size)
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    return to_jpeg(image, 85), overview.downsample * full / max(image.size)


def to_jpeg(image: Image.Image, quality: int) -> bytes:
    """A picture as JPEG, without any metadata."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


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
