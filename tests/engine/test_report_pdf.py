"""report.pdf and summary.pdf: what they say, and what no file name can make them say."""

from __future__ import annotations

import ast
import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader

import lungscan.report
from lungscan.model.checked import find_model
from lungscan.options import ScanOptions
from lungscan.report.heatmap import render_heatmap
from lungscan.report.lettering import visible
from lungscan.report.pdf.case import write_case_pdf
from lungscan.report.pdf.summary import summary_row, write_summary_rows
from lungscan.report.wording import (
    answer_line,
    explanation,
    failure,
    flag_text,
    further_flags,
    unspoken,
)
from lungscan.results.case_json import to_json
from lungscan.results.provenance import settings_of
from lungscan.results.run_json import RunSummary, summarise
from lungscan.types import CaseResult, CaseStatus, NoResult
from tests.results import (
    HOSTILE_NAMES,
    failed_result,
    field_result,
    flagged_result,
    no_result,
    partial_result,
    skipped_result,
    slide_result,
    two_file_result,
)

EVERY_KIND = [
    slide_result(), field_result(), two_file_result(), partial_result(), flagged_result(),
    failed_result(), skipped_result(), *map(no_result, NoResult),
]  # fmt: skip
RESEARCH = "RESEARCH USE ONLY. Not for use in diagnostic procedures."


def write_summary_pdf(path: Path, results: Iterable[CaseResult], run: RunSummary) -> None:
    write_summary_rows(path, [summary_row(result) for result in results], run)


def pages_of(path: Path) -> list[str]:
    return [page.extract_text() for page in PdfReader(path).pages]


def images_in(path: Path) -> int:
    return sum(len(page.images) for page in PdfReader(path).pages)


def squeezed(text: str) -> str:
    """Without spaces and line breaks: where a line was broken does not matter."""
    return re.sub(r"\s", "", text)


def written(folder: Path, result: CaseResult) -> Path:
    path = folder / "report.pdf"
    write_case_pdf(path, result)
    return path


@pytest.mark.parametrize("result", EVERY_KIND, ids=lambda r: r.key)
def test_every_page_says_what_it_is(tmp_path: Path, result: CaseResult) -> None:
    path = written(tmp_path, result)
    pages = pages_of(path)
    for number, page in enumerate(pages, start=1):
        assert RESEARCH in page
        assert "LungScan 0.1.0" in page
        assert f"page{number}of{len(pages)}" in squeezed(page)
        assert "diagnosis" not in page.lower()
    assert len(pages) <= 4


def test_the_first_page_is_the_answer(tmp_path: Path) -> None:
    first = pages_of(written(tmp_path, slide_result()))[0]
    for words in ("MODEL OUTPUT", "Adenocarcinoma", "0.93", "ward 7/S24-01877_A1.svs"):
        assert words in first
    for words in ("10.93", "306 of 318 used; 8 out of focus", "0.2525 µm, from the file", "1 mm"):
        assert words in first
    sha256 = slide_result().files[0].sha256
    assert sha256[:16] in first
    assert sha256 not in first


def test_provenance_carries_whole_hashes_and_that_of_case_json(tmp_path: Path) -> None:
    result = slide_result()
    text = squeezed("".join(pages_of(written(tmp_path, result))))
    for digest in (result.files[0].sha256, result.model.sha256):
        assert digest in text
    assert hashlib.sha256(to_json(result)).hexdigest() in text
    assert "abstain=strict" in text


def test_trust_and_review_are_in_every_answer(tmp_path: Path) -> None:
    result = slide_result()
    text = squeezed("".join(pages_of(written(tmp_path, result))))
    for _, fact in result.model.facts:
        assert squeezed(fact) in text
    for limit in result.model.limits:
        assert squeezed(limit) in text
    assert "Measuredaccuracy" in text
    for choice in ("Agree", "Disagree", "Notassessable", "Reviewer", "Comment", "Date"):
        assert choice in text


