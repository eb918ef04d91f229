"""A slide that does not open says why in truth: damage, its kind, or a name; and what to do."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from openslide import OpenSlideError
from PIL import Image

from lungscan.errors import CaseError
from lungscan.inputs import discover
from lungscan.inputs.dicom import DICOM_DIRECTORY
from lungscan.reading import open_source
from lungscan.reading.slides.refusals import why_not_open
from lungscan.types import InputFile
from tests.drawing import draw_he
from tests.engine.test_inputs_content import object_of


def failure(path: Path) -> CaseError:
    with pytest.raises(CaseError) as caught:
        open_source(discover((path,)).cases[0].files[0])
    assert str(path.parent) not in str(caught.value)
    return caught.value


def mirax(folder: Path, index: str, data: str) -> Path:
    (folder / index).write_bytes(b"\xff\xd8\xff\xe0")
    (folder / data).mkdir()
    (folder / data / "Slidedat.ini").write_text("[GENERAL]\n")
    return folder / index


@pytest.mark.parametrize("index", ["A.MRXS", "A.Mrxs"])
def test_mirax_with_a_capital_suffix_is_to_be_renamed(tmp_path: Path, index: str) -> None:
    error = failure(mirax(tmp_path, index, "A"))
    assert error.code == "E_NAME"
    assert "rename it to 'A.mrxs'" in str(error)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_mirax_whose_folder_has_another_unicode_form_is_to_be_renamed(
    tmp_path: Path, form: str
) -> None:
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    index = unicodedata.normalize(form, "Brösel.mrxs")  # type: ignore[arg-type]
    error = failure(mirax(tmp_path, index, unicodedata.normalize(other, "Brösel")))  # type: ignore[arg-type]
    assert error.code == "E_NAME"
    assert "Unicode forms" in str(error)
    assert "rename the folder" in str(error)


def test_mirax_whose_folder_has_other_capitals_is_to_be_renamed(tmp_path: Path) -> None:
    error = failure(mirax(tmp_path, "slide.mrxs", "Slide"))
    assert error.code == "E_NAME"
    assert "'Slide'" in str(error)
    assert "capital letters" in str(error)


def test_mirax_without_its_folder_still_lacks_it(tmp_path: Path) -> None:
    (tmp_path / "lone.MRXS").write_bytes(b"\xff\xd8\xff\xe0")
    error = failure(tmp_path / "lone.MRXS")
    assert error.code == "E_OPEN"
    assert "lacks the folder 'lone'" in str(error)


def test_an_index_of_dicom_is_not_an_image(tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes(object_of(DICOM_DIRECTORY))
    assert "give the folder instead" in str(failure(tmp_path / "DICOMDIR"))


@pytest.mark.parametrize(
    ("words", "means"),
    [
        ("Attribute TotalPixelMatrixFocalPlanes value 3 != 1", "several focal planes"),
        ("Slide contains unexpected image (1.2.3 vs. 1.2.4)", "clone levels"),
        ("Attribute BitsAllocated value 16 != 8", "not 8-bit colours"),
        ("Attribute SamplesPerPixel value 1 != 3", "not 8-bit colours"),
        ("Unsupported TIFF compression: 34712", "does not unpack"),
        ("Unsupported transfer syntax 1.2.840.10008.1.2.4.80", "does not unpack"),
        ("Compression 4 is not supported", "does not unpack"),
        ("Slides with dissimilar main images are not supported", "several scans"),
        ("Pixel type Gray16 is not supported", "kind that OpenSlide does not read"),
        ("Unrecognized image format: X", "kind that OpenSlide does not read"),
        ("Attribute PlanarConfiguration value 1 != 0", "kind that OpenSlide does not read"),
    ],
)
def test_a_whole_slide_of_another_kind_is_not_called_damaged(words: str, means: str) -> None:
    error = why_not_open(Path("in/s.svs"), OpenSlideError(f"Reading in/x.dcm: {words}"))
    assert error.code == "E_UNSUPPORTED"
    assert str(error).startswith("s.svs is not supported: ")
    assert means in str(error)
    assert words in str(error)
    assert "in/" not in str(error)
    assert not any(word in str(error) for word in ("damaged", "Copy it again"))


def test_damage_is_still_called_damage() -> None:
    error = why_not_open(Path("in/s.svs"), OpenSlideError("Cannot read TIFF directory"))
    assert error.code == "E_FORMAT"
    assert "damaged or incomplete" in str(error)


def test_a_dicom_series_with_a_clone_level_or_focal_planes_is_not_supported(
    tmp_path: Path,
) -> None:
    pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
    from pydicom import dcmread

    from tests.engine.test_reading_dicom import write_level

    rgb = draw_he(600, 500, 1)
    half = np.asarray(Image.fromarray(rgb).reduce(2))
    for name, picture, mpp in (("1", rgb, 0.5), ("2", half, 1.0)):
        write_level(tmp_path / f"{name}.dcm", picture, mpp, int(name))
    write_level(tmp_path / "3.dcm", half, 1.0, 3)
    clone = failure(tmp_path / "1.dcm")
    assert (clone.code, "clone levels" in str(clone)) == ("E_UNSUPPORTED", True)
    (tmp_path / "3.dcm").unlink()
    data = dcmread(tmp_path / "1.dcm")
    data.TotalPixelMatrixFocalPlanes = 3
    data.save_as(tmp_path / "1.dcm")
    planes = failure(tmp_path / "2.dcm")
    assert (planes.code, "focal planes" in str(planes)) == ("E_UNSUPPORTED", True)


def test_a_series_of_any_names_is_read_as_one_slide(tmp_path: Path) -> None:
    pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
    from tests.engine.test_reading_dicom import write_level

    rgb = draw_he(600, 500, 1)
    write_level(tmp_path / "IM000001", np.asarray(Image.fromarray(rgb).reduce(2)), 1.0, 2)
    write_level(tmp_path / "IM000002", rgb, 0.5, 1)
    for paths in ((tmp_path,), (tmp_path / "IM000001",), (tmp_path / "IM000002",)):
        (case,) = discover(paths).cases
        source = open_source(case.files[0])
        assert (source.info.width, source.info.vendor) == (600, "dicom")


def test_a_file_without_a_name_is_told_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "IM1"
    path.write_bytes(object_of("1.2.840.10008.5.1.4.1.1.2"))
    with pytest.raises(CaseError, match="is DICOM, but not a whole-slide image"):
        open_source(InputFile(path, "IM1", "field"))
