"""``summary.pdf``: the batch at a glance, what needs attention, then every case in one line.

Thousands of rows are drawn straight on the canvas: ReportLab's tables take minutes for them.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reportlab.lib.colors import Color
from reportlab.lib.units import mm

from lungscan.errors import without_flags
from lungscan.modalities.modality import Modality
from lungscan.modalities.table import modality_of
from lungscan.report.legend import class_letters, class_rgb
from lungscan.report.pdf.flowables import Swatch, color_of
from lungscan.report.pdf.kit import (
    MARGIN,
    MUTED,
    WASH,
    WIDTH,
    PageInfo,
    ReportCanvas,
    line,
    report_id,
)
from lungscan.report.pdf.sheet import LINE, ROW, SIZE, Column, Sheet, draw_table, wrapped
from lungscan.report.quantities import area, duration, moment, probability
from lungscan.report.wording import STATUS_NAMES, answer_line, explanation, standing, why_in_short
from lungscan.results.atomic_files import write_atomic
from lungscan.results.case_json import dump_record
from lungscan.results.run_json import RunSummary
from lungscan.types import CaseResult, CaseStatus

_ATTENTION = (CaseStatus.FAILED, CaseStatus.PARTIAL, CaseStatus.NO_RESULT)
_REASON_ROWS = 12  # of the cases of one reason; the full table names the others
_SKIPPED_ROWS = 36
_LINES = 6  # of a reason: the cure comes last in it


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """What the summary says of one case; small, so that a large batch fits in memory."""

    case_id: str
    status: CaseStatus
    label: str | None
    answer: str
    confidence: float | None
    tiles_used: int
    tissue_mm2: float | None
    note: str  # a sentence: why there is no plain answer
    reason: str  # the same in a few words


def summary_row(result: CaseResult) -> SummaryRow:
    """The line of one case."""
    prediction = result.prediction
    return SummaryRow(
        case_id=result.case_id,
        status=result.status,
        label=prediction.label if prediction else None,
        answer=answer_line(result).removeprefix("No result: "),
        confidence=prediction.confidence if prediction and prediction.label else None,
        tiles_used=result.counts.used,
        tissue_mm2=result.tissue_mm2,
        note=without_flags(explanation(result)),
        reason=why_in_short(result),
    )


def write_summary_rows(path: Path, rows: Sequence[SummaryRow], run: RunSummary) -> None:
    """Write the summary of a run, from lines made while its cases passed by; the same bytes.

    Raises MachineError when the file cannot be written.
    """
    buffer, modality = io.BytesIO(), modality_of(run.model.modality)
    info = PageInfo(
        title=f"Summary of {run.cases:,} {_plural(run.cases, 'case')}",
        subject=f"{modality.words.kicker}, research use only",
        version=run.lungscan_version,
        report_id=report_id(hashlib.sha256(dump_record(run)).hexdigest()),
    )
    sheet = Sheet(ReportCanvas(buffer, info))
    _draw_head(sheet, run, modality)
    _draw_counts(sheet, rows, run)
    _draw_attention(sheet, rows)
    _draw_skipped(sheet, rows)
    _draw_all(sheet, rows, modality)
    sheet.canvas.save()
    write_atomic(path, buffer.getvalue(), durable=False)


def _draw_head(sheet: Sheet, run: RunSummary, modality: Modality) -> None:
    canvas, words = sheet.canvas, modality.words
    line(canvas, MARGIN, sheet.down(8), words.kicker.upper(), size=7, bold=True, color=MUTED)
    title = f"Summary of {run.cases:,} {_plural(run.cases, 'case')}"
    line(canvas, MARGIN, sheet.down(19), title, size=15, bold=True)
    sheet.down(6)
    facts = (
        ("Model", f"{run.model.name} {run.model.version}{standing(run.model)}"),
        ("Device", run.device),
        ("Started", moment(run.started_utc)),
        ("Finished", f"{moment(run.finished_utc)}, after {duration(run.seconds)}"),
        (words.tiles.capitalize(), f"{run.tiles:,}{_rate(run)}"),
        ("Settings hash", run.settings_hash),
    )
    for index, (name, value) in enumerate(facts):
        if index % 2 == 0:
            sheet.down(13)
        x = MARGIN + (index % 2) * WIDTH / 2
        line(canvas, x, sheet.y, name, size=7, color=MUTED)
        line(canvas, x + 62, sheet.y, value, size=8, room=WIDTH / 2 - 68)
    sheet.down(4)


def _rate(run: RunSummary) -> str:
    """Tiles a second; of a run that took cases over from an earlier one it would say nothing."""
    if run.resumed:
        return f", with those of {run.resumed:,} {_plural(run.resumed, 'case')} of an earlier run"
    return f" ({run.tiles / run.seconds:,.0f} per second)" if run.seconds > 0 else ""


# Counts -----------------------------------------------------------------------------------------


def _draw_counts(sheet: Sheet, rows: Sequence[SummaryRow], run: RunSummary) -> None:
    """How the cases ended, and the labels given, as bars side by side."""
    labels = Counter(row.label for row in rows if row.label is not None)
    model = run.model
    by_label = [
        (name, labels[key], color_of(rgb), Swatch(rgb, letter, 8))
        for key, name, rgb, letter in zip(
            model.class_names, model.display_names, class_rgb(model), class_letters(model),
            strict=True,
        )
    ]  # fmt: skip
    counts = (run.ok, run.partial, run.no_result, run.failed, run.skipped)
    by_status = [
        (name, count, MUTED, None)
        for name, count in zip(STATUS_NAMES.values(), counts, strict=True)
    ]
    half = WIDTH / 2 - 4 * mm
    tallest = max(len(by_status), len(by_label))
    sheet.heading("At a glance", tallest * 15)
    top = sheet.y
    _draw_bars(sheet.canvas, (MARGIN, top), half, by_status, max(run.cases, 1))
    _draw_bars(sheet.canvas, (MARGIN + WIDTH / 2 + 4 * mm, top), half, by_label, max(run.cases, 1))
    sheet.down(15 * tallest)


def _draw_bars(
    canvas: ReportCanvas,
    place: tuple[float, float],
    width: float,
    entries: Sequence[tuple[str, int, Color, Swatch | None]],
    total: int,
) -> None:
    x, y = place
    label, number = 128.0, 34.0
    room = width - label - number
    for name, count, color, swatch in entries:
        y -= 15
        inset = 12 if swatch else 0
        if swatch:
            swatch.drawOn(canvas, x, y - 1)
        line(canvas, x + inset, y, name, size=8, room=label - inset - 6)
        canvas.setFillColor(WASH)
        canvas.rect(x + label, y - 1, room, 8, stroke=0, fill=1)
        canvas.setFillColor(color)
        canvas.rect(x + label, y - 1, room * count / total, 8, stroke=0, fill=1)
        line(canvas, x + width, y, f"{count:,}", size=8, bold=True, align="right")


# Tables -----------------------------------------------------------------------------------------


def _draw_attention(sheet: Sheet, rows: Sequence[SummaryRow]) -> None:
    """What failed or was refused, before anything else, by its reasons."""
    chosen = [row for status in _ATTENTION for row in rows if row.status is status]
    chosen += [row for row in rows if row.status is CaseStatus.OK and row.reason]
    if not chosen:
        return
    sheet.heading("Needs attention", 5 * ROW)
    groups: dict[tuple[CaseStatus, str], list[SummaryRow]] = {}
    for row in chosen:
        groups.setdefault((row.status, row.reason), []).append(row)
    by_status = (*_ATTENTION, CaseStatus.OK)
    for (status, reason), group in sorted(
        groups.items(), key=lambda item: (by_status.index(item[0][0]), -len(item[1]))
    ):
        _draw_group(sheet, f"{STATUS_NAMES[status]}, {reason or 'other'}: {len(group):,}", group)


def _draw_group(sheet: Sheet, title: str, rows: Sequence[SummaryRow]) -> None:
    """Cases of one reason: what is said of all of them once, then what is said of each."""
    shared, own = _shared([row.note for row in rows])
    said = wrapped(Column("", WIDTH, lines=_LINES), shared) if shared else []
    if not sheet.has_room(4 * ROW + len(said) * LINE):
        sheet.new_page()
    line(sheet.canvas, MARGIN, sheet.down(ROW), title, size=8, bold=True)
    for text in said:
        line(sheet.canvas, MARGIN, sheet.down(LINE + 1), text, size=SIZE)
    sheet.down(2)
    names = [row.case_id for row in rows]
    columns: tuple[Column, ...] = (Column("Case", 150), Column("Why", WIDTH - 150, lines=_LINES))
    cells: list[tuple[str, ...]] = list(zip(names, own, strict=True))
    if not any(own):  # three names in a row
        columns, names = (Column("Case", WIDTH / 3),) * 3, [*names, "", ""]
        cells = list(zip(names[::3], names[1::3], names[2::3], strict=False))
    draw_table(sheet, columns, cells[:_REASON_ROWS], head=False)
    _draw_more(sheet, len(rows) - _REASON_ROWS * (1 if any(own) else 3))
    sheet.down(5)


def _shared(notes: Sequence[str]) -> tuple[str, list[str]]:
    """The sentences that stand in all of several notes; and each note without them."""
    if len(notes) == 1:
        return "", list(notes)
    told = [re.split(r"(?<=[.]) ", note) for note in notes]
    common = set(told[0]).intersection(*told[1:])
    own = [" ".join(text for text in texts if text not in common) for texts in told]
    return " ".join(text for text in told[0] if text in common), own


def _draw_skipped(sheet: Sheet, rows: Sequence[SummaryRow]) -> None:
    """What was left out, and why; the rarer reasons first, or junk would hide an empty slide."""
    skipped = [row for row in rows if row.status is CaseStatus.SKIPPED]
    if not skipped:
        return
    sheet.heading("Skipped", 3 * ROW)
    counts = Counter(row.reason for row in skipped)
    skipped.sort(key=lambda row: counts[row.reason])
    columns = (Column("File", 202), Column("Why", WIDTH - 202, lines=_LINES))
    cells = [(row.case_id, row.note) for row in skipped]
    draw_table(sheet, columns, cells[:_SKIPPED_ROWS])
    _draw_more(sheet, len(cells) - _SKIPPED_ROWS)


def _draw_more(sheet: Sheet, more: int) -> None:
    """How many cases a table leaves out, if any."""
    if more <= 0:
        return
    text = f"and {more:,} more, in the table of all cases and in cases.csv"
    if not sheet.has_room(ROW):
        sheet.new_page()
    line(sheet.canvas, MARGIN, sheet.down(ROW), text, size=7, color=MUTED)


def _draw_all(sheet: Sheet, rows: Sequence[SummaryRow], modality: Modality) -> None:
    if not rows:
        return
    sheet.heading("All cases", 4 * ROW)
    area_column = (Column("Tissue, mm²", 52, "right"),) if modality.scaled else ()
    columns = (
        Column("Case", WIDTH - 298 - sum(column.width for column in area_column)),
        Column("Status", 42),
        Column("Model output or reason", 164, lines=2),
        Column("Probability", 46, "right"),
        Column(f"{modality.words.tiles.capitalize()} used", 46, "right"),
        *area_column,
    )
    cells = (
        (
            row.case_id,
            STATUS_NAMES[row.status],
            _answer(row),
            probability(row.confidence),
            f"{row.tiles_used:,}",
            *((area(row.tissue_mm2),) if area_column else ()),
        )
        for row in rows
    )
    draw_table(sheet, columns, cells)


def _answer(row: SummaryRow) -> str:
    """The answer; of a case without any the reason, in a few words."""
    if row.status in (CaseStatus.FAILED, CaseStatus.SKIPPED):
        return row.reason or "–"
    return row.answer


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