def shipped(result: CaseResult) -> CaseResult:
    """The case as the shipped model would have answered it: with all its limits and figures."""
    card = find_model("lung-histology")
    model = replace(
        result.model, limits=card.limits, facts=card.facts, reliability=card.reliability
    )
    settings = tuple(settings_of(ScanOptions((), Path()), card)[0])
    return replace(result, model=model, settings=settings, settings_hash="0" * 64)


@pytest.mark.parametrize(
    "result",
    [slide_result(), field_result(), partial_result(), flagged_result(), *map(no_result, NoResult)],
    ids=lambda r: r.key,
)
def test_the_review_block_closes_the_second_page(tmp_path: Path, result: CaseResult) -> None:
    for case in (result, shipped(result)):
        pages = pages_of(written(tmp_path, case))
        assert len(pages) == 2
        assert "Reviewer" in pages[1]


@pytest.mark.parametrize("files", [1, 2])
@pytest.mark.parametrize("length", [20, 400, 900, 1500, 2200])
def test_the_review_block_never_has_a_page_of_its_own(
    tmp_path: Path, files: int, length: int
) -> None:
    case = shipped(slide_result() if files == 1 else two_file_result())
    case = replace(case, case_id="n" * length, relative_paths=("p" * length,) * files)
    last = pages_of(written(tmp_path, case))[-1]
    assert "Reviewer" in last
    assert "Aggregation rule" in last


def test_the_first_page_names_a_limit_of_the_model_in_one_line(tmp_path: Path) -> None:
    words = "What this model cannot know:"
    for result in (slide_result(), field_result(), no_result(NoResult.NOT_LUNG)):
        for case in (result, shipped(result)):
            first = pages_of(written(tmp_path, case))[0]
            (line,) = [line for line in first.splitlines() if words in line]
            assert line.strip() == f"{words} {case.model.limits[0]} More: next pages."
    bare = replace(slide_result(), model=replace(slide_result().model, limits=()))
    assert words not in pages_of(written(tmp_path, bare))[0]
    lone = replace(slide_result(), model=replace(slide_result().model, limits=("Knows little.",)))
    assert f"{words} Knows little." in pages_of(written(tmp_path, lone))[0]
    assert "More: next pages" not in pages_of(written(tmp_path, lone))[0]


def test_a_limit_shows_no_marks_of_its_card(tmp_path: Path) -> None:
    plain = slide_result()
    stamp = replace(plain.model, limits=("It knows little.", "`lungscan adapt` fits it."))
    pages = pages_of(written(tmp_path, replace(plain, model=stamp)))
    assert any("• lungscan adapt fits it." in page for page in pages)


@pytest.mark.parametrize("reason", list(NoResult))
def test_a_refusal_is_a_result_with_its_reason(tmp_path: Path, reason: NoResult) -> None:
    result = no_result(reason)
    assert result.prediction is not None
    first = pages_of(written(tmp_path, result))[0]
    assert "No result: " in first
    assert squeezed(result.prediction.reason_text) in squeezed(first)
    assert "CALIBRATED PROBABILITY" not in first


def test_a_label_with_reserve_says_so(tmp_path: Path) -> None:
    first = pages_of(written(tmp_path, flagged_result()))[0]
    assert "Adenocarcinoma" in first
    assert "With reserve." in first
    assert "0.70 is needed" in first


def test_a_failed_case_says_what_happened_and_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path, failed_result())
    first = pages_of(path)[0]
    assert "broken.svs is cut off: 1,204 of 88,200 bytes" in first
    assert "E_OPEN" in first
    assert images_in(path) == 0


def test_a_failed_case_is_given_one_advice_its_message_s(tmp_path: Path) -> None:
    named = replace(failed_result(), error_message="a.svs is empty; copy it from its source.")
    first = pages_of(written(tmp_path, named))[0]
    assert first.lower().count("copy") == 1
    assert "What to do" not in first


