"""Two files of one case with an equal path, as of p1/HE and p2/HE: each stays what it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from lungscan.layout import DICOM_MAP, numbered
from lungscan.report.geojson import write_tiles_geojson
from lungscan.report.pdf.case import write_case_pdf
from lungscan.types import CaseInput, CaseResult, InputFile
from tests.results import slide_result, two_file_result

PATH = "HE/s.svs"


def of_equal_paths(result: CaseResult) -> CaseResult:
    """The case of two files as though both were called alike."""
    files = tuple(replace(file, relative_path=PATH) for file in result.files)
    return replace(result, files=files, relative_paths=(PATH, PATH))


def ids(path: Path) -> list[str]:
    return [feature["id"] for feature in json.loads(path.read_bytes())["features"]]


def test_objects_for_qupath_are_those_of_their_own_image(tmp_path: Path) -> None:
    plain, equal = two_file_result(), of_equal_paths(two_file_result())
    expected = [path.read_bytes() for path in write_tiles_geojson(tmp_path / "a", plain)]
    written = write_tiles_geojson(tmp_path / "b", equal)
    assert [path.read_bytes() for path in written] == expected
    assert not set(ids(written[0])) & set(ids(written[1]))


def test_objects_for_qupath_keep_their_identity(tmp_path: Path) -> None:
    """Bytes that earlier releases wrote: people have them in their projects."""
    (path,) = write_tiles_geojson(tmp_path, slide_result())
    assert ids(path)[:2] == [
        "506af36a-0395-5176-bf94-c6e46f15532c",
        "d465ff04-239b-5c07-ac7a-b64cccb304a2",
    ]


def test_provenance_names_each_file_once_with_its_own_hash(tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    result = of_equal_paths(two_file_result())
    write_case_pdf(tmp_path / "r.pdf", result)
    pages = pypdf.PdfReader(tmp_path / "r.pdf").pages
    text = "".join("".join(page.extract_text() for page in pages).split())
    provenance = text[text.index("Provenance") :]
    hashes = [file.sha256 for file in result.files]
    assert [provenance.count(sha256) for sha256 in hashes] == [1, 1]
    assert provenance.count(PATH) == 2
    assert provenance.index(hashes[0]) < provenance.rindex(PATH) < provenance.index(hashes[1])


# DICOM --------------------------------------------------------------------------------------------


@pytest.fixture
def slides(tmp_path: Path) -> CaseInput:
    """Two slides of one study, named alike."""
    pytest.importorskip("highdicom", reason="the extra 'dicom' is not installed")
    from tests.dicom_sources import write_slide
    from tests.drawing import draw_slide
    from tests.engine.scanning import SLIDE_TISSUE
    from tests.engine.test_dicom_out import HEIGHT, WIDTH

    files = []
    for folder, left_mm in (("p1", 20.0), ("p2", 5.0)):
        path = tmp_path / folder / "HE" / "s.dcm"
        path.parent.mkdir(parents=True)
        drawn = draw_slide(WIDTH, HEIGHT, tissue=SLIDE_TISSUE)
        write_slide(path, drawn, 0.5, origin_mm=(left_mm, 40.0))
        files.append(InputFile(path, PATH, "slide"))
    return CaseInput("k", "K", tuple(files))


def answer(case: CaseInput, *read: int) -> CaseResult:
    """The case answered from those of its files that could be read."""
    from tests.engine.test_dicom_out import answered

    one = answered(case)
    files, scores = [], []
    for index, place in enumerate(read):
        sha256 = hashlib.sha256(case.files[place].path.read_bytes()).hexdigest()
        files.append(replace(one.files[0], sha256=sha256))
        scores.append(replace(one.scores[0], file_index=index))
    return replace(one, files=tuple(files), scores=tuple(scores), relative_paths=(PATH, PATH))


def test_slides_of_two_patients_get_no_dicom_report(slides: CaseInput) -> None:
    import pydicom

    from lungscan.dicom_out.objects import dicom_files
    from lungscan.errors import UnreadableFile

    other = pydicom.dcmread(slides.files[1].path)
    other.StudyInstanceUID, other.PatientID = "1.2.3.4.5", "OTHER"
    other.save_as(slides.files[1].path)
    with pytest.raises(UnreadableFile, match="several studies or patients"):
        dicom_files(answer(slides, 0, 1), slides, "0" * 64)


def sources_of_maps(case: CaseInput, result: CaseResult, read: tuple[int, ...]) -> list[int]:
    """On which of the case's slides each map of the result lies."""
    import io

    import pydicom

    from lungscan.dicom_out.objects import dicom_files

    images = [pydicom.dcmread(file.path).SOPInstanceUID for file in case.files]
    made = dicom_files(result, case, "0" * 64)
    assert made.problems == ()
    report = str(pydicom.dcmread(io.BytesIO(made.files["report.dcm"])))
    judged = {images[place] for place in read}
    assert {image for image in images if image in report} == judged  # what could be read
    names = [numbered(DICOM_MAP, index) for index in range(len(result.files))]
    maps = [str(pydicom.dcmread(io.BytesIO(made.files[name]))) for name in names]
    return [next(place for place, image in enumerate(images) if image in text) for text in maps]


@pytest.mark.parametrize("read", [(0, 1), (0,), (1,)])
def test_each_map_lies_on_its_own_slide(slides: CaseInput, read: tuple[int, ...]) -> None:
    assert tuple(sources_of_maps(slides, answer(slides, *read), read)) == read


def test_a_slide_that_is_none_of_those_named_alike_gets_no_report(slides: CaseInput) -> None:
    from lungscan.dicom_out.objects import write_dicom

    result = answer(slides, 0)
    changed = replace(result, files=(replace(result.files[0], sha256="f" * 64),))
    (printed,) = write_dicom(slides.files[0].path.parent / "out", changed, slides, "0" * 64)
    assert "none holds what was classified" in printed
