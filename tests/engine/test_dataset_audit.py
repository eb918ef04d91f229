"""The audit and its two reports: what they find, and that names from outside stay harmless."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader

from lungscan.dataset.audit import Agreement, Audit, agreement, audit
from lungscan.dataset.audit_html import write_audit_html
from lungscan.dataset.audit_pdf import write_audit_pdf
from lungscan.dataset.audit_shapes import shape_facts
from lungscan.dataset.listing import read_listing
from lungscan.dataset.similar import SearchProgress
from tests.drawing import draw_he

EVIL = "<img src=x onerror=alert(1)>&amp;.png"


def finish(steps: Generator[SearchProgress, None, Audit]) -> tuple[list[SearchProgress], Audit]:
    events = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes; one tissue stands in both, turned; one file twice; one broken."""
    root = tmp_path_factory.mktemp("audit") / "data"
    fields = [Image.fromarray(draw_he(96, 96, seed)) for seed in range(5)]
    for label, rows in (("benign", (0, 1, 2)), ("tumour", (3, 4))):
        (root / label).mkdir(parents=True)
        for row in rows:
            fields[row].save(root / label / f"{row}.png")
    fields[0].rotate(90).save(root / "tumour" / EVIL)
    (root / "benign" / "copy.png").write_bytes((root / "benign" / "1.png").read_bytes())
    (root / "benign" / "cut.png").write_bytes(b"cut")
    return root


@pytest.fixture(scope="module")
def audited(folder: Path) -> Audit:
    return finish(audit(read_listing(folder)))[1]


def test_duplicates_and_labels_that_differ_are_found(audited: Audit) -> None:
    names = audited.listing.names
    assert {tuple(names[row] for row in rows) for rows in audited.found_groups} == {
        ("benign/0.png", f"tumour/{EVIL}"),
        ("benign/1.png", "benign/copy.png"),
    }
    assert [[names[row] for row in rows] for rows in audited.equal_files] == [
        ["benign/1.png", "benign/copy.png"]
    ]
    (mixed,) = audited.mixed
    assert [names[row] for row in mixed.rows] == ["benign/0.png", f"tumour/{EVIL}"]
    (pair,) = audited.crossing
    assert pair.correlation > 0.9
    assert audited.agreement is None


def test_progress_is_reported_and_ends(folder: Path) -> None:
    events, _ = finish(audit(read_listing(folder)))
    assert events[0].step == "reading"
    assert events[-1].step == "comparing"
    assert all(0 < event.done <= event.total for event in events)


def test_given_groups_are_compared(folder: Path, tmp_path: Path) -> None:
    rows = {"0": "a", "1": "b", "2": "b", "copy": "c"}
    text = "".join(f"benign/{name}.png,benign,{group}\n" for name, group in rows.items())
    text += "tumour/3.png,tumour,d\ntumour/4.png,tumour,a\n"
    table = tmp_path / "g.csv"
    table.write_text("file,label,group\n" + text, encoding="utf-8")
    _, found = finish(audit(read_listing(folder, table)))
    assert found.agreement == Agreement(found=1, given=1, both=0)
    assert [item.group for item in found.mixed_given] == ["a"]
    names = found.listing.names
    assert [(names[p.first], names[p.second]) for p in found.unexpected] == [
        ("benign/1.png", "benign/copy.png")
    ]


def test_agreement_counts_pairs_of_one_class() -> None:
    found = ["x", "x", "x", "y", "y"]
    given = ["1", "1", "2", "2", "2"]
    result = agreement(found, given, [0, 0, 0, 0, 1])
    assert result == Agreement(found=3, given=2, both=1)
    assert (result.precision, result.recall) == (1 / 3, 1 / 2)
    nothing = agreement(["a", "b"], ["a", "b"], [0, 0])
    assert (nothing.precision, nothing.recall) == (None, None)


def test_the_html_report_stands_alone_and_escapes_names(audited: Audit, tmp_path: Path) -> None:
    write_audit_html(tmp_path / "a.html", audited)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "RESEARCH USE ONLY" in text
    assert "Labels differ between duplicates (1)" in text
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;amp;.png" in text
    assert "<img src=x" not in text
    sources = re.findall(r'src="([^"]*)"', text)
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not re.search(r"<(script|link|iframe)|https?://|url\(", text)
    assert "default-src 'none'" in text
    assert "benign/cut.png" in text