def test_paper_names_no_option_that_is_typed_into_a_shell(tmp_path: Path) -> None:
    no_scale = failed_result(code="E_NO_MPP")
    no_scale = replace(no_scale, error_message=failure("E_NO_MPP"))
    stained = no_result(NoResult.OTHER_STAIN)
    assert stained.prediction is not None
    why = replace(stained.prediction, reason_text="Of another stain; adapt it (lungscan adapt).")
    flagged = replace(flagged_result(), flags=("mpp_option_differs",))
    results = [no_scale, replace(stained, prediction=why), flagged]
    pages = [page for result in results for page in pages_of(written(tmp_path, result))]
    write_summary_pdf(tmp_path / "summary.pdf", results, summarise(results))
    pages += pages_of(tmp_path / "summary.pdf")
    assert not [page for page in pages if "(--" in page or "(lungscan" in page]
    assert "Givethepixelsize(usual:" in squeezed(pages[0])


def test_what_the_cases_of_a_reason_share_stands_once(tmp_path: Path) -> None:
    def refused(share: int, name: str) -> CaseResult:
        result = no_result(NoResult.NOT_LUNG)
        assert result.prediction is not None
        text = f"The scale is unknown. {share} % of it is not lung. It may be adapted."
        why = replace(result.prediction, reason_text=text)
        return replace(result, key=name, case_id=name, prediction=why)

    for shares, own in ((range(60, 64), True), ((60, 60, 60), False)):
        results = [refused(share, f"case-{n}") for n, share in enumerate(shares)]
        results.append(failed_result())
        write_summary_pdf(tmp_path / "s.pdf", results, summarise(results))
        text = "\n".join(pages_of(tmp_path / "s.pdf"))
        attention = squeezed(text[text.index("Needs attention") : text.index("All cases")])
        assert f"doesnotlooklikelungH&E:{len(shares)}" in attention
        assert attention.count("Thescaleisunknown.") == 1
        assert attention.count("Itmaybeadapted.") == 1
        assert attention.count("%ofitisnotlung.") == (len(shares) if own else 1)
        for number in range(len(shares)):
            assert f"case-{number}" in attention


def test_of_many_cases_of_a_reason_the_first_are_named(tmp_path: Path) -> None:
    refused = no_result(NoResult.BLURRED)
    results = [replace(refused, case_id=f"case-{n:03}") for n in range(300)]
    results += [failed_result(f"broken-{n}.svs") for n in range(20)]
    write_summary_pdf(tmp_path / "s.pdf", results, summarise(results))
    text = "\n".join(pages_of(tmp_path / "s.pdf"))
    attention = squeezed(text[text.index("Needs attention") : text.index("All cases")])
    assert attention.count("case-") == 36, "names alone stand three in a row"
    assert "and264more" in attention
    assert attention.count("iscutoff") == 12
    assert "and8more" in attention


@pytest.mark.parametrize("result", [failed_result(), partial_result()], ids=lambda r: r.key)
def test_a_sentence_for_each_of_many_files_still_fits_the_page(
    tmp_path: Path, result: CaseResult
) -> None:
    replaced = "; ".join(f"part-{number}.svs cannot be opened" for number in range(900))
    pages = pages_of(written(tmp_path, replace(result, error_message=replaced)))
    assert "part-0.svs" in pages[0]
    assert "part-899.svs" in pages[0]
    assert "…" in pages[0]


@pytest.mark.parametrize(
    "result", [flagged_result(), no_result(NoResult.NOT_LUNG)], ids=lambda r: r.key
)
def test_a_partial_case_still_says_what_is_doubted(tmp_path: Path, result: CaseResult) -> None:
    damage = "1 of 40 tiles could not be read."
    part = replace(result, status=CaseStatus.PARTIAL, error_code="E_TILE", error_message=damage)
    page = squeezed(pages_of(written(tmp_path, part))[0])
    assert part.prediction is not None
    for text in (damage, part.prediction.reason_text):
        assert squeezed(text) in page
        assert text in explanation(part)


