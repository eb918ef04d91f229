"""The pages after the answer: tiles, trust, provenance, review."""

from __future__ import annotations

from collections.abc import Sequence

from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Spacer

from lungscan.modalities.table import modality_of
from lungscan.report.heatmap import has_heatmap
from lungscan.report.legend import class_letters, scale_bar
from lungscan.report.overlay import base_picture
from lungscan.report.pdf.case_explained import explained_story
from lungscan.report.pdf.case_review import review_story
from lungscan.report.pdf.flowables import (
    Picture,
    ReliabilityPlot,
    ScaleLine,
    heading,
    jpeg_bytes,
    label_column,
    label_value,
    map_for_print,
    plain_table,
)
from lungscan.report.pdf.kit import RULE, WIDTH, paragraph, rich
from lungscan.report.quantities import duration, pixel_size, place_of, probability
from lungscan.report.wording import others_title
from lungscan.results.review_json import Beside
from lungscan.types import CaseResult, TilePicture

_TILES_A_ROW = 6
_TILE_GAP = 3 * mm
_TILE = (WIDTH - (_TILES_A_ROW - 1) * _TILE_GAP) / _TILES_A_ROW
_LABEL = 38 * mm


def detail_story(result: CaseResult, digest: str, beside: Beside) -> list[Flowable]:
    """Everything after the answer. ``digest`` is the SHA-256 of the case's ``case.json``."""
    answered = result.prediction is not None and result.prediction.label is not None
    words = modality_of(result.model.modality).words
    top = words.deciding if answered else words.clear
    return [
        *_tiles(result, "top", top),
        *explained_story(result),
        *_tiles(result, "uncertain", others_title(result)),
        *_more_files(result),
        *(_trust(result) if result.prediction else []),
        *_provenance(result, digest),
        *_closing(result, beside),
    ]


def _closing(result: CaseResult, beside: Beside) -> list[Flowable]:
    """The rest of the provenance and the review; a block to fill in by hand never stands alone."""
    made, review = _how_it_was_made(result), _review(result, beside)
    if beside.review is None or beside.review.opinion.verdict is None:
        return [KeepTogether([made, *review])]
    return [made, KeepTogether(review)]


def _more_files(result: CaseResult) -> list[Flowable]:
    """Overview and class map of the files after the first."""
    story: list[Flowable] = []
    half = (WIDTH - 8 * mm) / 2
    for index, file in enumerate(result.files[1:], start=1):
        base = base_picture(file)
        if base is None:
            continue
        picture, downsample = base
        mpp = file.info.scale.x_um
        bar = scale_bar(mpp * downsample, picture.width) if mpp else None
        left = Picture(jpeg_bytes(picture), half, 65 * mm)
        row: list[Flowable | str] = [left, ""]
        if has_heatmap(result, index):
            row[1] = Picture(jpeg_bytes(map_for_print(result, index)), half, 65 * mm)
        table = plain_table(
            [row], [half + 8 * mm, half], None, ("RIGHTPADDING", (0, 0), (-1, -1), 0)
        )
        title = heading(f"File {index + 1} of {len(result.files)}")
        named = paragraph(file.relative_path, "muted")
        story.append(KeepTogether([*title, named, table, ScaleLine(bar, left.scale)]))
    return story


# Tiles ------------------------------------------------------------------------------------------


def _tiles(result: CaseResult, role: str, title: str) -> list[Flowable]:
    chosen = [picture for picture in result.pictures if picture.role == role]
    if not chosen:
        return []
    rows = [chosen[at : at + _TILES_A_ROW] for at in range(0, len(chosen), _TILES_A_ROW)]
    tables = [_tile_row(result, row) for row in rows]
    return [KeepTogether([*heading(title), tables[0]]), *tables[1:]]


def _tile_row(result: CaseResult, row: Sequence[TilePicture]) -> Flowable:
    letters = class_letters(result.model)
    cells: list[list[Flowable] | str] = [_tile(picture, letters, result) for picture in row]
    cells += [""] * (_TILES_A_ROW - len(row))
    widths = [_TILE + _TILE_GAP] * (_TILES_A_ROW - 1) + [_TILE]
    return plain_table([cells], widths, None, ("RIGHTPADDING", (0, 0), (-1, -1), 0))


