"""The report's section on its review: what a person said, and the answer without what was left out.

Without a review there is a block to be filled in by hand.
"""

from __future__ import annotations

from PIL import Image, ImageDraw
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer

from lungscan.modalities.table import modality_of
from lungscan.report.overlay import base_picture
from lungscan.report.pdf.flowables import Picture, Tick, jpeg_bytes, label_value, plain_table
from lungscan.report.pdf.kit import INK, RULE, WIDTH, paragraph, rich
from lungscan.report.quantities import moment
from lungscan.report.review_wording import (
    CHOICES,
    SEEN_HEAD,
    as_second,
    left_out_text,
    opinion_line,
    seen_text,
    side_by_side,
    verdict_text,
)
from lungscan.report.wording import answer_line
from lungscan.results.review_json import Beside, Opinion, Review, SecondAnswer
from lungscan.types import CaseResult

_LABEL = 38 * mm
_PICTURE = 62 * mm
_TALLEST = 70 * mm
_LINE_LEVELS = 3  # of a pixel: the dark border over a white one


def reviewed_line(result: CaseResult, beside: Beside) -> list[Flowable]:
    """One line for the first page: that a person has looked, and what was said."""
    review = beside.review
    if review is None or review.opinion.verdict is None:
        return []
    words = opinion_line(review.opinion, result.model)
    story: list[Flowable] = [Spacer(0, 5), rich("<b>Reviewed.</b> {}. More: last page.", words)]
    if review.second is not None:
        again = answer_line(as_second(result, review.second))
        left = left_out_text(review.second, len(review.regions), result.model)
        story.append(rich("<b>Without what the reviewer left out</b> ({}): {}", left, again))
    return story


def review_story(result: CaseResult, beside: Beside) -> list[Flowable]:
    """The section, below its heading."""
    review = beside.review
    problem: list[Flowable] = []
    if beside.problem:
        problem = [rich("<b>Not shown.</b> {}", beside.problem, style="caution"), Spacer(0, 3)]
    if review is None or review.opinion.verdict is None:
        seen = [] if review is None else _seen_alone(result, review)
        return [*problem, *seen, *_regions(result, review), _by_hand()]
    return [*_opinion_rows(result, review), *_regions(result, review), *_earlier(result, review)]


def _opinion_rows(result: CaseResult, review: Review) -> list[Flowable]:
    opinion = review.opinion
    rows = [
        ("Model output", answer_line(result)),
        ("Reviewer says", verdict_text(opinion, result.model)),
        (SEEN_HEAD, seen_text(review, result.model)),
        ("Reviewer", opinion.reviewer or "–"),
        ("Date", moment(opinion.reviewed_utc) or "–"),
        ("Signature", ""),
    ]
    heights: list[float | None] = [None] * (len(rows) - 1)
    grid = plain_table(
        [label_value(name, value) for name, value in rows],
        [_LABEL, WIDTH - _LABEL],
        [*heights, 9 * mm],  # type: ignore[list-item]  # None: as high as its content
        ("BOX", (0, 0), (-1, -1), 0.6, INK),
        ("LINEBELOW", (0, 0), (-1, -2), 0.4, RULE),
        ("LEFTPADDING", (0, 0), (-1, -1), 6),
    )
    lines = [line for line in opinion.comment.splitlines() if line.strip()]
    comment = [paragraph(line) for line in lines]
    head = [Spacer(0, 5), paragraph("Comment", "cell-bold")] if comment else []
    return [grid, *head, *comment]


def _seen_alone(result: CaseResult, review: Review) -> list[Flowable]:
    """The counter of a case that nobody has decided on yet."""
    if not review.pictures:
        return []
    return [rich("{}: <b>{}</b>", SEEN_HEAD, seen_text(review, result.model)), Spacer(0, 4)]


def _earlier(result: CaseResult, review: Review) -> list[Flowable]:
    if not review.earlier:
        return []
    lines = [paragraph(_with_comment(one, result), "bullet") for one in review.earlier]
    return [Spacer(0, 5), paragraph("Earlier reviews", "cell-bold"), *lines]


def _with_comment(opinion: Opinion, result: CaseResult) -> str:
    words = f"• {opinion_line(opinion, result.model)}"
    return f"{words}: {' '.join(opinion.comment.split())}" if opinion.comment.strip() else words


# Regions left out -------------------------------------------------------------------------------