def test_an_unknown_scale_is_reported(tmp_path: Path) -> None:
    first = pages_of(written(tmp_path, field_result()))[0]
    assert "scale unknown" in first
    assert "Scale unknown" in first


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_hostile_name_is_only_text(tmp_path: Path, name: str) -> None:
    result = replace(failed_result(), case_id=name, relative_paths=(name,), error_message=name)
    path = written(tmp_path, result)
    text = squeezed("".join(pages_of(path)))
    assert text.count(squeezed(visible(name))) >= 2  # the message and the provenance, in full
    assert images_in(path) == 0
    annotations = [page.get("/Annots") for page in PdfReader(path).pages]
    assert not any(annotations)


def test_hostile_words_everywhere_are_only_text(tmp_path: Path) -> None:
    nasty = '<img src="x.png"/><b>&amp;</para>'
    result = slide_result()
    assert result.prediction is not None
    model = replace(
        result.model, name=nasty, display_names=(nasty, "B", "S"), facts=((nasty, nasty),),
        limits=(nasty,), trained_on=nasty, scale_note=nasty, version=nasty,
    )  # fmt: skip
    replaced = replace(result.prediction, rule=nasty)
    plain = written(tmp_path, result)
    expected = images_in(plain)
    result = replace(
        result,
        model=model,
        prediction=replaced,
        flags=(nasty,),
        device=nasty,
        settings=((nasty, nasty),),
    )
    path = written(tmp_path, result)
    assert images_in(path) == expected
    text = squeezed("".join(pages_of(path)))
    assert text.count(squeezed(nasty)) >= 8


@pytest.mark.parametrize("result", EVERY_KIND, ids=lambda r: r.key)
def test_the_same_case_gives_the_same_bytes(tmp_path: Path, result: CaseResult) -> None:
    write_case_pdf(tmp_path / "a.pdf", result)
    write_case_pdf(tmp_path / "b.pdf", result)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_pictures_are_embedded_as_they_are(tmp_path: Path) -> None:
    result = slide_result()
    content = written(tmp_path, result).read_bytes()
    assert len(result.pictures) > 1
    assert all(content.count(picture.jpeg) == 1 for picture in result.pictures)
    assert b"ASCII85" not in content  # a fifth more bytes, and slow to make


def test_a_picture_that_is_shown_twice_is_stored_once(tmp_path: Path) -> None:
    result = slide_result()
    same = tuple(replace(picture, jpeg=result.pictures[0].jpeg) for picture in result.pictures)
    content = written(tmp_path, replace(result, pictures=same)).read_bytes()
    assert content.count(same[0].jpeg) == 1


def test_the_outline_leads_to_the_sections(tmp_path: Path) -> None:
    outline = PdfReader(written(tmp_path, slide_result())).outline
    titles = [entry.title for entry in outline]  # type: ignore[union-attr]
    assert titles[0] == "Result"
    assert {"Provenance", "Review", "How far to trust this model"} <= set(titles)


def test_comments_in_the_thumbnail_do_not_travel(tmp_path: Path) -> None:
    result = slide_result()
    with Image.open(io.BytesIO(result.files[0].thumbnail_jpeg or b"")) as picture:
        exif = Image.Exif()
        exif[0x010E] = "PATIENT^DOE"
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", comment=b"PATIENT^DOE", exif=exif, icc_profile=b"PATIENT^DOE")
    assert buffer.getvalue().count(b"PATIENT^DOE") == 3
    result = replace(
        result, files=(replace(result.files[0], thumbnail_jpeg=buffer.getvalue()),), pictures=()
    )
    page = PdfReader(written(tmp_path, result)).pages[0]
    assert len(page.images) == 2
    assert not any(b"PATIENT" in image.data for image in page.images)
    assert b"PATIENT" not in render_heatmap(result)