def _tile(picture: TilePicture, letters: Sequence[str], result: CaseResult) -> list[Flowable]:
    x, y, _, _ = picture.box
    order = sorted(range(len(picture.probs)), key=lambda index: -picture.probs[index])
    best = ", ".join(f"{letters[i]} {probability(picture.probs[i])}" for i in order[:2])
    cell = [
        Picture(picture.jpeg, _TILE, _TILE),
        Spacer(0, 2),
        paragraph(best, "small"),
        paragraph(place_of(result.files[picture.file_index].info, x, y), "small-muted"),
    ]
    if len(result.relative_paths) > 1:
        cell.append(paragraph(f"file {picture.file_index + 1}", "small-muted"))
    return cell


# Trust ------------------------------------------------------------------------------------------


def _trust(result: CaseResult) -> list[Flowable]:
    model = result.model
    plot_width = 56 * mm if model.reliability else 0
    left: list[Flowable] = []
    if model.facts:
        left.append(_pairs(model.facts, WIDTH - plot_width - 6 * mm, 46 * mm))
    if model.trained_on:
        left += [Spacer(0, 4), rich("<b>Data.</b> {}", model.trained_on)]
    if model.scale_note:
        left += [Spacer(0, 3), rich("<b>Scale.</b> {}", model.scale_note)]
    below: list[Flowable] = []
    if why := modality_of(model.modality).words.rule:
        left += [Spacer(0, 3), rich("<b>Rule.</b> {}", why)]
    if model.limits:
        below = [Spacer(0, 3), paragraph("What this model cannot know", "cell-bold")]
        below += [rich("• {}", limit.replace("`", ""), style="bullet") for limit in model.limits]
    if not left and not below and not model.reliability:
        return []
    right = [ReliabilityPlot(model.reliability)] if model.reliability else []
    table = plain_table([[left, right]], [WIDTH - plot_width, plot_width])
    return [KeepTogether([*heading("How far to trust this model"), table, *below])]


def _pairs(rows: Sequence[tuple[str, str]], width: float, label: float = _LABEL) -> Flowable:
    cells = [label_value(name, value) for name, value in rows]
    lines = ("LINEBELOW", (0, 0), (-1, -1), 0.3, RULE)
    tight = ("TOPPADDING", (0, 0), (-1, -1), 1.5)
    return plain_table(cells, [label, width - label], None, lines, tight, label_column(0, 1.5))


# Provenance -------------------------------------------------------------------------------------


def _provenance(result: CaseResult, digest: str) -> list[Flowable]:
    model = result.model
    rows, read = [("Case", result.case_id)], list(result.files)
    for path in result.relative_paths:
        rows.append(("File", path))
        file = next((file for file in read if file.relative_path == path), None)
        if file is not None:
            read.remove(file)  # another file of an equal path has a line of its own
            rows += [("Pixel size", pixel_size(file)), ("SHA-256 of the file", file.sha256)]
    rows += [
        ("SHA-256 of the model", model.sha256),
        ("Settings", "; ".join(f"{name} = {value}" for name, value in result.settings) or "–"),
        ("Settings hash", result.settings_hash),
        ("SHA-256 of case.json", digest),
    ]
    return [CondPageBreak(60 * mm), *heading("Provenance"), _pairs(rows, WIDTH)]


def _how_it_was_made(result: CaseResult) -> Flowable:
    """The rest of the provenance, short values two by two."""
    model = result.model
    unofficial = "" if model.official else ", not official"
    return _side_by_side(
        [
            ("Model", f"{model.name} {model.version}{unofficial}"),
            ("Aggregation rule", result.prediction.rule if result.prediction else "–"),
            ("Device", result.device),
            ("LungScan", f"{result.lungscan_version}, schema {result.schema_version}"),
            ("Started", result.started_utc),
            ("Finished", f"{result.finished_utc}, after {duration(result.seconds)}"),
        ]
    )


def _side_by_side(rows: Sequence[tuple[str, str]]) -> Flowable:
    """Two pairs of a label and a short value in each line."""
    pairs = [label_value(name, value) for name, value in rows]
    cells = [[*left, *right] for left, right in zip(pairs[::2], pairs[1::2], strict=True)]
    lines = ("LINEBELOW", (0, 0), (-1, -1), 0.3, RULE)
    tight = ("TOPPADDING", (0, 0), (-1, -1), 1.5)
    label, half = 26 * mm, 45 * mm
    widths = [_LABEL, half, label, WIDTH - _LABEL - half - label]
    labels = (label_column(0, 1.5), label_column(2, 1.5))
    return plain_table(cells, widths, None, lines, tight, *labels)


# Review -----------------------------------------------------------------------------------------


def _review(result: CaseResult, beside: Beside) -> list[Flowable]:
    """What a person said of the answer, else a block to be filled in by hand."""
    return [*heading("Review"), Spacer(0, 2), *review_story(result, beside)] if result.files else []
