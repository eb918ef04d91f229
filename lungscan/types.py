"""The records that pass between modules.

Everything here is frozen and knows nothing of files, networks or screens. Frames and units are
said where a field is declared: positions and sizes are ``(x, y)`` and ``(width, height)`` in
level-0 pixels unless a field says otherwise, lengths are µm, areas mm².
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

RgbArray = NDArray[np.uint8]  # (height, width, 3)
RgbBatch = NDArray[np.uint8]  # (n, size, size, 3)
MaskArray = NDArray[np.bool_]  # (height, width)
FloatArray = NDArray[np.float32]
BoxArray = NDArray[np.int32]  # (n, 4): x, y, width, height in level-0 pixels

# Metadata of a field that newer models fill: results of the others are written as ever.
LEFT_OUT_WHILE_NONE = {"left_out_while_none": True}

FileKind = Literal["slide", "field", "series"]
Stamp = tuple[int, int]  # of a file: bytes, time of the last change in ns


class MppSource(StrEnum):
    """Where a scale (µm per pixel) came from."""

    FILE = "file"
    OBJECTIVE = "objective"
    USER = "user"
    UNKNOWN = "unknown"


class CaseStatus(StrEnum):
    """How a case ended; the ``status`` column of ``cases.csv``."""

    OK = "ok"
    NO_RESULT = "no_result"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"


class NoResult(StrEnum):
    """Why a case has no answer."""

    NOT_LUNG = "not_lung_he"
    NOT_CHEST_CT = "not_axial_chest_ct"
    NO_LUNG = "no_lung_in_view"
    UNCERTAIN = "too_uncertain"
    LITTLE_TISSUE = "too_little_tissue"
    BLURRED = "too_blurred"
    SOME_TUMOUR = "some_tumour"  # too little to count as tumour, too much for another answer
    OTHER_STAIN = "other_stain_or_scanner"  # also the flag of an answer given all the same


@dataclass(frozen=True, slots=True)
class InputFile:
    """One image to classify: a field image, a slide or a series (named by its first file)."""

    path: Path
    relative_path: str  # below the PATH that led here, "/" between parts, always encodable as UTF-8
    kind: FileKind
    parts: tuple[Path, ...] = ()  # every file of a slide or series when it has several
    stamps: tuple[Stamp | None, ...] = ()  # of each part when it was found; see inputs.motion
    um_px: float | None = None  # of a field: µm per pixel by a table, used if the file says none

    @property
    def bytes_found(self) -> int:
        """Bytes of all parts when it was found; nothing of those that the disk did not tell."""
        return sum(stamp[0] for stamp in self.stamps if stamp)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that is named by itself, and how the search of a folder above it called it."""

    path: Path
    relative_path: str
    case_id: str


@dataclass(frozen=True, slots=True)
class CaseInput:
    """The files that share one answer."""

    key: str  # names the folder under cases/: ASCII, at most 80 characters, unique in a run
    case_id: str  # what people see
    files: tuple[InputFile, ...]


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file left out on purpose, and why."""

    key: str
    relative_path: str
    reason: str
    error_code: str = ""  # set when it is not a choice but a failure: E_PERMISSION, E_NOT_FOUND


@dataclass(frozen=True, slots=True)
class HiddenName:
    """Whose pseudonym it is; this stays in memory, or goes where the user asks for it."""

    key: str  # of the case or skipped file, and its id
    relative_path: str  # as shown
    original_path: str  # below the PATH that led here
    case_id: str  # "" of a skipped file


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a run was pointed at, in a stable order."""

    cases: tuple[CaseInput, ...]
    skipped: tuple[SkippedFile, ...]
    hidden: tuple[HiddenName, ...] = ()  # one per file, when names are hidden


