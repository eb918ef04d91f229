"""The audit as a PDF, with the look of the other reports."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, KeepTogether, Spacer

from lungscan import __version__
from lungscan.dataset.audit import Audit
from lungscan.dataset.audit_content import (
    MOST_NAMES,
    MOST_PAIRS,
    Gallery,
    class_rows,
    galleries,
    headline_facts,
    thumbnail,
)
from lungscan.dataset.audit_shapes import TITLE, shape_facts
from lungscan.dataset.similar import Pair
from lungscan.report.pdf.flowables import TIGHT, Picture, label_value, plain_table
from lungscan.report.pdf.kit import WIDTH, PageInfo, paragraph, report_id, write_story

_SIDE = 26 * mm  # of a picture
_ACROSS = 3  # pairs in a line


def write_audit_pdf(path: Path, audit: Audit) -> None:
    """Write the report; the same bytes each time.

    Raises:
        MachineError: it cannot be written.
        UsageProblem: a picture has gone since the audit.
    """
    title = f"Audit of {audit.listing.folder.resolve().name}"
    digest = hashlib.sha256("".join(audit.listing.digests or ()).encode()).hexdigest()
    info = PageInfo(title, "Data audit, research use only", __version__, report_id(digest))
    write_story(path, list(_story(title, audit)), info)


def _story(title: str, audit: Audit) -> Iterator[Flowable]:
    yield paragraph("DATA AUDIT", "kicker")
    yield paragraph(title, "title")
    yield Spacer(1, 6)
    facts = [label_value(name, value) for name, value in headline_facts(audit)]
    yield plain_table(facts, (48 * mm, WIDTH - 48 * mm))
    yield paragraph(TITLE, "heading")
    shapes = [label_value(name, value) for name, value in shape_facts(audit.listing)]
    yield plain_table(shapes, (48 * mm, WIDTH - 48 * mm))
    yield paragraph("Classes", "heading")
    head = [paragraph(name, "label") for name in ("Class", "Pictures", "Tissues")]
    rows = [[paragraph(cell, "cell") for cell in row] for row in class_rows(audit)]
    yield plain_table([head, *rows], (80 * mm, 30 * mm, 30 * mm), None, TIGHT)
    for gallery in galleries(audit):
        yield from _gallery(audit, gallery)
    yield from _left_out(audit)


def _gallery(audit: Audit, gallery: Gallery) -> Iterator[Flowable]:
    shown = gallery.pairs[:MOST_PAIRS]
    more = len(gallery.pairs) - len(shown)
    rest = f" {more:,} more are not shown." if more else ""
    lines = [
        _line(audit, shown[begin : begin + _ACROSS]) for begin in range(0, len(shown), _ACROSS)
    ]
    yield KeepTogether(
        [
            paragraph(f"{gallery.title} ({len(gallery.pairs):,})", "heading"),
            paragraph(gallery.about + rest, "muted"),
            *lines[0],
        ]
    )
    yield from map(KeepTogether, lines[1:])


def _line(audit: Audit, pairs: tuple[Pair, ...]) -> list[Flowable]:
    width = WIDTH / _ACROSS
    cells = [_pair(audit, pair, width) for pair in pairs]
    return [Spacer(1, 5), plain_table([cells], [width] * len(cells))]


def _pair(audit: Audit, pair: Pair, width: float) -> list[Flowable]:
    rows = (pair.first, pair.second)
    pictures = [Picture(thumbnail(audit.listing.paths[row]), _SIDE, _SIDE) for row in rows]
    names = [paragraph(audit.listing.names[row], "small") for row in rows]
    figure = paragraph(f"correlation {pair.correlation:.2f}", "small-muted")
    room = (width - 6) / 2
    return [plain_table([pictures], [room] * 2, None, TIGHT), *names, figure]


def _left_out(audit: Audit) -> Iterator[Flowable]:
    skipped = sorted(audit.listing.skipped, key=lambda item: not item.broken)
    if skipped:
        yield paragraph(f"Left out ({len(skipped):,})", "heading")
        rows = [label_value(item.name, item.reason) for item in skipped[:MOST_NAMES]]
        yield plain_table(rows, (60 * mm, WIDTH - 60 * mm), None, TIGHT)