def test_the_pdf_report_says_the_same(audited: Audit, tmp_path: Path) -> None:
    write_audit_pdf(tmp_path / "a.pdf", audited)
    pages = PdfReader(tmp_path / "a.pdf").pages
    text = "\n".join(page.extract_text() for page in pages)
    assert "RESEARCH USE ONLY" in text
    assert "Labels differ between duplicates (1)" in text
    assert "onerror=alert(1)" in text
    assert "benign/cut.png" in text
    assert sum(len(page.images) for page in pages) >= 3  # equal pictures are stored once
    first = (tmp_path / "a.pdf").read_bytes()
    write_audit_pdf(tmp_path / "a.pdf", audited)
    assert (tmp_path / "a.pdf").read_bytes() == first


def test_a_folder_without_duplicates_says_so(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        Image.fromarray(draw_he(64, 64, ord(label))).save(tmp_path / label / "1.png")
    _, found = finish(audit(read_listing(tmp_path)))
    write_audit_html(tmp_path / "a.html", found)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "none found" in text
    assert "<figure>" not in text


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Eight usual pictures, and one each: long, high, of two scales, too small."""
    root = tmp_path_factory.mktemp("mixed") / "data"
    for label in ("a", "b"):
        (root / label).mkdir(parents=True)
        for row in range(4):
            seed = ord(label) + row
            Image.fromarray(draw_he(128, 128, seed)).save(root / label / f"{row}.png")
    Image.fromarray(draw_he(256, 128, 20)).save(root / "a" / "long.png")
    Image.fromarray(draw_he(128, 170, 21)).save(root / "b" / "high.png")
    Image.fromarray(draw_he(40, 40, 22)).save(root / "b" / "tiny.png")
    for name, per_cm in (("fine", 40_000.0), ("coarse", 20_000.0)):
        Image.fromarray(draw_he(128, 128, int(per_cm))).save(
            root / "a" / f"{name}.tif", resolution_unit=3, resolution=per_cm
        )
    return finish(audit(read_listing(root)))[1]


def test_shapes_scales_and_sizes_that_differ_are_named(mixed: Audit) -> None:
    facts = dict(shape_facts(mixed.listing))
    assert facts["Shapes"] == "square (11), 2:1 (1), 1:1.33 (1)"
    assert facts["Scales stated"] == "none (11), 0.5 µm/px (1), 0.25 µm/px (1)"
    assert facts["Of another shape than most"] == (
        "a/long.png (256 × 128 px), b/high.png (128 × 170 px)"
    )
    assert facts["Of another scale than most"] == (
        "a/coarse.tif (0.5 µm/px), a/fine.tif (0.25 µm/px)"
    )
    assert facts["Too small"].startswith("b/tiny.png (40 × 40 px); below 96 px a side")
    notes = [text for name, text in shape_facts(mixed.listing) if name == "Note"]
    assert ["several squares" in notes[0], "different scales" in notes[1]] == [True, True]
    assert "some do not" in notes[2]


def test_all_reports_name_what_differs(mixed: Audit, tmp_path: Path) -> None:
    write_audit_html(tmp_path / "a.html", mixed)
    write_audit_pdf(tmp_path / "a.pdf", mixed)
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    pdf = "\n".join(p.extract_text() for p in PdfReader(tmp_path / "a.pdf").pages)
    for text in (page, pdf):
        assert "How a network will see the pictures" in text
        assert "a/long.png (256 × 128 px)" in text.replace("\n", " ")
        assert "a/fine.tif (0.25 µm/px)" in text.replace("\n", " ")
        assert "b/tiny.png (40 × 40 px)" in text.replace("\n", " ")


def test_pictures_of_one_kind_need_no_note(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        Image.fromarray(draw_he(128, 128, ord(label))).save(tmp_path / label / "1.png")
    assert shape_facts(read_listing(tmp_path)) == [
        ("Shapes", "square (2)"),
        ("Scales stated", "none (2)"),
    ]
