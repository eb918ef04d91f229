"""Content decides where the name is unknown: images are taken, series are one, junk stays quick."""

import io
import os
import shutil
import struct
from pathlib import Path

import pytest
from PIL import Image

from lungscan.inputs import discover, kinds
from lungscan.inputs.dicom import DICOM_DIRECTORY, WHOLE_SLIDE, media_class
from lungscan.reading import kind_of, open_source
from lungscan.types import CaseStatus, Inputs
from tests.drawing import draw_he, write_generic_tiff, write_svs
from tests.engine.scanning import make_field, make_slide, options, results, run
from tests.engine.test_inputs_discover import reasons, shown, touch
from tests.engine.test_inputs_parts import EXPLICIT, dicom, element
from tests.models import FakeRuntime

PICTURES = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")


def picture(file_format: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(draw_he(240, 240, 2)).save(stream, file_format)
    return stream.getvalue()


def object_of(kind: str, series: str = "1.2.3") -> bytes:
    """A DICOM file whose meta group says what it holds."""
    meta = element(2, 1, b"OB", b"\0\1") + element(2, 2, b"UI", kind.encode())
    meta += element(2, 0x10, b"UI", EXPLICIT.encode())
    body = element(8, 0x16, b"UI", kind.encode()) + element(0x20, 0xE, b"UI", series.encode())
    return bytes(128) + b"DICM" + meta + body + element(0x28, 2, b"US", b"\3\0")


@pytest.mark.parametrize("file_format", PICTURES)
@pytest.mark.parametrize("name", ["scan", "field.xyz", "field.001", "img.jpg_large"])
def test_a_picture_of_unknown_name_is_taken(tmp_path: Path, file_format: str, name: str) -> None:
    touch(tmp_path / "in" / name, picture(file_format))
    (case,) = discover((tmp_path / "in",)).cases
    assert case.files[0].kind == "field"
    assert open_source(case.files[0]).info.width == 240


@pytest.mark.parametrize(
    "name", ["a.qptiff", "a.btf", "a.tf8", "a.tf2", "a.ome.btf", "a.ome.tif", "A.QPTIFF", "A.TF8"]
)
def test_names_of_tiffs_in_a_folder_are_known(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "in" / name)  # even what is no TIFF: its row says so
    assert shown(discover((tmp_path / "in",))) == [f"in/{name}"]


@pytest.mark.parametrize("name", ["a.jfif", "a.jpe", "a.dib", "A.JFIF"])
def test_names_of_pictures_in_a_folder_are_known(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "in" / name)
    assert shown(discover((tmp_path / "in",))) == [f"in/{name}"]


def test_a_slide_of_unknown_name_is_a_slide(tmp_path: Path) -> None:
    write_svs(tmp_path / "scan.xyz", draw_he(600, 600))
    (case,) = discover((tmp_path,)).cases
    assert kind_of(case.files[0]) == "slide"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("notes.txt", kinds.UNKNOWN),
        ("bitmap.text", kinds.UNKNOWN),
        ("raw.nef", kinds.UNKNOWN),
        ("raw.dng", kinds.UNKNOWN),
        ("a.svs.part", "backup or unfinished copy, by its name"),
        ("a.jpg~", "backup or unfinished copy, by its name"),
        ("DICOMDIR", "index of a DICOM file set, not an image"),
        ("IM1", "DICOM, but neither a whole-slide image nor CT slices"),
    ],
)
def test_what_is_no_image_is_left_out_with_its_reason(
    tmp_path: Path, name: str, reason: str
) -> None:
    content = {
        "notes.txt": b"BMW parked near the river. " * 20,
        "bitmap.text": b"II*" + b"stars" * 80,
        "DICOMDIR": object_of(DICOM_DIRECTORY),
        "IM1": object_of("1.2.840.10008.5.1.4.1.1.4"),  # an MR image
    }
    touch(tmp_path / "in" / name, content.get(name, picture("TIFF")))
    found = discover((tmp_path / "in",))
    assert found.cases == ()
    assert reasons(found) == {f"in/{name}": reason}


def test_junk_costs_a_few_hundred_bytes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(50):
        touch(tmp_path / "in" / f"{index}.dat", os.urandom(1 << 16))
    touch(tmp_path / "in" / "a.png")
    opened: dict[str, int] = {}
    honest = Path.open

    class Counted:
        def __init__(self, path: Path) -> None:
            self.path = path

        def __enter__(self) -> "Counted":
            self.stream = honest(self.path, "rb", buffering=0)
            return self

        def __exit__(self, *_: object) -> None:
            self.stream.close()

        def read(self, size: int = 1 << 30) -> bytes:
            opened[self.path.name] = opened.get(self.path.name, 0) + size
            return self.stream.read(size)  # type: ignore[no-any-return]

    monkeypatch.setattr(Path, "open", lambda path, *_, **__: Counted(path))
    assert shown(discover((tmp_path / "in",))) == ["in/a.png"]
    assert len(opened) == 50  # a known name is not opened at all
    assert max(opened.values()) <= 512


