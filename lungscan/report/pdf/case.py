"""``report.pdf``: one page of answer, then what it rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer

from lungscan.errors import without_flags
from lungscan.modalities.table import modality_of
from lungscan.report.legend import class_rgb
from lungscan.report.lettering import shorten
from lungscan.report.pdf.case_detail import detail_story
from lungscan.report.pdf.case_evidence import class_table, pictures, quality
from lungscan.report.pdf.case_review import reviewed_line
from lungscan.report.pdf.flowables import TIGHT, color_of, label_column, label_value, plain_table
from lungscan.report.pdf.kit import (
    BODY_HEIGHT,
    INK,
    MUTED,
    WASH,
    WIDTH,
    Bookmark,
    PageInfo,
    paragraph,
    report_id,
    rich,
    write_story,
)
from lungscan.report.quantities import (
    moment,
    objective,
    pixel_size,
    probability,
    size_of,
    slices_of,
    window_of,
)
from lungscan.report.wording import explanation, headline, reserve_of, standing, unspoken
from lungscan.results.case_json import to_json
from lungscan.results.review_json import Beside
from lungscan.types import CaseResult, CaseStatus, FileResult

_TALLEST, _SHORTEST = 88 * mm, 42 * mm  # of the pictures
_LONGEST_WHY = 1200  # characters; a case of many files may have a sentence for each


def write_case_pdf(path: Path, result: CaseResult, beside: Beside | None = None) -> None:
    """Write the report of one case, answered, refused or failed; the same bytes each time.

    ``beside`` is a person's review of it; without one the report has a block to fill in by hand.
    Raises MachineError when the file cannot be written.
    """
    digest = hashlib.sha256(to_json(result)).hexdigest()
    beside = beside or Beside()
    story = [*_front_page(result, beside), *detail_story(result, digest, beside)]
    kicker = modality_of(result.model.modality).words.kicker
    info = PageInfo(
        title=result.case_id,
        subject=f"{kicker}, research use only",
        version=result.lungscan_version,
        report_id=report_id(digest),
    )
    write_story(path, story, info)


def _front_page(result: CaseResult, beside: Beside) -> list[Flowable]:
    top: list[Flowable] = [
        Bookmark("Result"),
        *_specimen(result),
        Spacer(0, 6),
        _answer_box(result),
        *reviewed_line(result, beside),
    ]
    if result.prediction is None:
        return [*top, *_error_code(result)]
    top += [*_limits_in_short(result), Spacer(0, 6), *class_table(result), Spacer(0, 6)]
    below = quality(result)
    room = BODY_HEIGHT - _height(top) - _height(below) - 34
    side_by_side = pictures(result, min(max(room, _SHORTEST), _TALLEST))
    return [*top, *side_by_side, *below]


def _height(flowables: Sequence[Flowable]) -> float:
    """Points that the flowables take, stacked."""
    total = 0.0
    for flowable in flowables:
        total += flowable.wrap(WIDTH, BODY_HEIGHT)[1]
        total += flowable.getSpaceBefore() + flowable.getSpaceAfter()
    return total


# Specimen ---------------------------------------------------------------------------------------


def _specimen(result: CaseResult) -> list[Flowable]:
    name = shorten("; ".join(_names(result)), 150)
    facts = [("File" if len(result.relative_paths) == 1 else "Files", name)]
    if result.files:
        facts += _file_facts(result.files[0], len(result.files))
    facts += [
        ("Model", f"{result.model.name} {result.model.version}" + standing(result.model)),
        ("Classified", moment(result.finished_utc)),
    ]
    rows: list[list[object]] = [
        [*label_value(*facts[0]), "", ""]
    ]  # a long name gets the whole line
    rest = facts[1:]
    for left, right in zip(rest[::2], [*rest[1::2], ("", "")], strict=False):
        rows.append([cell for pair in (left, right) for cell in label_value(*pair)])
    label, value = 22 * mm, WIDTH / 2 - 22 * mm
    labels = (label_column(0), label_column(2))
    grid = plain_table(
        rows, [label, value, label, value], None, ("SPAN", (1, 0), (3, 0)), TIGHT, *labels
    )
    return [
        paragraph(modality_of(result.model.modality).words.kicker.upper(), "kicker"),
        paragraph(shorten(result.case_id, 88), "title"),
        Spacer(0, 3),
        grid,
    ]


def _names(result: CaseResult) -> list[str]:
    """The case's files; of several those that were read by their numbers in the report."""
    if len(result.relative_paths) == 1 or not result.files:
        return list(result.relative_paths)
    read = [file.relative_path for file in result.files]
    unread = [f"not read: {path}" for path in result.relative_paths if path not in read]
    return [*(f"{number} {path}" for number, path in enumerate(read, start=1)), *unread]


