"""From scored files to the record of a case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lungscan import __version__
from lungscan.classification.aggregate import Evidence, count, gather
from lungscan.classification.decide import Unscaled, decide
from lungscan.classification.pictures import choose_pictures, pick_pictures
from lungscan.classification.scoring import TileBatch, join
from lungscan.errors import CaseError, TooManyBadTiles
from lungscan.inputs import show
from lungscan.inputs.motion import IN_MOTION
from lungscan.modalities.modality import Words
from lungscan.modalities.table import modality_of
from lungscan.model.card import ModelCard
from lungscan.model.doubt import FLAG, doubt
from lungscan.model.shares import percent
from lungscan.opening.plan import Plan
from lungscan.options import AnswerOptions
from lungscan.results.provenance import utc_now
from lungscan.types import (
    CaseInput,
    CaseResult,
    CaseStatus,
    Explanation,
    FileResult,
    InputFile,
    Prediction,
    SkippedFile,
    TileCounts,
    TilePicture,
    TileScores,
    TileState,
)

BAD_SHARE = 0.05  # with a larger share unreadable the answer would not stand for the slide
EXPLAINED_TILES = 3  # of a case: each costs some fifty passes of the network
NO_TILES = TileCounts(0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class RunContext:
    """What every record of a run says of the run."""

    options: AnswerOptions
    card: ModelCard
    device: str
    settings: tuple[tuple[str, str], ...]
    settings_hash: str


@dataclass(frozen=True)
class ScoredFile:
    """One file of a case, after the network."""

    result: FileResult
    scores: TileScores
    pictures: tuple[TilePicture, ...]  # candidates for those of the case
    unreadable: float  # share of its overview
    devices: tuple[str, ...] = ()  # what answered, in the order in which they did
    explained: tuple[Explanation, ...] | None = None  # None where nobody asked


def scored_file(
    planned: Plan, batches: Sequence[TileBatch], card: ModelCard, picture: bool
) -> ScoredFile:
    """What is kept of a file whose tiles are all scored; read again for the ``picture``s."""
    scores = join(batches, planned.grid.boxes, 0, len(card.class_names))
    pictures = pick_pictures(planned, scores, card) if picture else ()
    devices = tuple(dict.fromkeys(batch.device for batch in batches))
    return ScoredFile(planned.result, scores, pictures, planned.unreadable, devices)


def about(problem: CaseError, file: InputFile, case: CaseInput) -> CaseError:
    """The problem, with the file's name where a case has several."""
    if len(case.files) == 1:
        return problem
    name, text = show(file.path.name), str(problem)
    if text.startswith(f"{name} "):  # not twice
        return type(problem)(f"{file.relative_path}{text.removeprefix(name)}", code=problem.code)
    return type(problem)(f"{file.relative_path}: {text}", code=problem.code)


def finished_case(
    case: CaseInput,
    run: RunContext,
    files: Sequence[ScoredFile],
    problems: Sequence[CaseError],
    started: str,
    seconds: float,
) -> CaseResult:
    """The record of a case whose files were tried; ``problems`` tells of those that failed.

    Readable files give the answer, and the case is partial when anything is missing. It failed
    when no file, or too little of each, could be read. A file that is still being written leaves
    the case for the next run.
    """
    if moving := [problem for problem in problems if problem.code == IN_MOTION]:
        skipped = failed_case(case, run, moving[0], started, seconds)
        return replace(skipped, status=CaseStatus.SKIPPED)
    files = [_numbered(file, index) for index, file in enumerate(files)]
    words = modality_of(run.card.modality).words
    spoiled = [error for file in files if (error := _too_damaged(file, case, words))]
    if len(spoiled) == len(files):
        failed = failed_case(case, run, (*problems, *spoiled)[0], started, seconds)
        counts = count(_evidence(files, run)) if files else NO_TILES
        return replace(failed, files=tuple(file.result for file in files), counts=counts)
    if spoiled:
        sound = [file for file in files if not _too_damaged(file, case, words)]
        return finished_case(case, run, sound, (*problems, *spoiled), started, seconds)
    evidence = _evidence(files, run)
    prediction, flags = decide(
        evidence, run.card, run.options.rule, run.options.abstain, how_unscaled(files, run.card)
    )
    damage = [text for file in files if (text := _damage(file, words))]
    incomplete = bool(problems or damage)
    answered = CaseStatus.NO_RESULT if prediction.label is None else CaseStatus.OK
    areas = [file.result.tissue_mm2 for file in files]
    return replace(
        _empty(case.key, case.case_id, _paths(case), run, started, seconds),
        status=CaseStatus.PARTIAL if incomplete else answered,
        files=tuple(file.result for file in files),
        prediction=prediction,
        counts=count(evidence),
        tissue_mm2=None if None in areas else sum(area or 0 for area in areas),
        scores=tuple(file.scores for file in files),
        pictures=choose_pictures(
            (picture for file in files for picture in file.pictures), run.card, prediction.label
        ),
        flags=_flags(flags, files, run.card),
        explained=_explained(files, prediction, run),
        device=_devices(files) or run.device,
        error_code=problems[0].code if problems else TooManyBadTiles.code if damage else "",
        error_message=" ".join([*map(str, problems), *damage]),
    )


def failed_case(
    case: CaseInput, run: RunContext, error: CaseError, started: str, seconds: float
) -> CaseResult:
    """The record of a case that could not be classified."""
    return replace(
        _empty(case.key, case.case_id, _paths(case), run, started, seconds),
        error_code=error.code,
        error_message=str(error),
    )