def test_a_file_that_cannot_be_looked_into_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "in" / "odd", picture("PNG"))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert reasons(discover((tmp_path / "in",))) == {"in/odd": kinds.UNKNOWN}


@pytest.fixture(params=[("IM000001", "IM000002"), ("1.2.3.1", "1.2.3.2"), ("1", "2.dcm")])
def series(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path / "in" / "S1"
    for name in request.param:
        touch(folder / name, object_of(WHOLE_SLIDE))
    touch(folder / "DICOMDIR", object_of(DICOM_DIRECTORY))
    touch(folder / "notes.txt", b"notes")
    return folder


def only_case(found: Inputs) -> tuple[str, str, int]:
    (case,) = found.cases
    (file,) = case.files
    return case.case_id, file.kind, len(file.parts)


def test_a_series_without_extensions_is_one_case_by_folder_and_by_name(series: Path) -> None:
    names = sorted(path for path in series.iterdir() if path.name not in {"DICOMDIR", "notes.txt"})
    assert only_case(discover((series.parent,))) == ("S1", "slide", 2)
    for path in names:
        assert only_case(discover((path,)))[1:] == ("slide", 2)
    assert only_case(discover(tuple(names)))[1:] == ("slide", 2)
    assert only_case(discover((names[1], series)))[1:] == ("slide", 2)
    assert only_case(discover((series, names[1]))) == ("S1", "slide", 2)


def test_two_series_of_a_folder_stay_two(tmp_path: Path) -> None:
    for number, uid in enumerate(("1.2.3", "1.2.3", "1.2.4")):
        touch(tmp_path / "in" / f"IM{number}", object_of(WHOLE_SLIDE, uid))
    assert sorted(len(case.files[0].parts) for case in discover((tmp_path / "in",)).cases) == [1, 2]


def test_the_kind_of_a_dicom_file_is_read(tmp_path: Path) -> None:
    assert media_class(touch(tmp_path / "a", object_of(WHOLE_SLIDE))) == WHOLE_SLIDE
    assert media_class(touch(tmp_path / "b", dicom("1.2.3"))) == WHOLE_SLIDE  # from its data set
    assert media_class(touch(tmp_path / "c", bytes(128) + b"DICM\x02")) is None
    assert media_class(touch(tmp_path / "d", bytes(128) + b"DICM" + struct.pack("<H", 2))) is None


def test_a_mirax_folder_in_another_unicode_form_is_no_folder_of_pictures(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "e\u0301.mrxs")
    touch(tmp_path / "in" / "\u00e9" / "preview.png")
    assert shown(discover((tmp_path / "in",))) == ["in/e\u0301.mrxs"]


@pytest.mark.parametrize("name", ["a.svs", "a.ndpi", "a.scn", "a.czi"])
@pytest.mark.parametrize("file_format", PICTURES)
def test_a_picture_with_the_name_of_a_slide_is_a_field(
    tmp_path: Path, name: str, file_format: str
) -> None:
    touch(tmp_path / name, picture(file_format))
    (case,) = discover((tmp_path,)).cases
    assert open_source(case.files[0]).kind == "field"


def test_a_picture_with_the_name_of_dicom_is_a_field(tmp_path: Path) -> None:
    touch(tmp_path / "a.dcm", picture("PNG"))
    assert open_source(discover((tmp_path,)).cases[0].files[0]).kind == "field"


@pytest.mark.parametrize("suffix", [".jpg", ".PNG", ".bmp"])
def test_content_decides_in_a_whole_run(
    tmp_path: Path, model: Path, fake: FakeRuntime, suffix: str
) -> None:
    folder = tmp_path / "in"
    shutil.move(make_slide(folder / "s.svs"), folder / f"slide{suffix}")
    shutil.move(make_field(folder / "f.png"), folder / "field.svs")
    make_slide(folder / "honest.svs")
    write_generic_tiff(folder / f"flat{suffix}", draw_he(300, 300))
    found = results(run(options(model, tmp_path / "out", folder)))
    kinds_found = {name: result.files[0].kind for name, result in found.items()}
    assert kinds_found == {
        "slide": "slide", "field": "field", "honest": "slide", "flat": "field",
    }  # fmt: skip
    assert found["slide"].tissue_mm2 == found["honest"].tissue_mm2
    assert found["slide"].status is not CaseStatus.FAILED
    assert len(found["slide"].files[0].sha256) == 64