def _file_facts(file: FileResult, files: int) -> list[tuple[str, str]]:
    info = file.info
    first = " (file 1)" if files > 1 else ""
    return [
        ("Size", f"{size_of(info)}{first}"),
        ("Pixel size", pixel_size(file)),
        *_source_facts(file),
        ("SHA-256", f"{file.sha256[:16]}…"),
    ]


def _source_facts(file: FileResult) -> list[tuple[str, str]]:
    """What made the picture, where it says so; of a series how its slices lie."""
    info = file.info
    if info.series is not None:
        return [("Slices", slices_of(info.series)), ("Window", window_of(info.series))]
    if info.vendor == "image":
        return [("Kind", "field")]
    return [("Scanner", info.vendor), ("Objective", objective(file))]


# Answer -----------------------------------------------------------------------------------------


def _answer_box(result: CaseResult) -> Flowable:
    prediction = result.prediction
    answered = prediction is not None and prediction.label is not None
    kicker = "MODEL OUTPUT" if prediction is not None else "NOT CLASSIFIED"
    left = [paragraph(kicker, "kicker"), paragraph(headline(result), "answer"), *_cautions(result)]
    right: list[Flowable] = []
    if answered and prediction is not None:
        right = [
            paragraph("CALIBRATED PROBABILITY", "label-right"),
            paragraph(probability(prediction.confidence), "big-number"),
        ]
    bar, number = 3.5, 46 * mm if right else 1
    return plain_table(
        [["", left, right]],
        [bar, WIDTH - bar - number, number],
        None,
        ("BACKGROUND", (0, 0), (0, 0), _bar_color(result)),
        ("BACKGROUND", (1, 0), (-1, -1), WASH),
        ("LEFTPADDING", (1, 0), (1, 0), 10),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 10 if right else 0),
        ("TOPPADDING", (0, 0), (-1, -1), 7),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 9),
    )


def _cautions(result: CaseResult) -> list[Flowable]:
    """What is missing of the case, and why its answer is kept back or given with reserve."""
    prediction = result.prediction
    partial = result.status is CaseStatus.PARTIAL
    lines: list[Flowable] = []
    if partial:
        missing = shorten(without_flags(result.error_message), _LONGEST_WHY)
        lines.append(rich("<b>Partial.</b> {}", missing, style="caution"))
    if prediction is None or prediction.label is None:
        reason = without_flags(reserve_of(result) if partial else explanation(result))
        lines += [Spacer(0, 2), paragraph(shorten(reason, _LONGEST_WHY))]
        if named := unspoken(result):
            lines += [Spacer(0, 2), paragraph(named, "muted")]
    elif reserve := without_flags(reserve_of(result)):
        lines.append(rich("<b>With reserve.</b> {}", reserve, style="caution"))
    return lines


def _limits_in_short(result: CaseResult) -> list[Flowable]:
    """The model's first limit in one line, and where the others are."""
    limits = result.model.limits
    if not limits:
        return []
    words = "<b>What this model cannot know:</b> {}"
    if len(limits) > 1:
        words += " More: next pages."
    return [Spacer(0, 5), rich(words, shorten(limits[0], 92), style="aside")]


def _bar_color(result: CaseResult) -> object:
    label = result.prediction.label if result.prediction else None
    if label not in result.model.class_names:
        return MUTED if result.prediction else INK
    return color_of(class_rgb(result.model)[result.model.class_names.index(label or "")])


def _error_code(result: CaseResult) -> list[Flowable]:
    """The code of what went wrong, for whoever looks it up; what to do stands in the message."""
    if result.status is CaseStatus.SKIPPED:
        return []
    story: list[Flowable] = []
    if result.error_code:
        story += [Spacer(0, 6), rich("Error code: <b>{}</b>", result.error_code, style="muted")]
    others = "The other cases of the run are not affected."
    return [*story, Spacer(0, 4), paragraph(others, "muted")]
