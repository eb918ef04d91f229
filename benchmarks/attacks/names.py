"""Hostile file names: none may become a formula, break a report, or be taken for another file."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from attacks import pictures
from attacks.base import Bench, Line, execute, rows

# One name per line of text where a name may hold anything but a line break.
_FORMULAS = """=1+1
+1+1
-1+1
@SUM(1)
=cmd|' /C calc'!A0
=HYPERLINK("x")
=1+1;
x;=1+1;y
x;+1;
x;@A1;
x; =1+1
x;'=1
x",=1+1,"
'=1+1
''=1
 =1+1
\uff1d1+1
\uff0b1
\uff0d1
\uff20SUM(1)""".splitlines()
_MARKUP = """a<b>b
x</para>y
<b>TUMOUR</b>
<img src='x.png'>
<img src=\\x.png>
&lt;&amp;
&#x41;
]]>
{{7*7}}
<script>alert(1)</script>
<font color="red">
<unichar code='0'>
<br>
<!--
[bold]x[]
%s%n
${HOME}
`id`
$(id)""".splitlines()
_CONTROLS = "\n\r\t\v\x07\x7f\x85\u2028\u202e\u2066\u2069\u200f\ufeff\u200d\u061c\u2060"
_BREAKING = [f"a{c}b" for c in _CONTROLS]
_BREAKING += ["a\x1b[31mb", "x\t=1+1", "x\r=1+1", "x\n=1+1", 'x"\n=1+1']
_QUOTES = ["a b", *(f"a{c}b" for c in "\"',;\\|*?:"), "'", '"', '""']
_DASHES = ["-", "--help", "-o", "--out=x", "-rf", "--model"]
_RESERVED = ["CON", "NUL", "nul", "COM1", "LPT1.x", "aux", "PRN", "con.tar", "x.", "x ", " x"]
_SCRIPTS = [
    "组织切片",
    "スライド",
    "слайд",
    "δείγμα",
    "صورة",
    "תמונה",
    "ภาพ",
    "छवि",
    "이미지",
    "🫁",
]
_LIGATURES = ["ﬁ", "İı", "x..y", "ǆ"]
_TWINS = ["É1", "é1", "Straße", "STRASSE", "K", "k", "K", "A1", "a1", "same", "SAME", "Same"]
_TWINS += [unicodedata.normalize("NFD", name) for name in _TWINS[:2]]
_LONG = ["l" * 250, "é" * 120, "=" * 200, "<b>" * 60]
_INVALID = [b"\xff", b"a\xfe\xffb", b"\xc3\x28", b"\xed\xa0\x80", b"x\xf0\x28", b"\\xff"]
_INVALID += [b"\x80=1+1"]
_STARTS = re.compile(r"[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(,.*)?")  # alone, or first in a row split at semicolons

_BAD = (
    "formulas",
    "rows or folders missing or shared",
    "broken PDFs",
    "pictures that do not belong",
    "invalid GeoJSON",
    "runs that failed",
)


def attack(bench: Bench, count: int = 200) -> list[Line]:
    """Classify ``count`` copies of one field under hostile names, with every report."""
    bad = dict.fromkeys(_BAD, 0)
    with bench.folder("names") as folder:
        honest, hostile = folder / "honest", folder / "hostile"
        plain = pictures.field(honest / "in" / "plain.png", 96)
        made = sum(_copy(plain, hostile / "in", name) for name in names(count, bench.seed))
        for each in (honest, hostile):
            done = bench.classify(each / "out", each / "in", "--pdf", "cases")
            bad["runs that failed"] += done.crashed or done.code != 0
        allowed = pictures_in(next((honest / "out").glob("cases/*/report.pdf"), None))
        _judge(hostile / "out", made, allowed, bad)
    detail = f"{made} names that this disk accepts, each with CSV, PDF, map and GeoJSON"
    return [Line("hostile file names", made, bad, detail)]


def names(count: int, seed: int = 0) -> list[bytes]:
    """Different hostile names without a suffix, as a disk stores them."""
    kinds = (_FORMULAS, _MARKUP, _BREAKING, _QUOTES, _DASHES, _RESERVED, _SCRIPTS, _TWINS)
    texts = [text for kind in (*kinds, _LIGATURES, _LONG) for text in kind]
    found = dict.fromkeys([*_INVALID, *(text.encode() for text in texts)])
    rng = Random(seed)  # noqa: S311
    pieces = [*_FORMULAS, *_MARKUP, *_BREAKING, *_QUOTES, *_SCRIPTS]
    while len(found) < count:
        found["".join(rng.sample(pieces, 3)).encode()] = None
    if count < len(found):  # a sample of every kind rather than the first few kinds
        return rng.sample(list(found), count)
    return list(found)


def _copy(plain: Path, folder: Path, name: bytes) -> int:
    """Put a copy there under the name; 0 where the disk has no such names."""
    folder.mkdir(parents=True, exist_ok=True)
    # A slash would be another folder; a name has at most 255 bytes with its suffix.
    stored = name.replace(b"/", b"\xe2\x88\x95").replace(b"\0", b"")[:250]
    target = os.path.join(os.fsencode(folder), stored + b".png")  # noqa: PTH118  bytes
    try:
        shutil.copyfile(os.fsencode(plain), target)
    except OSError:
        return 0
    return 1


# Judging ------------------------------------------------------------------------------------------


def _judge(out: Path, made: int, allowed: int, bad: dict[str, int]) -> None:
    found = rows(out)
    folders = list(out.glob("cases/*/case.json"))
    identities = {row["case_id"] for row in found}
    bad["rows or folders missing or shared"] += sum(
        abs(made - len(each)) for each in (found, folders, identities)
    )
    for path in out.rglob("*.csv"):
        bad["formulas"] += len(formulas(path.read_text(encoding="utf-8")))
    for path in out.glob("cases/*/report.pdf"):
        bad["broken PDFs"] += not readable(path)
        bad["pictures that do not belong"] += pictures_in(path) != allowed
    bad["broken PDFs"] += sum(not (path.parent / "report.pdf").exists() for path in folders)
    bad["broken PDFs"] += not readable(out / "summary.pdf")
    for path in out.glob("cases/*/tiles.geojson"):
        bad["invalid GeoJSON"] += not is_geojson(path)


def formulas(text: str) -> list[str]:
    """Cells of a CSV that a spreadsheet would compute, with any of the separators it may use.

    A spreadsheet of a country with decimal commas splits at semicolons, and one that is told so
    at tabs; what is quoted for commas is then no longer quoted.
    """
    return [cell for cell in _cells(text) if _STARTS.match(cell) and not _NUMBER.fullmatch(cell)]


def _cells(text: str) -> Iterator[str]:
    for separator in (",", ";", "\t"):
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            yield from row
    for line in text.splitlines():
        yield from re.split(r"[;\t]", line)


def readable(path: Path) -> bool:
    """Whether another program opens a PDF and finds text on every page."""
    if shutil.which("pdftotext"):
        done = execute(["pdftotext", str(path), "-"])
        pages = done.out.split("\f")[:-1]
        return done.code == 0 and not done.err and all(page.strip() for page in pages)
    import pypdf

    try:
        return all(page.extract_text().strip() for page in pypdf.PdfReader(path).pages)
    except (pypdf.errors.PyPdfError, ValueError, KeyError):
        return False


def pictures_in(path: Path | None) -> int:
    """How many pictures the pages of a PDF show; -1 when it cannot be read."""
    if path is None or not path.exists():
        return -1
    import pypdf

    try:
        reader = pypdf.PdfReader(path)
        return sum(len(page.images) for page in reader.pages)
    except (pypdf.errors.PyPdfError, ValueError, KeyError):
        return -1


def is_geojson(path: Path) -> bool:
    """Whether a file is a collection of closed polygons."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        features: Sequence[dict[str, dict[str, object]]] = content["features"]
        rings = [feature["geometry"]["coordinates"][0] for feature in features]  # type: ignore[index]
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return False
    return content["type"] == "FeatureCollection" and all(
        ring[0] == ring[-1] and len(ring) == 5 for ring in rings
    )
