"""The first page's evidence: class table, pictures, quality."""

from __future__ import annotations

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer

from lungscan.errors import without_flags
from lungscan.modalities.table import modality_of
from lungscan.report.cases_csv import all_flags
from lungscan.report.heatmap import has_heatmap, hatched
from lungscan.report.legend import (
    UNCERTAIN_BELOW,
    class_letters,
    class_rgb,
    scale_bar,
    used_counts,
)
from lungscan.report.overlay import base_picture
from lungscan.report.pdf.flowables import (
    TIGHT,
    Hatch,
    Picture,
    ScaleLine,
    ShareBar,
    Swatch,
    jpeg_bytes,
    label_column,
    label_value,
    map_for_print,
    plain_table,
)
from lungscan.report.pdf.kit import (
    RULE,
    WIDTH,
    paragraph,
)
from lungscan.report.quantities import area, percent, probability
from lungscan.report.wording import further_flags
from lungscan.types import CaseResult

_GAP = 8 * mm  # between the two pictures
_HALF = (WIDTH - _GAP) / 2

# Classes ----------------------------------------------------------------------------------------


def class_table(result: CaseResult) -> list[Flowable]:
    """Tiles, share, area and probability of each class; nothing when no tile could be used."""
    prediction = result.prediction
    if prediction is None or not prediction.probs:
        return []
    model = result.model
    counts = used_counts(result.scores, len(model.class_names))
    modality = modality_of(model.modality)
    areas = prediction.area_mm2 if modality.scaled else ()  # slices have none
    measured = [modality.words.share, *(["Area, mm²"] if modality.scaled else [])]
    heads = ("", "Class", modality.words.tiles.capitalize(), *measured, "Probability", "")
    right = range(2, len(heads) - 1)
    rows: list[list[Flowable]] = [
        [paragraph(h, "label-right" if i in right else "label") for i, h in enumerate(heads)]
    ]
    looks = zip(class_letters(model), class_rgb(model), strict=True)
    for index, (letter, rgb) in enumerate(looks):
        bold = "-bold" if model.class_names[index] == prediction.label else ""
        numbers = (
            f"{counts[index]:,}",
            percent(prediction.tile_share[index]) if prediction.tile_share else "–",
            *([area(areas[index] if areas else None)] if modality.scaled else []),
            probability(prediction.probs[index]),
        )
        rows.append(
            [
                Swatch(rgb, letter),
                paragraph(model.display_names[index], f"cell{bold}"),
                *(paragraph(number, f"number{bold}") for number in numbers),
                ShareBar(prediction.probs[index], rgb, 32 * mm),
            ]
        )
    measured_mm = [22 * mm] if modality.scaled else []
    fixed = (7 * mm, 18 * mm, 25 * mm, *measured_mm, 23 * mm, 34 * mm)
    widths = [fixed[0], WIDTH - sum(fixed), *fixed[1:]]
    lines = [("LINEBELOW", (0, row), (-1, row), 0.4, RULE) for row in range(len(rows))]
    return [plain_table(rows, widths, None, ("VALIGN", (0, 0), (-1, -1), "MIDDLE"), *lines)]


# Pictures ---------------------------------------------------------------------------------------


def pictures(result: CaseResult, tallest: float) -> list[Flowable]:
    """The first file's thumbnail beside its class map."""
    base = base_picture(result.files[0]) if result.files else None
    if base is None:
        return []
    thumbnail, downsample = base
    info = result.files[0].info
    mpp = info.scale.x_um
    bar = scale_bar(mpp * downsample, thumbnail.width) if mpp else None
    title = "Overview" if info.series is None else "Slices, evenly spread over the series"
    left = Picture(jpeg_bytes(thumbnail), _HALF if info.series is None else WIDTH, tallest)
    columns: list[list[Flowable]] = [[_caption(title), left, Spacer(0, 3)], []]
    scaled = modality_of(result.model.modality).scaled
    if scaled:
        columns[0].append(ScaleLine(bar, left.scale))
    if has_heatmap(result):
        right = Picture(jpeg_bytes(map_for_print(result, 0)), _HALF, tallest)
        columns[1] = [_caption("Class map"), right, Spacer(0, 3), *_map_legend(result)]
    widths = [_HALF + _GAP, _HALF]
    if info.series is not None:
        columns, widths = columns[:1], [WIDTH]
    return [plain_table([columns], widths, None, ("RIGHTPADDING", (0, 0), (-1, -1), 0))]


def _caption(words: str) -> Flowable:
    return paragraph(words, "label")


def _map_legend(result: CaseResult) -> list[Flowable]:
    """The classes' colours are in the table above; here what the hatchings mean that occur."""
    uncertain, unused, failed = hatched(result, 0)
    entries = (
        (uncertain, "/", f"Uncertain (< {UNCERTAIN_BELOW:.2f})", 27 * mm),
        (unused, "\\", "Not used", 16 * mm),
        (failed, "x", "Not readable", 22 * mm),
    )
    cells: list[Flowable] = []
    widths: list[float] = []
    for occurs, kind, words, width in entries:
        if occurs:
            cells += [Hatch(kind), paragraph(words, "small-muted")]
            widths += [4 * mm, width]
    if not cells:
        return []
    return [plain_table([cells], widths, None, ("RIGHTPADDING", (0, 0), (-1, -1), 0))]


# Quality ----------------------------------------------------------------------------------------


def quality(result: CaseResult) -> list[Flowable]:
    """Tissue, what became of the tiles, and the flags."""
    counts, words = result.counts, modality_of(result.model.modality).words
    rejected = (
        ("out of focus", counts.blurred), ("pen", counts.pen), (words.blank, counts.blank),
        ("not scanned", counts.unscanned), (words.foreign, counts.novel),
        (f"of {words.elsewhere}", counts.other_stain), ("not readable", counts.failed),
    )  # fmt: skip
    used = f"{counts.used:,} of {counts.total:,} used"
    left_out = ", ".join(f"{number:,} {name}" for name, number in rejected if number)
    known = result.tissue_mm2 is not None
    tissue = f"{area(result.tissue_mm2)} mm²" if known else "area unknown"
    rows = [
        *([("Tissue", tissue)] if modality_of(result.model.modality).scaled else []),
        (words.tiles.capitalize(), "; ".join(filter(None, (used, left_out)))),
        ("Flags", _flags(result)),
    ]
    cells = [label_value(name, value) for name, value in rows]
    table = plain_table(cells, [22 * mm, WIDTH - 22 * mm], None, TIGHT, label_column(0))
    return [paragraph("Quality", "heading"), table]


def _flags(result: CaseResult) -> str:
    """The flags as sentences, but for those that the answer's box above says already."""
    rest = " ".join(further_flags(result))
    return without_flags(rest) or ("None but the above" if all_flags(result) else "None")