def _regions(result: CaseResult, review: Review | None) -> list[Flowable]:
    """The second answer beside the first, and where the regions lie."""
    if review is None or not review.regions:
        return []
    if review.second is None:
        words = "The model was not at hand, so the answer was not formed again."
        head = rich("<b>Left out by the reviewer, as drawn below.</b> {}", words)
        return [Spacer(0, 6), head, Spacer(0, 3), *_pictures(result, review), Spacer(0, 4)]
    left = left_out_text(review.second, len(review.regions), result.model)
    rest = f"other {modality_of(result.model.modality).words.tiles}, by the same rule and limits."
    head = rich("<b>Left out by the reviewer:</b> {}. The second answer is of the {}", left, rest)
    pictures = _pictures(result, review)
    table = _both(result, review.second, WIDTH - (_PICTURE + 6 * mm if pictures else 0))
    grid = plain_table(
        [[table, pictures]] if pictures else [[table]],
        [WIDTH - _PICTURE, _PICTURE] if pictures else [WIDTH],
        None,
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
    )
    return [Spacer(0, 6), head, Spacer(0, 3), grid, Spacer(0, 4)]


def _both(result: CaseResult, second: SecondAnswer, width: float) -> Flowable:
    rows: list[list[Flowable]] = [
        [paragraph(word, "label") for word in ("", "First answer", "Without the regions")]
    ]
    for name, *values in side_by_side(result, as_second(result, second)):
        rows.append([paragraph(name, "label"), *(paragraph(value, "cell") for value in values)])
    first = 34 * mm
    half = (width - first) / 2
    lines = ("LINEBELOW", (0, 0), (-1, -1), 0.3, RULE)
    return plain_table(rows, [first, half, half], None, lines)


def _pictures(result: CaseResult, review: Review) -> list[Flowable]:
    found: list[Flowable] = []
    for index in sorted({region.file_index for region in review.regions}):
        base = base_picture(result.files[index]) if index < len(result.files) else None
        if base is None:
            continue
        picture = with_regions(*base, review, index)
        found += [Picture(jpeg_bytes(picture), _PICTURE, _TALLEST), Spacer(0, 2)]
    return found


def with_regions(
    picture: Image.Image, downsample: float, review: Review, file_index: int
) -> Image.Image:
    """The overview with what was left out dimmed, inside a white and dark border.

    Args:
        picture: of one file.
        downsample: level-0 pixels per pixel of it.
        review: holds the regions of all files.
        file_index: which of them are drawn.
    """
    dim = Image.new("L", picture.size, 0)
    polygons = [
        [(x / downsample, y / downsample) for x, y in region.points]
        for region in review.regions
        if region.file_index == file_index
    ]
    for points in polygons:
        ImageDraw.Draw(dim).polygon(points, fill=150)
    grey = Image.new("RGB", picture.size, (120, 120, 120))
    shown = Image.composite(grey, picture, dim)
    draw = ImageDraw.Draw(shown)
    for points in polygons:
        for width, colour in ((2 * _LINE_LEVELS, (255, 255, 255)), (_LINE_LEVELS, (20, 20, 20))):
            draw.line([*points, points[0]], fill=colour, width=width, joint="curve")
    return shown


# By hand ----------------------------------------------------------------------------------------


def _by_hand() -> Flowable:
    """A block to be filled in by hand."""
    ticks: list[object] = []
    for choice in CHOICES.values():
        ticks += [Tick(), paragraph(choice, "cell")]
    answer = plain_table([ticks], [5 * mm, 17 * mm, 5 * mm, 21 * mm, 5 * mm, 32 * mm])
    label, half = 24 * mm, WIDTH / 2
    return plain_table(
        [
            [paragraph("Model output", "label"), answer, "", ""],
            [paragraph("Comment", "label"), "", "", ""],
            [paragraph("Reviewer", "label"), "", paragraph("Date", "label"), ""],
        ],
        [label, half - label, 16 * mm, half - 16 * mm],
        [8 * mm, 15 * mm, 9 * mm],
        ("SPAN", (1, 0), (-1, 0)),
        ("BOX", (0, 0), (-1, -1), 0.6, INK),
        ("LINEBELOW", (0, 0), (-1, -2), 0.4, RULE),
        ("LINEBEFORE", (2, 2), (2, 2), 0.4, RULE),
        ("LEFTPADDING", (0, 0), (-1, -1), 6),
        ("TOPPADDING", (0, 0), (-1, -1), 6),
    )