def spoiled_case(result: CaseResult, error: CaseError) -> CaseResult:
    """A finished case as failed after all, because its files could not be made."""
    return replace(
        result,
        status=CaseStatus.FAILED,
        prediction=None,
        tissue_mm2=None,
        scores=(),
        pictures=(),
        flags=(),
        explained=None,
        error_code=error.code,
        error_message=str(error),
    )


def skipped_file(file: SkippedFile, run: RunContext) -> CaseResult:
    """The record of a file left out, or of a folder that could not be read (failed then)."""
    return replace(
        _empty(file.key, file.relative_path, (file.relative_path,), run, utc_now(), 0.0),
        status=CaseStatus.FAILED if file.error_code else CaseStatus.SKIPPED,
        error_code=file.error_code,
        error_message=file.reason,
    )


def _numbered(file: ScoredFile, index: int) -> ScoredFile:
    """The file as number ``index`` of those that could be read."""
    if index == file.scores.file_index and not (file.pictures or file.explained):
        return file
    explained = file.explained
    if explained is not None:
        explained = tuple(replace(part, file_index=index) for part in explained)
    return replace(
        file,
        scores=replace(file.scores, file_index=index),
        pictures=tuple(replace(picture, file_index=index) for picture in file.pictures),
        explained=explained,
    )


def _explained(
    files: Sequence[ScoredFile], prediction: Prediction, run: RunContext
) -> tuple[Explanation, ...] | None:
    """The surest of the files' explained tiles that speak for the case's answer."""
    asked = [part for file in files for part in file.explained or ()]
    if all(file.explained is None for file in files):
        return None
    if prediction.label is None:
        return ()
    answer = run.card.class_names.index(prediction.label)
    mine = [part for part in asked if part.class_index == answer]
    return tuple(sorted(mine, key=lambda part: -part.probability)[:EXPLAINED_TILES])


def _evidence(files: Sequence[ScoredFile], run: RunContext) -> Evidence:
    return gather(
        [file.scores for file in files],
        [file.result.tissue_mm2 for file in files],
        len(run.card.class_names),
    )


def _too_damaged(file: ScoredFile, case: CaseInput, words: Words) -> TooManyBadTiles | None:
    failed, total = _failed_tiles(file), len(file.scores.state)
    if failed <= BAD_SHARE * total and file.unreadable <= BAD_SHARE:
        return None
    name = f"{file.result.relative_path}: " if len(case.files) > 1 else ""
    return TooManyBadTiles(
        f"{name}{_damage(file, words)} An answer would not stand for the whole. {words.damaged}"
    )


def _damage(file: ScoredFile, words: Words) -> str:
    """What of a file could not be read, as sentences; "" when it was whole."""
    failed, total = _failed_tiles(file), len(file.scores.state)
    parts = []
    if failed:
        parts.append(f"{failed} of {total} {words.tiles} could not be read.")
    if file.unreadable:
        share = max(file.unreadable, 0.001)
        parts.append(words.unread.format(share=percent(share)))
    return " ".join(parts)


def _devices(files: Sequence[ScoredFile]) -> str:
    """All that answered: more than one where a GPU was lost on the way."""
    return "; ".join(dict.fromkeys(device for file in files for device in file.devices))


def _failed_tiles(file: ScoredFile) -> int:
    return file.scores.state.count(TileState.FAILED)


def _flags(
    decided: tuple[str, ...], files: Sequence[ScoredFile], card: ModelCard
) -> tuple[str, ...]:
    found = [*decided, *((FLAG,) if doubt(card) else ())]
    modality = modality_of(card.modality)
    for file in files:
        info = file.result.info
        if _damage(file, modality.words):
            found.append("slices_unreadable" if modality.slices else "tiles_unreadable")
        if file.result.mode == "whole" and min(info.width, info.height) != card.patch_size_pixels:
            found.append("resized")
        if file.result.mode == "whole" and file.result.kind == "field" and info.scale.mpp_um:
            found.append("enlarged")  # at this scale it shows less than a tile
        if info.series is not None and info.series.slices > 1:
            found.append("series_not_validated")
        found += [*info.scale.flags, *info.flags]
    return tuple(flag for flag in dict.fromkeys(found) if flag not in modality.ignored_flags)


def how_unscaled(files: Sequence[ScoredFile], card: ModelCard) -> Unscaled | None:
    """How the first picture without a scale was shown; None where all have one."""
    unknown = [file for file in files if file.result.info.scale.mpp_um is None]
    if not (unknown and modality_of(card.modality).scaled):
        return None
    info, size = unknown[0].result.info, card.patch_size_pixels
    side, longest = min(info.width, info.height), max(info.width, info.height)
    shown = f"The picture of {info.width} × {info.height} px was taken whole"
    if longest >= 2 * side:
        shown += f", in {len(unknown[0].scores.boxes)} squares of its shorter side"
    if side != size:
        change = f"shrunk {side / size:.1f}" if side > size else f"enlarged {size / side:.1f}"
        shown += f" and {change} times"
    return Unscaled(f"{shown}.", side / size)


def _paths(case: CaseInput) -> tuple[str, ...]:
    return tuple(file.relative_path for file in case.files)


def _empty(
    key: str,
    case_id: str,
    paths: tuple[str, ...],
    run: RunContext,
    started: str,
    seconds: float,
) -> CaseResult:
    """A record that tells of the run only."""
    return CaseResult(
        key=key,
        case_id=case_id,
        status=CaseStatus.FAILED,
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
        lungscan_version=__version__,
    )