def test_fonts_are_embedded(tmp_path: Path) -> None:
    page = PdfReader(written(tmp_path, slide_result())).pages[0]
    fonts = page["/Resources"]["/Font"].values()  # type: ignore[index]
    shown = [font.get_object() for font in fonts]
    names = {str(font["/BaseFont"]) for font in shown if "/ToUnicode" in font}
    assert any("DejaVuSans-Bold" in name for name in names)


def test_only_the_kit_builds_paragraphs() -> None:
    folder = Path(lungscan.report.__file__).parent
    for path in folder.glob("*.py"):
        if path.name == "pdf_kit.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = {a.name for a in node.names} if isinstance(node, ast.ImportFrom) else set()
            assert not names & {"Paragraph", "XPreformatted", "Preformatted"}, path.name


# Summary


def test_the_summary_shows_every_case_and_troubles_first(tmp_path: Path) -> None:
    path = tmp_path / "summary.pdf"
    results = [*EVERY_KIND, *(replace(field_result(), case_id=f"f{i:03}") for i in range(150))]
    write_summary_pdf(path, results, summarise(results))
    pages = pages_of(path)
    text = "\n".join(pages)
    assert f"Summary of {len(results)} cases" in pages[0]
    assert text.index("Needs attention") < text.index("All cases")
    assert "Failed, cannot be opened: 1" in pages[0]
    assert "No result, too blurred: 1" in text
    assert "Answered, too uncertain: 1" in text
    for number in range(150):
        assert f"f{number:03}" in text
    for index, page in enumerate(pages, start=1):
        assert RESEARCH in page
        assert f"page{index}of{len(pages)}" in squeezed(page)


def test_the_summary_says_why_each_file_was_skipped(tmp_path: Path) -> None:
    path = tmp_path / "summary.pdf"
    junk = [replace(skipped_result(), case_id=f"in/note{i}.txt", error_message="no image")
            for i in range(40)]  # fmt: skip
    empty = replace(skipped_result(), case_id="in/lost.svs", error_message="empty file, copy it")
    results = [*junk, empty, failed_result()]
    write_summary_pdf(path, results, summarise(results))
    text = "\n".join(pages_of(path))
    left_out = text[text.index("File") : text.index("All cases")]
    assert left_out.index("in/lost.svs") < left_out.index("in/note0.txt"), "not lost among junk"
    assert "empty file, copy it" in left_out
    assert left_out.count("no image") == 35
    rows = text[text.index("All cases") :]
    assert (rows.count("no image"), rows.count("cannot be opened")) == (40, 1)


def test_the_summary_is_the_same_each_time_and_holds_no_picture(tmp_path: Path) -> None:
    run = summarise(EVERY_KIND)
    for name in ("a.pdf", "b.pdf"):
        write_summary_pdf(tmp_path / name, iter(EVERY_KIND), run)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert images_in(tmp_path / "a.pdf") == 0


def test_the_summary_survives_hostile_names(tmp_path: Path) -> None:
    path = tmp_path / "summary.pdf"
    short = [name for name in HOSTILE_NAMES if len(visible(name)) < 25]
    results = [replace(failed_result(), case_id=name, error_message=name) for name in short]
    write_summary_pdf(path, results, summarise(results))
    text = squeezed("".join(pages_of(path)))
    for name in short:
        assert squeezed(visible(name)) in text
    assert PdfReader(io.BytesIO(path.read_bytes())).pages


def test_of_a_field_no_scanner_is_named(tmp_path: Path) -> None:
    for result, said in ((field_result(), False), (slide_result(), True)):
        path = tmp_path / "report.pdf"
        write_case_pdf(path, result)
        first = pages_of(path)[0]
        assert ("Scanner" in first) is said
        assert ("Objective" in first) is said


def test_what_a_withheld_answer_would_have_been_is_called_no_answer() -> None:
    sentence = "The rule would have named Adenocarcinoma. This is not an answer."
    assert unspoken(no_result(NoResult.UNCERTAIN)) == sentence
    assert unspoken(no_result(NoResult.LITTLE_TISSUE)) == ""
    assert unspoken(slide_result()) == unspoken(failed_result()) == ""