@dataclass(frozen=True, slots=True)
class Scale:
    """Size of a level-0 pixel. ``flags`` holds short codes such as ``mpp_xy_differ``.

    ``mpp_um`` squared is the pixel's area, whatever its shape: of a pixel that is no square it is
    the geometric mean of width and height.
    """

    mpp_um: float | None
    source: MppSource
    flags: tuple[str, ...] = ()
    mpp_xy_um: tuple[float, float] | None = None  # width and height, of a pixel that is no square

    @property
    def x_um(self) -> float | None:
        """Width of a pixel."""
        return self.mpp_xy_um[0] if self.mpp_xy_um else self.mpp_um

    @property
    def y_um(self) -> float | None:
        """Height of a pixel."""
        return self.mpp_xy_um[1] if self.mpp_xy_um else self.mpp_um

    @property
    def stretch(self) -> float:
        """Width of a pixel by its height; 1 for a square and where nothing is known."""
        return self.mpp_xy_um[0] / self.mpp_xy_um[1] if self.mpp_xy_um else 1.0


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """The slices of a CT series, in the order in which they lie.

    They are laid out as squares of ``side_px``, ``columns`` beside each other: see
    ``lungscan.reading.ct.series``.
    """

    slices: int
    columns: int
    side_px: int
    positions_mm: tuple[float, ...] | None  # along the normal, rising; None: the files do not say
    spacing_mm: float | None  # usual distance of neighbours
    window: tuple[float, float]  # level and width, Hounsfield units
    left_out: tuple[tuple[str, int], ...] = ()  # what does not belong to the stack, and how many

    def index_at(self, x: int, y: int) -> int:
        """Which slice, from 0, a level-0 pixel lies in."""
        return y // self.side_px * self.columns + x // self.side_px


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of an opened image. Only harmless metadata: never a patient field."""

    width: int
    height: int
    scale: Scale
    vendor: str  # "aperio", "generic-tiff", ...; "image" for a field
    objective_power: float | None
    flags: tuple[str, ...] = ()  # such as "multi_page", "grey", "alpha"
    bounds_origin: tuple[int, int] = (0, 0)  # level 0; QuPath's corner, see ``report.geojson``
    series: SeriesInfo | None = field(default=None, metadata=LEFT_OUT_WHILE_NONE)


@dataclass(frozen=True, slots=True)
class Overview:
    """A small picture of the whole image, made from the main pyramid only."""

    rgb: RgbArray
    valid: MaskArray  # False where nothing was scanned
    downsample: float  # level-0 pixels per overview pixel
    unreadable: float = 0.0  # share of the picture that could not be read; not valid there


@dataclass(frozen=True, slots=True)
class TileGrid:
    """The fields of one image that the network will see."""

    boxes: BoxArray  # (n, 4) level-0 pixels, row by row
    tissue_fraction: FloatArray  # (n,) share of each box that is tissue, 0 to 1
    size_px: int  # side of the network's input
    spacing_um_px: float | None  # of the network's input; None when the scale is unknown
    mode: Literal["tiled", "whole"]  # "whole": one box, resized as the model's card says


@dataclass(frozen=True, slots=True)
class TileQuality:
    """Picture quality of a batch of tiles, measured at the network's scale; all (n,)."""

    focus: FloatArray  # 0 (blurred) to 1 (sharp); below 0.5 counts as out of focus
    pen: FloatArray  # share of pixels that look like marker ink
    blank: FloatArray  # share of pixels without tissue
    valid: FloatArray  # share of pixels that were scanned


class TileState(StrEnum):
    """What became of a tile."""

    USED = "used"
    BLURRED = "blurred"
    PEN = "pen"
    BLANK = "blank"
    UNSCANNED = "unscanned"
    NOVEL = "novel"
    FAILED = "failed"
    OTHER_STAIN = "other_stain"  # lung, it seems, but further off than can be judged


@dataclass(frozen=True, slots=True)
class TileScores:
    """Everything measured on the tiles of one image: arrays in one record, row i is tile i."""

    file_index: int  # which of ``CaseResult.files``, those that could be read
    boxes: BoxArray  # (n, 4)
    tissue_fraction: FloatArray  # (n,)
    probs: FloatArray  # (n, classes), calibrated; NaN for failed tiles
    novelty: FloatArray  # (n,); above 1 the tile does not look like the training tissue
    quality: TileQuality
    state: tuple[TileState, ...]  # (n,)
    # (n,); above 1 another stain or scanner than the training's. None where the model cannot tell.
    appearance: FloatArray | None = field(default=None, metadata=LEFT_OUT_WHILE_NONE)


