"""The audit as one HTML file: nothing is fetched, no script runs, names cannot become markup."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

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
from lungscan.report.lettering import visible
from lungscan.report.wording import RESEARCH_USE
from lungscan.results.atomic_files import write_atomic

# The policy is a second lock behind the escaping: even markup that slipped in could load nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b1f24;max-width:62rem;
margin:2rem auto;padding:0 1rem}
header{border-bottom:1px solid #c6ccd4;margin-bottom:1.5rem;padding-bottom:.8rem}
.use{font-weight:700;font-size:.85rem}.muted{color:#56606c}
h1{font-size:1.5rem;margin:.3rem 0}h2{font-size:1.1rem;margin:2rem 0 .3rem}
table{border-collapse:collapse}td,th{text-align:left;padding:.25rem 1.2rem .25rem 0;
border-bottom:1px solid #e4e7eb;vertical-align:top}td.n,th.n{text-align:right}
.pairs{display:flex;flex-wrap:wrap;gap:1.2rem}
figure{margin:.6rem 0;width:19rem;break-inside:avoid}figure img{width:9.2rem;height:9.2rem;
object-fit:contain;background:#f4f5f7}
figcaption{font-size:.78rem;overflow-wrap:anywhere;line-height:1.35}
"""


def write_audit_html(path: Path, audit: Audit) -> None:
    """Write the report, whole or not at all.

    Raises:
        MachineError: it cannot be written.
        UsageProblem: a picture has gone since the audit.
    """
    title = f"Audit of {_text(audit.listing.folder.resolve().name)}"
    page = "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            f'<header><div class="use">{escape(RESEARCH_USE)}</div><h1>{title}</h1>',
            f'<div class="muted">LungScan {escape(__version__)}</div></header><main>',
            _table(headline_facts(audit)),
            f"<h2>{escape(TITLE)}</h2>",
            _table(shape_facts(audit.listing)),
            "<h2>Classes</h2>",
            _table(class_rows(audit), ("Class", "Pictures", "Tissues"), numbers=True),
            *(_gallery(audit, gallery) for gallery in galleries(audit)),
            *_equal_files(audit),
            *_left_out(audit),
            "</main></body></html>\n",
        ]
    )
    write_atomic(path, page.encode())


def _text(name: str) -> str:
    return escape(visible(name))


def _table(
    rows: Iterable[Sequence[str]], head: Sequence[str] = (), *, numbers: bool = False
) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        kinds = ["", *(' class="n"' if numbers else "" for _ in row[1:])]
        parts = zip(row, kinds, strict=True)
        return "<tr>" + "".join(f"<{tag}{k}>{_text(c)}</{tag}>" for c, k in parts) + "</tr>"

    lines = [cells(head, "th")] if head else []
    return "<table>" + "".join([*lines, *(cells(row, "td") for row in rows)]) + "</table>"


def _gallery(audit: Audit, gallery: Gallery) -> str:
    shown = gallery.pairs[:MOST_PAIRS]
    more = len(gallery.pairs) - len(shown)
    rest = f" {more:,} more are not shown." if more else ""
    figures = "".join(_figure(audit, pair) for pair in shown)
    return (
        f"<h2>{escape(gallery.title)} ({len(gallery.pairs):,})</h2>"
        f'<p class="muted">{escape(gallery.about)}{rest}</p><div class="pairs">{figures}</div>'
    )


def _figure(audit: Audit, pair: Pair) -> str:
    rows = (pair.first, pair.second)
    images = " ".join(_image(audit, row) for row in rows)
    names = "<br>".join(_text(audit.listing.names[row]) for row in rows)
    return (
        f"<figure>{images}<figcaption>{names}<br>"
        f'<span class="muted">correlation {pair.correlation:.2f}</span></figcaption></figure>'
    )


def _image(audit: Audit, row: int) -> str:
    data = base64.b64encode(thumbnail(audit.listing.paths[row])).decode("ascii")
    name = _text(audit.listing.names[row])
    return f'<img alt="{name}" src="data:image/jpeg;base64,{data}">'


def _equal_files(audit: Audit) -> Iterable[str]:
    if audit.equal_files:
        yield f"<h2>Equal files ({len(audit.equal_files):,})</h2>"
        groups = audit.equal_files[:MOST_NAMES]
        yield _table([(", ".join(audit.listing.names[row] for row in rows),) for rows in groups])


def _left_out(audit: Audit) -> Iterable[str]:
    skipped = sorted(audit.listing.skipped, key=lambda item: not item.broken)
    if skipped:
        yield f"<h2>Left out ({len(skipped):,})</h2>"
        yield _table([(item.name, item.reason) for item in skipped[:MOST_NAMES]])