def test_the_summary_gives_the_whole_reason_and_the_doubt_of_an_answer(tmp_path: Path) -> None:
    refused = no_result(NoResult.UNCERTAIN)
    assert refused.prediction is not None
    why = (
        "The scale is unknown, which may be the only reason: cells may look too small. The picture "
        "of 224 x 224 px was taken whole and shrunk 1.2 times. The likeliest class reaches "
        "only 66 %; this model answers from 71 % up."
    )
    refused = replace(refused, prediction=replace(refused.prediction, reason_text=why))
    doubted = replace(slide_result(), flags=("tumour_area_below_limit",))
    path = tmp_path / "summary.pdf"
    write_summary_pdf(path, [refused, doubted], summarise([refused, doubted]))
    text = squeezed("".join(pages_of(path)))
    assert squeezed(why) in text
    assert squeezed("Answered, some tumour tiles: 1") in text
    assert answer_line(doubted).endswith("(some tumour tiles)")


@pytest.mark.parametrize("flag", ["tumour_area_below_limit", "enlarged", "other_stain_or_scanner"])
def test_a_doubtful_answer_is_given_with_reserve_on_the_front_page(
    tmp_path: Path, flag: str
) -> None:
    path = tmp_path / "report.pdf"
    plain = slide_result()
    write_case_pdf(path, plain)
    assert squeezed("With reserve") not in squeezed(pages_of(path)[0])
    write_case_pdf(path, replace(plain, flags=(flag,)))
    page = squeezed(pages_of(path)[0])
    assert page.partition(squeezed("With reserve."))[2].startswith(squeezed(flag_text(flag)))
    assert page.count(squeezed(flag_text(flag))) == 1, "not again among the flags"
    assert squeezed("None but the above") in page
    write_case_pdf(path, replace(plain, flags=(flag, "deep_colour")))
    assert squeezed("Flags" + flag_text("deep_colour")) in squeezed(pages_of(path)[0])


def test_a_reason_against_an_answer_is_no_flag_as_well(tmp_path: Path) -> None:
    refused = replace(no_result(NoResult.BLURRED), flags=("too_blurred",))
    assert squeezed("FlagsNone but the above") in squeezed(pages_of(written(tmp_path, refused))[0])


def test_a_flag_that_the_reason_says_is_not_told_twice() -> None:
    refused = replace(no_result(NoResult.BLURRED), flags=("too_blurred", "resized"))
    assert further_flags(refused) == [flag_text("resized")]
    doubted = replace(slide_result(), flags=("enlarged", "resized"))
    assert further_flags(doubted) == [flag_text("resized")]


def test_a_long_reason_ends_after_six_lines_and_pages_hold_all_rows(tmp_path: Path) -> None:
    refused = no_result(NoResult.UNCERTAIN)
    assert refused.prediction is not None
    results = [
        replace(refused, prediction=replace(refused.prediction, reason_text=f"{n} {'why ' * 200}"))
        for n in range(40)
    ]
    path = tmp_path / "summary.pdf"
    write_summary_pdf(path, results, summarise(results))
    text = squeezed("".join(pages_of(path)))
    assert text.count("why…") == 12, "those of the table of what needs attention"
    assert "and28more" in text


def test_a_run_that_took_cases_over_tells_no_rate(tmp_path: Path) -> None:
    path = tmp_path / "summary.pdf"
    run = replace(summarise([slide_result()]), resumed=1)
    write_summary_pdf(path, [slide_result()], run)
    text = pages_of(path)[0]
    assert "with those of 1 case of an earlier run" in " ".join(text.split())
    assert "per second" not in text


def test_a_summary_with_only_good_cases_has_no_attention_section(tmp_path: Path) -> None:
    path = tmp_path / "summary.pdf"
    write_summary_pdf(path, [slide_result()], summarise([slide_result()]))
    assert "Needs attention" not in "".join(pages_of(path))