@dataclass(frozen=True, slots=True)
class TilePicture:
    """A tile worth showing: a JPEG at the network's size."""

    role: Literal["top", "uncertain"]
    file_index: int
    box: tuple[int, int, int, int]
    probs: tuple[float, ...]  # in the model's class order
    jpeg: bytes

    @property
    def likeliest(self) -> int:
        """The class that the tile is likeliest of, in the model's order."""
        return self.probs.index(max(self.probs))


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one tile's answer depends on, cell by cell; see ``lungscan.explaining``.

    Numbers are natural logarithms of odds, so that they add up and do not saturate near 1.
    """

    method: Literal["occlusion", "cam"]
    file_index: int
    box: tuple[int, int, int, int]
    class_index: int  # the class explained, in the model's order
    probability: float  # of that class, the tile as it is
    # (rows, columns) from the tile's top left. occlusion: by how much the class's log-odds fall
    # when the cell is blurred. cam: the cell's part of ``score``.
    cells: FloatArray
    score: float  # occlusion: log-odds of the class. cam: its logit minus the mean of the others'
    rest: float | None  # cam: sum of cells + rest = score. None where cells do not add up
    lowest: float | None  # occlusion: the class's least probability with one cell blurred
    jpeg: bytes  # the tile at the network's size


@dataclass(frozen=True, slots=True)
class FileResult:
    """What a report says of one file of a case."""

    relative_path: str
    kind: FileKind
    sha256: str
    info: SourceInfo
    mode: Literal["tiled", "whole"]
    tile_spacing_um_px: float | None
    tissue_mm2: float | None
    pen_mm2: float | None
    thumbnail_jpeg: bytes | None  # longest side at most 1,024 px
    thumbnail_downsample: float | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer of one case.

    ``label`` is None when the abstain policy withholds it; ``suggested`` is then still the class
    the rule would have named, shown only where a report explains a refusal.
    """

    label: str | None
    confidence: float | None  # calibrated, 0 to 1
    suggested: str | None
    reason: NoResult | None
    reason_text: str  # sentences for people; "" when there is a plain label
    probs: tuple[float, ...]  # in the card's class order; () when no tile could be used
    area_mm2: tuple[float, ...] | None  # per class; None when the scale is unknown
    tile_share: tuple[float, ...]  # per class, share of the used tiles
    rule: str  # name of the aggregation rule


@dataclass(frozen=True, slots=True)
class TileCounts:
    """How many tiles were planned, and what became of them."""

    total: int
    used: int
    failed: int
    blurred: int
    pen: int
    blank: int
    unscanned: int
    novel: int
    other_stain: int | None = field(default=None, metadata=LEFT_OUT_WHILE_NONE)


UNPROVEN = "Unproven"  # the first fact of a model that was not found to be better than chance


@dataclass(frozen=True, slots=True)
class ModelStamp:
    """Which model answered."""

    name: str
    version: str
    sha256: str
    class_names: tuple[str, ...]
    display_names: tuple[str, ...]
    colors: tuple[str, ...]  # "#rrggbb" per class, colour-blind safe
    tumour: tuple[bool, ...]  # per class
    official: bool  # shipped with LungScan and unchanged
    facts: tuple[tuple[str, str], ...] = ()  # what was measured: ("Grouped test accuracy", "...")
    limits: tuple[str, ...] = ()  # sentences: what the model cannot know
    reliability: tuple[tuple[float, float, int], ...] = ()  # (mean confidence, accuracy, n) per bin
    trained_on: str = ""
    scale_note: str = ""  # how fields without a scale, or larger than the input, are treated
    # A key of ``lungscan.modalities.modality.MODALITIES``; None: H&E, the first.
    modality: str | None = field(default=None, metadata=LEFT_OUT_WHILE_NONE)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """All that a report needs; nothing is read again later. ``case.json`` is this record."""

    key: str
    case_id: str
    status: CaseStatus
    model: ModelStamp
    files: tuple[FileResult, ...]  # those that could be read
    prediction: Prediction | None  # None when failed or skipped
    counts: TileCounts
    tissue_mm2: float | None
    scores: tuple[TileScores, ...]  # one per readable file
    pictures: tuple[TilePicture, ...]
    flags: tuple[str, ...]
    relative_paths: tuple[str, ...]  # also when the files could not be opened
    settings_hash: str
    settings: tuple[tuple[str, str], ...]  # as shown in the report
    device: str  # what answered; joined with "; " where a GPU was lost on the way
    seconds: float
    started_utc: str  # ISO 8601
    finished_utc: str
    error_code: str = ""
    error_message: str = ""
    lungscan_version: str = ""
    schema_version: int = 1
    # None where nobody asked; () where there was no answer to explain.
    explained: tuple[Explanation, ...] | None = field(default=None, metadata=LEFT_OUT_WHILE_NONE)
