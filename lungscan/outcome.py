"""From scored tiles to the record of a case."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from lungscan import __version__
from lungscan.aggregate import count, gather
from lungscan.cards import ModelCard
from lungscan.decide import decide
from lungscan.errors import LungScanError, TooManyBadTiles
from lungscan.options import ScanOptions
from lungscan.prepare import Plan
from lungscan.types import (
    CaseInput,
    CaseResult,
    CaseStatus,
    FileResult,
    SkippedFile,
    TileCounts,
    TilePicture,
    TileScores,
    TileState,
)

FAILED_TILES = 0.05  # with a larger share of unreadable tiles the answer would not stand for the slide
TOP_TILES = 6
UNCERTAIN_TILES = 3
NO_TILES = TileCounts(0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class RunContext:
    """What every record of a run says of the run."""

    options: ScanOptions
    card: ModelCard
    device: str
    settings: tuple[tuple[str, str], ...]
    settings_hash: str


def utc_now() -> str:
    """The time, ISO 8601 to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def finished_case(
    case: CaseInput,
    run: RunContext,
    files: Sequence[FileResult],
    scores: Sequence[TileScores],
    pictures: Sequence[TilePicture],
    problems: Sequence[LungScanError],
    started: str,
    seconds: float,
) -> CaseResult:
    """The record of a case whose files were read, perhaps not all of them (``problems``)."""
    areas = [file.tissue_mm2 for file in files]
    evidence = gather(scores, areas, len(run.card.class_names))
    counts = count(evidence)
    if counts.failed > FAILED_TILES * counts.total:
        error = TooManyBadTiles(
            f"{counts.failed} of {counts.total} tiles cannot be read, so an answer would not stand "
            "for the slide: the file is damaged or cut short. Copy or export it again."
        )
        return _with_files(failed_case(case, run, error, started, seconds), files, counts)
    prediction, flags = decide(evidence, run.card, run.options.rule, run.options.abstain)
    incomplete = counts.failed > 0 or bool(problems)
    status = (
        CaseStatus.NO_RESULT
        if prediction.label is None
        else CaseStatus.PARTIAL
        if incomplete
        else CaseStatus.OK
    )
    if counts.failed:
        flags = (*flags, "tiles_unreadable")
    flags = (*flags, *(f for file in files for f in (*file.info.scale.flags, *file.info.flags)))
    known = [area for area in areas if area is not None]
    return CaseResult(
        key=case.key,
        case_id=case.case_id,
        status=status,
        model=run.card.stamp(),
        files=tuple(files),
        prediction=prediction,
        counts=counts,
        tissue_mm2=sum(known) if known and len(known) == len(areas) else None,
        scores=tuple(scores),
        pictures=tuple(pictures),
        flags=tuple(dict.fromkeys(flags)),
        relative_paths=tuple(file.relative_path for file in case.files),
        settings_hash=run.settings_hash,
        settings=run.settings,
        device=run.device,
        seconds=seconds,
        started_utc=started,
        finished_utc=utc_now(),
        error_code=problems[0].code if problems else "E_TILE" if counts.failed else "",
        error_message=_incomplete(problems, counts),
        lungscan_version=__version__,
    )


def _incomplete(problems: Sequence[LungScanError], counts: TileCounts) -> str:
    parts = [str(problem) for problem in problems]
    if counts.failed:
        parts.append(f"{counts.failed} of {counts.total} tiles could not be read.")
    return " ".join(parts)


def _with_files(
    result: CaseResult, files: Sequence[FileResult], counts: TileCounts
) -> CaseResult:
    from dataclasses import replace

    return replace(result, files=tuple(files), counts=counts)


def failed_case(
    case: CaseInput, run: RunContext, error: LungScanError, started: str, seconds: float
) -> CaseResult:
    """The record of a case that could not be classified."""
    return _empty(
        case.key,
        case.case_id,
        CaseStatus.FAILED,
        tuple(file.relative_path for file in case.files),
        run,
        error.code,
        str(error),
        started,
        seconds,
    )


def skipped_file(file: SkippedFile, run: RunContext) -> CaseResult:
    """The record of a file left out, or of a folder that could not be read (failed then)."""
    status = CaseStatus.FAILED if file.error_code else CaseStatus.SKIPPED
    return _empty(
        file.key,
        file.relative_path,
        status,
        (file.relative_path,),
        run,
        file.error_code,
        file.reason,
        utc_now(),
        0.0,
    )


def _empty(
    key: str,
    case_id: str,
    status: CaseStatus,
    paths: tuple[str, ...],
    run: RunContext,
    code: str,
    message: str,
    started: str,
    seconds: float,
) -> CaseResult:
    return CaseResult(
        key=key,
        case_id=case_id,
        status=status,
        model=run.card.stamp(),
        files=(),
        prediction=None,
        counts=NO_TILES,
        tissue_mm2=None,
        scores=(),
        pictures=(),
        flags=(),
        relative_paths=paths,
        settings_hash=run.settings_hash,
        settings=run.settings,
        device=run.device,
        seconds=seconds,
        started_utc=started,
        finished_utc=utc_now(),
        error_code=code,
        error_message=message,
        lungscan_version=__version__,
    )


def pick_pictures(plans: Sequence[Plan], scores: Sequence[TileScores]) -> tuple[TilePicture, ...]:
    """The surest tiles and the least sure ones among those used, read again from the slide."""
    ranked = [
        (float(part.probs[row].max()), index, int(row))
        for index, part in enumerate(scores)
        for row in range(len(part.state))
        if part.state[row] is TileState.USED
    ]
    ranked.sort(key=lambda item: (-item[0], item[1], item[2]))
    if len(ranked) <= 1:
        return ()
    top = ranked[:TOP_TILES]
    rest = ranked[len(top) :][-UNCERTAIN_TILES:]
    chosen = [("top", item) for item in top] + [("uncertain", item) for item in reversed(rest)]
    pictures = []
    for role, (_, index, row) in chosen:
        plan, part = plans[index], scores[index]
        pixels = plan.source.read_tiles(part.boxes[row : row + 1], plan.grid.size_px)
        if pixels.failed[0]:
            continue
        x, y, width, height = (int(v) for v in part.boxes[row])
        pictures.append(
            TilePicture(
                role="top" if role == "top" else "uncertain",
                file_index=part.file_index,
                box=(x, y, width, height),
                probs=tuple(float(p) for p in part.probs[row]),
                jpeg=_jpeg(pixels.rgb[0]),
            )
        )
    return tuple(pictures)


def _jpeg(rgb: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=88)
    return out.getvalue()
