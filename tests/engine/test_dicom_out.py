"""DICOM out: read back, checked by an independent validator, and laid where it belongs."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
pytest.importorskip("highdicom", reason="the extra 'dicom' is not installed")

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lungscan.dicom_out.class_map import class_segmentation, raster_factor
from lungscan.dicom_out.objects import dicom_files, write_dicom
from lungscan.dicom_out.source_headers import PATIENT_AND_STUDY, read_sources, reduced
from lungscan.dicom_out.structured_report import structured_report
from lungscan.errors import MachineError, UnreadableFile, UsageProblem
from lungscan.events import Notice
from lungscan.inputs import discover
from lungscan.report.wording import REASONS
from lungscan.types import (
    CaseInput,
    CaseResult,
    CaseStatus,
    InputFile,
    MppSource,
    NoResult,
    Scale,
    SourceInfo,
    TileQuality,
    TileScores,
    TileState,
)
from tests.dicom_sources import SECRET, STUDY, TURNED, write_series, write_slide
from tests.drawing import draw_slide
from tests.engine.scanning import SLIDE_TISSUE, files_below, make_field, options, results, run
from tests.models import copy_model
from tests.results import failed_result, slide_result

VALIDATOR = shutil.which("dciodvfy")
needs_validator = pytest.mark.skipif(
    VALIDATOR is None, reason="dciodvfy (Debian's dicom3tools) is not installed"
)
SIDE, WIDTH, HEIGHT = 224, 1500, 1100
ELSEWHERE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def faults(path: Path) -> list[str]:
    """What the validator calls an error."""
    assert VALIDATOR is not None
    printed = subprocess.run(
        [VALIDATOR, "-new", str(path)], capture_output=True, check=False
    ).stderr
    return [line for line in printed.decode("latin1").splitlines() if line.startswith("Error")]


def texts(dataset: Dataset) -> str:
    """Everything in an object as one text."""
    return "\n".join(str(e.value) for e in dataset.iterall() if e.VR != "SQ")


def items(container: Dataset, meaning: str) -> list[Dataset]:
    """All content items below that are named so."""
    found = []
    for item in container.get("ContentSequence", ()):
        names = item.get("ConceptNameCodeSequence", ())
        found += [item] if names and names[0].CodeMeaning == meaning else []
        found += items(item, meaning)
    return found


def drawn_case(path: Path, turned: tuple[float, ...] = TURNED) -> CaseInput:
    write_slide(path, draw_slide(WIDTH, HEIGHT, tissue=SLIDE_TISSUE), 0.5, turned=turned)
    (case,) = discover((path,)).cases
    return case


def answered(case: CaseInput) -> CaseResult:
    """A drawn result of the slide: a tile of class 1 at the top right, an L of class 3 below."""
    places = [(1000, 100, 0), (300, 500, 2), (300, 724, 2), (524, 724, 2)]
    boxes = np.array([(x, y, SIDE, SIDE) for x, y, _ in places] + [(700, 100, SIDE, SIDE)])
    probs = np.full((5, 3), 0.05, np.float32)
    for row, (_, _, answer) in enumerate(places):
        probs[row, answer] = 0.9
    ones = np.ones(5, np.float32)
    scores = TileScores(
        file_index=0,
        boxes=boxes.astype(np.int32),
        tissue_fraction=ones,
        probs=probs,
        novelty=ones * 0.1,
        quality=TileQuality(ones, ones * 0, ones * 0, ones),
        state=(*[TileState.USED] * 4, TileState.BLURRED),
    )
    drawn = slide_result()
    info = SourceInfo(WIDTH, HEIGHT, Scale(0.5, MppSource.FILE), "dicom", 20.0)
    file = replace(drawn.files[0], relative_path=case.files[0].relative_path, info=info)
    return replace(drawn, files=(file,), scores=(scores,), key=case.key, case_id=case.case_id)


def written(tmp_path: Path, name: str, dataset: Dataset) -> Dataset:
    dataset.save_as(tmp_path / name, enforce_file_format=True)
    return pydicom.dcmread(tmp_path / name)


# The structured report --------------------------------------------------------------------------


def test_the_report_says_who_answered_what(tmp_path: Path) -> None:
    case = drawn_case(tmp_path / "a.dcm")
    result = answered(case)
    sources = read_sources(case.files[0])
    report = written(tmp_path, "r.dcm", structured_report(result, sources, "0" * 64))
    assert report.SOPClassUID.name == "Comprehensive 3D SR Storage"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert report.ContentQualification == "RESEARCH"
    assert report.SeriesDescription.startswith("RESEARCH USE ONLY")
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert report.PreliminaryFlag == "PRELIMINARY"
    printed = texts(report)
    for fact in (result.model.name, result.model.version, result.model.sha256):
        assert fact in printed
    for name in result.model.class_names:
        assert name in printed
    (answer,) = items(report, "Model output")
    prediction = result.prediction
    assert prediction is not None
    index = result.model.class_names.index(str(prediction.label))
    assert answer.ConceptCodeSequence[0].CodeMeaning == result.model.display_names[index]
    assert answer.ConceptCodeSequence[0].CodingSchemeDesignator == "99LUNGSCAN"
    found = [float(item.MeasuredValueSequence[0].NumericValue)
             for item in items(report, "Probability")]  # fmt: skip
    assert found == pytest.approx(prediction.probs, abs=1e-6)
    area = [float(item.MeasuredValueSequence[0].NumericValue) for item in items(report, "Area")]
    assert area == pytest.approx(prediction.area_mm2, abs=1e-6)


def test_the_images_are_referenced(tmp_path: Path) -> None:
    made = write_series(tmp_path / "ct")
    files = [InputFile(path, path.name, "field") for path in sorted((tmp_path / "ct").iterdir())]
    sources = [header for file in files for header in read_sources(file)]
    report = structured_report(slide_result(), sources, "0" * 64)
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert study.StudyInstanceUID == report.StudyInstanceUID == STUDY
    assert {item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence} == {
        header.SOPInstanceUID for header in made
    }
    named = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in items(report, "Source of Measurement")
    }
    assert named == {header.SOPInstanceUID for header in made}
    assert report.SeriesInstanceUID != series.SeriesInstanceUID


@pytest.mark.parametrize("reason", list(NoResult))
def test_no_result_and_its_reason(tmp_path: Path, reason: NoResult) -> None:
    case = drawn_case(tmp_path / "a.dcm")
    result = answered(case)
    assert result.prediction is not None
    refused = replace(
        result.prediction, label=None, confidence=None, reason=reason, reason_text="of DOE JANE"
    )
    sources = read_sources(case.files[0])
    report = structured_report(replace(result, prediction=refused), sources, "0" * 64)
    (answer,), (why,) = items(report, "Model output"), items(report, "Reason or reserve")
    assert answer.ConceptCodeSequence[0].CodeMeaning == "No result"
    assert why.ConceptCodeSequence[0].CodeMeaning == REASONS[reason]
    assert "of DOE JANE" not in texts(report)  # sentences may name files


def test_what_is_noted_beside_an_answer_stands_in_the_report(tmp_path: Path) -> None:
    case = drawn_case(tmp_path / "a.dcm")
    result, sources = replace(answered(case), flags=()), read_sources(case.files[0])
    assert not items(structured_report(result, sources, "0" * 64), "Noted beside the answer")
    flags = ("tumour_area_below_limit", "unproven_model", "other_stain_or_scanner")
    part = replace(result, status=CaseStatus.PARTIAL, flags=flags, error_message="DOE JANE")
    report = structured_report(part, sources, "0" * 64)
    noted = [i.ConceptCodeSequence[0] for i in items(report, "Noted beside the answer")]
    assert [code.CodeMeaning for code in noted] == [
        "partial", "tumour area below limit", "unproven model", "another stain or scanner",
    ]  # fmt: skip
    assert len({code.CodeValue for code in noted}) == 4
    assert "DOE JANE" not in texts(report)
    ct = replace(part, model=replace(part.model, modality="chest-ct"))
    assert "stain or scanner" not in texts(structured_report(ct, sources, "0" * 64))


def test_a_case_that_failed_says_so(tmp_path: Path) -> None:
    sources = read_sources(drawn_case(tmp_path / "a.dcm").files[0])
    report = structured_report(failed_result(), sources, "0" * 64)
    (answer,), (why,) = items(report, "Model output"), items(report, "Reason or reserve")
    assert answer.ConceptCodeSequence[0].CodeMeaning == "No result"
    assert failed_result().error_code in why.ConceptCodeSequence[0].CodeMeaning
    assert not items(report, "Probability")


def test_only_what_is_listed_is_taken_over(tmp_path: Path) -> None:
    case = drawn_case(tmp_path / "a.dcm")
    assert SECRET.encode() in (tmp_path / "a.dcm").read_bytes()
    source = pydicom.dcmread(tmp_path / "a.dcm")
    made = dicom_files(answered(case), case, "0" * 64).files
    assert set(made) == {"report.dcm", "classes.dcm"}
    for name, data in made.items():
        assert SECRET.encode() not in data
        (tmp_path / name).write_bytes(data)
        copy = pydicom.dcmread(tmp_path / name)
        for keyword in PATIENT_AND_STUDY:
            assert str(copy.get(keyword)) == str(source.get(keyword))
        assert not any(element.tag.is_private for element in copy.iterall())
        assert b"case.json" not in data
        assert str(case.files[0].relative_path).encode() not in data  # nor the file's name


def test_the_same_case_gives_the_same_bytes(tmp_path: Path) -> None:
    case = drawn_case(tmp_path / "a.dcm")
    once, again = (dicom_files(answered(case), case, "0" * 64).files for _ in range(2))
    assert once == again
    other = dicom_files(answered(case), case, "1" * 64).files
    assert other["report.dcm"] != once["report.dcm"]


def test_a_name_in_another_encoding_arrives_whole(tmp_path: Path) -> None:
    write_slide(tmp_path / "a.dcm", draw_slide(600, 600, tissue=SLIDE_TISSUE), 0.5)
    data = pydicom.dcmread(tmp_path / "a.dcm")
    data.SpecificCharacterSet, data.PatientName = "ISO_IR 100", "MÜLLER^JÖRG"
    data.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    (source,) = read_sources(InputFile(tmp_path / "b.dcm", "b.dcm", "slide"))
    copy = written(tmp_path, "r.dcm", structured_report(slide_result(), [source], "0" * 64))
    assert str(copy.PatientName) == "MÜLLER^JÖRG"


def test_a_header_that_lacks_its_identity_is_refused() -> None:
    header = Dataset()
    header.PatientID = "1"
    with pytest.raises(UnreadableFile, match="lacks SOPClassUID"):
        reduced(header)


def test_a_header_with_little_in_it_is_enough(tmp_path: Path) -> None:
    made = write_series(tmp_path / "ct", 1)[0]
    for keyword in PATIENT_AND_STUDY:
        if keyword in made:
            del made[keyword]
    source = reduced(made)
    report = written(tmp_path, "r.dcm", structured_report(slide_result(), [source], "0" * 64))
    assert report.PatientID == ""


ODD = (
    ("PatientName", "DOE JANE", "DOE JANE"),
    ("PatientBirthDate", "1960", ""),
    ("StudyTime", "25:99", ""),
    ("StudyTime", "101112.25", "101112.25"),
    ("PatientSex", "female", ""),
    ("StudyID", "a-study-with-a-long-identifier", "a-study-with-a-long-identifier"),
)


@pytest.mark.parametrize(("keyword", "value", "expected"), ODD)
def test_odd_values_cost_no_report(tmp_path: Path, keyword: str, value: str, expected: str) -> None:
    made = write_series(tmp_path / "ct", 1)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        setattr(made, keyword, value)
        made.save_as(tmp_path / "ct" / "1.dcm", enforce_file_format=True)
        case = CaseInput("k", "k", (InputFile(tmp_path / "ct" / "1.dcm", "ct", "field"),))
        data = dicom_files(replace(slide_result(), files=()), case, "0" * 64).files["report.dcm"]
        assert str(pydicom.dcmread(io.BytesIO(data)).get(keyword)) == expected


def test_a_header_compressed_as_a_whole_is_not_opened(tmp_path: Path) -> None:
    made = write_series(tmp_path / "ct", 1)[0]
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(UnreadableFile, match="compressed as a whole"):
        read_sources(InputFile(tmp_path / "a.dcm", "a", "field"))


def test_what_cannot_be_made_is_reported_and_costs_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    write_series(tmp_path / "ct", 1)
    data = (tmp_path / "ct" / "1.dcm").read_bytes()
    path.write_bytes(data[:400])
    case = CaseInput("k", "case k", (InputFile(path, "a.dcm", "field"),))
    (printed,) = write_dicom(tmp_path / "out", slide_result(), case, "0" * 64)
    assert printed.startswith("No DICOM report was made of case k")
    assert not (tmp_path / "out").exists()
    failed = replace(slide_result(), status=CaseStatus.FAILED, prediction=None)
    assert write_dicom(tmp_path / "out", failed, case, "0" * 64) == ()  # the case itself says why


def test_images_of_two_patients_get_no_report(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", 2)
    other = pydicom.dcmread(tmp_path / "ct" / "1.dcm")
    other.PatientID = "P-18"
    other.save_as(tmp_path / "ct" / "1.dcm", enforce_file_format=True)
    parts = tuple(sorted((tmp_path / "ct").iterdir()))
    case = CaseInput("k", "k", (InputFile(parts[0], "ct", "field", parts),))
    with pytest.raises(UnreadableFile, match="several studies or patients"):
        dicom_files(slide_result(), case, "0" * 64)


# The map ----------------------------------------------------------------------------------------


def places(shown: Dataset, source: Dataset) -> dict[str, np.ndarray]:
    """Middles of each segment's pixels in level-0 pixels of the source, by what the headers say.

    Written against PS3.3 alone: frame position + (column × along rows + row × along columns).
    """
    turned = np.array(source.ImageOrientationSlide, float)
    along_row, along_column = turned[:3], turned[3:]
    first = source.TotalPixelMatrixOriginSequence[0]
    origin = np.array([first.XOffsetInSlideCoordinateSystem, first.YOffsetInSlideCoordinateSystem])
    down, across = source.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    to_pixels = np.linalg.inv(np.stack([along_row[:2] * across, along_column[:2] * down], 1))
    shared = shown.SharedFunctionalGroupsSequence[0]
    rows_mm, columns_mm = (float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing)
    names = [item.SegmentLabel for item in shown.SegmentSequence]
    frames = np.atleast_3d(shown.pixel_array).reshape(-1, shown.Rows, shown.Columns)
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for frame, item in zip(frames, shown.PerFrameFunctionalGroupsSequence, strict=True):
        number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        corner = item.PlanePositionSlideSequence[0]
        start = np.array([
            float(corner.XOffsetInSlideCoordinateSystem),
            float(corner.YOffsetInSlideCoordinateSystem),
        ])  # fmt: skip
        for row, column in np.argwhere(frame):
            at = start + column * columns_mm * along_row[:2] + row * rows_mm * along_column[:2]
            found[names[number - 1]].append(to_pixels @ (at - origin))
    return {name: np.array(middles) for name, middles in found.items()}


@pytest.mark.parametrize("turned", [TURNED, ELSEWHERE, (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)])
def test_the_map_lies_on_its_tiles(tmp_path: Path, turned: tuple[float, ...]) -> None:
    case = drawn_case(tmp_path / "a.dcm", turned)
    result = answered(case)
    (source,) = read_sources(case.files[0])
    made = class_segmentation(result, 0, source, "0" * 64)
    assert made is not None
    shown = written(tmp_path, "m.dcm", made)
    lie = places(shown, source)
    names, (scores,) = result.model.display_names, result.scores
    assert set(lie) == {names[0], names[2]}  # no segment of a class that won nothing
    factor = raster_factor(scores)
    for name, rows in ((names[0], [0]), (names[2], [1, 2, 3])):
        boxes = scores.boxes[rows].astype(float)
        middles = lie[name] + 0.5  # of pixel (0, 0) the middle lies at (0.5, 0.5)
        inside = [
            (middles > box[:2] - factor).all(1) & (middles < box[:2] + box[2:] + factor).all(1)
            for box in boxes
        ]
        assert np.logical_or.reduce(inside).all()
        covered = len(middles) * factor**2
        assert covered == pytest.approx(len(rows) * SIDE**2, rel=0.06)
        for box, hit in zip(boxes, inside, strict=True):
            assert middles[hit].mean(0) == pytest.approx(box[:2] + SIDE / 2, abs=factor * 2)


def test_the_raster_is_a_level_of_the_pyramid(tmp_path: Path) -> None:
    case = drawn_case(tmp_path / "a.dcm")
    result = answered(case)
    (source,) = read_sources(case.files[0])
    factor = raster_factor(result.scores[0])
    assert (factor, SIDE / factor) == (16, 14)
    shown = class_segmentation(result, 0, source, "0" * 64)
    assert shown is not None
    assert (shown.TotalPixelMatrixColumns, shown.TotalPixelMatrixRows) == (94, 69)
    measures = shown.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert [float(v) for v in measures.PixelSpacing] == pytest.approx([0.008, 0.008])
    assert shown.ContentQualification == "RESEARCH"
    assert shown.SeriesDescription.startswith("RESEARCH USE ONLY")
    reference = shown.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert shown.FrameOfReferenceUID == source.FrameOfReferenceUID


def test_a_slide_without_a_place_gets_no_map(tmp_path: Path) -> None:
    case = drawn_case(tmp_path / "a.dcm")
    (source,) = read_sources(case.files[0])
    del source.ImageOrientationSlide
    with pytest.raises(UnreadableFile, match="lacks ImageOrientationSlide"):
        class_segmentation(answered(case), 0, source, "0" * 64)
    header = pydicom.dcmread(tmp_path / "a.dcm")
    del header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    header.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    made = dicom_files(answered(case), case, "0" * 64)
    assert set(made.files) == {"report.dcm"}  # the report stands without it
    assert "lacks PixelMeasuresSequence" in made.problems[0]


@pytest.mark.parametrize("lost", ["FrameOfReferenceUID", "Modality", "PixelSpacing", "ImageType"])
def test_a_poor_header_still_gets_a_report(tmp_path: Path, lost: str) -> None:
    write_series(tmp_path / "ct", 1)
    path = tmp_path / "ct" / "1.dcm"
    header = pydicom.dcmread(path)
    del header[lost]
    header.save_as(path, enforce_file_format=True)
    case = CaseInput("k", "k", (InputFile(path, "ct", "field"),))
    made = dicom_files(replace(slide_result(), files=()), case, "0" * 64)
    assert set(made.files) == {"report.dcm"}


# An independent validator -----------------------------------------------------------------------


@needs_validator
def test_the_validator_finds_no_error(tmp_path: Path) -> None:
    case = drawn_case(tmp_path / "a.dcm")
    for name, data in dicom_files(answered(case), case, "0" * 64).files.items():
        (tmp_path / name).write_bytes(data)
        assert faults(tmp_path / name) == []


@needs_validator
def test_the_validator_finds_no_error_in_a_series(tmp_path: Path) -> None:
    write_series(tmp_path / "ct")
    parts = tuple(sorted((tmp_path / "ct").iterdir()))
    case = CaseInput("k", "k", (InputFile(parts[0], "ct", "field", parts),))
    for number, result in enumerate((slide_result(), failed_result())):
        drawn = replace(result, files=())
        made = dicom_files(drawn, case, str(number) * 64).files
        assert set(made) == {"report.dcm"}
        (tmp_path / "r.dcm").write_bytes(made["report.dcm"])
        assert faults(tmp_path / "r.dcm") == []


# In a run ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_model(tmp_path_factory.mktemp("dicom") / "model").folder


def test_a_run_writes_them_beside_the_others(model: Path, tmp_path: Path) -> None:
    from lungscan.verification.checks import State
    from lungscan.verification.verify import verify

    drawn_case(tmp_path / "in.dcm")
    chosen = options(model, tmp_path / "out", tmp_path / "in.dcm")
    run(chosen)
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("case.json")}
    events = run(replace(chosen, dicom_sr=True))  # an earlier run that had none is made up
    (result,) = results(events).values()
    folder = tmp_path / "out" / "cases" / result.key
    assert {"report.dcm", "classes.dcm"} <= files_below(folder)
    assert {p: p.read_bytes() for p in before} == before  # the record does not know of it
    states = {check.state for check in verify(tmp_path / "out")}
    assert State.UNEXPECTED not in states
    assert State.CHANGED not in states


def test_without_a_dicom_source_it_is_refused_before_anything_is_computed(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be loaded")

    monkeypatch.setattr("lungscan.scanning.scan.begin_loading", never)
    picture = make_field(tmp_path / "in" / "a.png")
    with pytest.raises(UsageProblem, match="none of the images is DICOM"):
        run(options(model, tmp_path / "out", picture, dicom_sr=True))
    assert not (tmp_path / "out").exists()


def test_a_dicom_name_alone_is_no_source(model: Path, tmp_path: Path) -> None:
    picture = make_field(tmp_path / "in" / "a.png")
    false = picture.with_suffix(".dcm")
    picture.rename(false)
    with pytest.raises(UsageProblem, match="none of the images is DICOM"):
        run(options(model, tmp_path / "out", false, dicom_sr=True))


def test_others_in_the_batch_are_reported(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    drawn_case(tmp_path / "in" / "a.dcm")
    make_field(tmp_path / "in" / "b.png")
    events = run(options(model, tmp_path / "out", tmp_path / "in", dicom_sr=True))
    printed = [event.text for event in events if isinstance(event, Notice)]
    assert any("1 case without a DICOM source, such as b" in text for text in printed)
    assert len(list((tmp_path / "out").rglob("report.dcm"))) == 1


def test_without_the_extra_it_is_refused_with_the_cure(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_case(tmp_path / "a.dcm")
    monkeypatch.setattr("lungscan.dicom_out.source_headers.find_spec", lambda name: None)
    with pytest.raises(MachineError, match=r"pip install .lungscan-histology\[dicom\]"):
        run(options(model, tmp_path / "out", tmp_path / "a.dcm", dicom_sr=True))


def test_a_pseudonym_and_a_patient_exclude_each_other(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="choose one of them"):
        options(model, tmp_path / "out", tmp_path, dicom_sr=True, deidentify=True)
