"""Slides of several files count as one: MIRAX, Hamamatsu, DICOM."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungscan.errors import MachineError
from lungscan.inputs import discover
from lungscan.inputs.dicom import DEFLATED, series_uid
from lungscan.inputs.parts import PartFinder

EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"


def element(group: int, number: int, vr: bytes, value: bytes, explicit: bool = True) -> bytes:
    value += b"\0" * (len(value) % 2)
    head = struct.pack("<HH", group, number)
    if not explicit:
        return head + struct.pack("<I", len(value)) + value
    if vr in {b"SQ", b"OB"}:
        return head + vr + struct.pack("<HI", 0, len(value)) + value
    return head + vr + struct.pack("<H", len(value)) + value


def endless_sequence(explicit: bool) -> bytes:
    """A sequence in a sequence, both of undefined length, with a false series inside."""
    open_ended = b"SQ\0\0\xff\xff\xff\xff" if explicit else b"\xff\xff\xff\xff"
    item, item_end = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\x0d\xe0\0\0\0\0"
    end = b"\xfe\xff\xdd\xe0\0\0\0\0"
    false = element(0x20, 0xE, b"UI", b"9.9.9", explicit)
    inner = struct.pack("<HH", 8, 0x1140) + open_ended + item + false + item_end + end
    return struct.pack("<HH", 8, 0x1111) + open_ended + item + inner + item_end + end


def dicom(uid: str, syntax: str = EXPLICIT, prefix: bytes = b"", study: str = "1.1") -> bytes:
    explicit = syntax != IMPLICIT
    meta = element(2, 1, b"OB", b"\0\1") + element(2, 0x10, b"UI", syntax.encode())
    body = element(8, 0x16, b"UI", b"1.2.840.10008.5.1.4.1.1.77.1.6", explicit) + prefix
    body += element(0x20, 0xD, b"UI", study.encode(), explicit)
    body += element(0x20, 0xE, b"UI", uid.encode(), explicit)
    return bytes(128) + b"DICM" + meta + body + element(0x28, 2, b"US", b"\3\0", explicit)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("nested", [True, False])
def test_series_is_found_in_both_encodings(tmp_path: Path, syntax: str, nested: bool) -> None:
    prefix = endless_sequence(syntax != IMPLICIT) if nested else b""
    (tmp_path / "a.dcm").write_bytes(dicom("1.2.3", syntax, prefix))
    assert series_uid(tmp_path / "a.dcm") == "1.1/1.2.3"


def test_two_studies_that_share_the_uid_of_a_series_are_two_cases(tmp_path: Path) -> None:
    for name, study in (("a", "1.1"), ("b", "1.1"), ("c", "1.7"), ("d", "1.7")):
        (tmp_path / f"{name}.dcm").write_bytes(dicom("1.2.3", study=study))
    cases = discover((tmp_path,)).cases
    parts = [[part.name for part in case.files[0].parts] for case in cases]
    assert parts == [["a.dcm", "b.dcm"], ["c.dcm", "d.dcm"]]
    (tmp_path / "e.dcm").write_bytes(dicom("1.2.3", study=""))
    assert series_uid(tmp_path / "e.dcm") == "1.2.3"


def test_levels_of_a_slide_are_one_slide_whatever_patient_they_name(tmp_path: Path) -> None:
    """OpenSlide opens all of a series: each half of it would have counted as a slide of its own."""
    for name, patient in (("a", b"17"), ("b", b"ANONYMOUS"), ("c", b"")):
        path = tmp_path / f"{name}.dcm"
        path.write_bytes(dicom("1.2.3", prefix=element(0x10, 0x20, b"LO", patient)))
        assert series_uid(path) == "1.1/1.2.3"
    (case,) = discover((tmp_path,)).cases
    assert len(case.files[0].parts) == 3


@given(st.binary(max_size=200), st.integers(0, 300))
def test_damaged_dicom_never_raises(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.dcm"
    whole = dicom("1.2.3", prefix=endless_sequence(True))
    path.write_bytes(whole[:132] + noise)
    series_uid(path)
    path.write_bytes(whole[:cut] + noise)
    series_uid(path)


def test_endless_nesting_and_what_is_no_dicom_are_given_up(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    level = struct.pack("<HH", 8, 0x1111) + b"SQ\0\0\xff\xff\xff\xff"
    level += b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    path.write_bytes(dicom("1", prefix=level * 3000))
    assert series_uid(path) is None
    path.write_bytes(dicom("1", BIG))  # which it is not
    assert series_uid(path) is None
    path.write_bytes(dicom("1", DEFLATED))
    assert series_uid(path) is None
    path.write_bytes(b"not DICOM at all")
    assert series_uid(path) is None


ITEM, ITEM_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0\0\0\0\0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
ENDLESS = b"\xff\xff\xff\xff"


def source_images(count: int, explicit: bool) -> bytes:
    """(0008,2112) as a reformatted series has it: the images that it was made from."""
    references = element(8, 0x1150, b"UI", b"1.2.840.10008.5.1.4.1.1.2", explicit)
    references += element(8, 0x1155, b"UI", b"1.2.826.0.1.3680043.8.498." + b"7" * 30, explicit)
    items = (ITEM + ENDLESS + references + ITEM_END) * count
    return struct.pack("<HH", 8, 0x2112) + b"SQ\0\0" * explicit + ENDLESS + items + SEQUENCE_END


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_series_is_found_however_much_stands_before_it(tmp_path: Path, syntax: str) -> None:
    explicit = syntax != IMPLICIT
    long = struct.pack("<HH", 9, 0x1001) + b"OB\0\0" * explicit + struct.pack("<I", 1 << 20)
    path = tmp_path / "a.dcm"
    prefix = source_images(5000, explicit) + long + bytes(1 << 20)
    path.write_bytes(dicom("1.2.3", syntax, prefix))
    assert series_uid(path) == "1.1/1.2.3"


def test_what_is_unknown_and_without_a_length_is_implicit_inside(tmp_path: Path) -> None:
    """PS3.5 6.2.2: an anonymiser that did not know a private sequence writes it back so."""
    inner = ITEM + ENDLESS + element(9, 0x1002, b"LO", b"abcd", explicit=False) + ITEM_END
    nested = struct.pack("<HH", 9, 0x1003) + ENDLESS + inner + SEQUENCE_END
    item = ITEM + ENDLESS + element(9, 0x1002, b"LO", b"abcd", explicit=False) + nested + ITEM_END
    unknown = struct.pack("<HH", 9, 0x1001) + b"UN\0\0" + ENDLESS + item + SEQUENCE_END
    (tmp_path / "a.dcm").write_bytes(dicom("1.2.3", prefix=unknown))
    assert series_uid(tmp_path / "a.dcm") == "1.1/1.2.3"
    after = element(9, 0x1004, b"LO", b"explicit again")
    (tmp_path / "b.dcm").write_bytes(dicom("1.2.4", prefix=unknown + after))
    assert series_uid(tmp_path / "b.dcm") == "1.1/1.2.4"


def test_a_file_of_elements_without_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(dicom("1.2.3", prefix=source_images(1000, explicit=True)))
    monkeypatch.setattr("lungscan.inputs.dicom._MOST_HEADERS", 3990)
    assert series_uid(path) is None
    monkeypatch.setattr("lungscan.inputs.dicom._MOST_HEADERS", 4010)
    assert series_uid(path) == "1.1/1.2.3"


def test_a_uid_that_is_cut_short_or_endless_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    whole = dicom("1.2.840.113619.2.55")
    path.write_bytes(whole[: whole.index(b"2.55")])  # half of a UID may be that of another series
    assert series_uid(path) is None
    head = dicom("1", IMPLICIT)
    head = head[: head.index(b"\x20\0\x0e\0")]
    for length in (0xFFFFFFF0, 1 << 20, 300):
        path.write_bytes(head + struct.pack("<HHI", 0x20, 0xE, length) + b"1" * (1 << 20))
        assert series_uid(path) is None


def test_dicom_series_is_one_case(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "S1"
    folder.mkdir(parents=True)
    for i in (10, 1, 2):
        (folder / f"{i}.dcm").write_bytes(dicom("1.2.3"))
    (folder / "other.dcm").write_bytes(dicom("1.2.4"))
    (folder / "odd.dcm").write_bytes(b"odd")
    series, odd, other = discover((tmp_path / "in",)).cases
    assert [p.name for p in series.files[0].parts] == ["1.dcm", "2.dcm", "10.dcm"]
    assert series.case_id == "S1"
    assert (odd.files[0].path.name, other.files[0].path.name) == ("odd.dcm", "other.dcm")
    named = discover((folder / "2.dcm", folder / "1.dcm"))
    assert len(named.cases) == 1
    assert named.cases[0].files[0].parts == series.files[0].parts


def test_mirax_folder_belongs_to_its_slide(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    for name in ("m.mrxs", "m/Data0000.dat", "m/Slidedat.ini", "m/preview.png"):
        (tmp_path / name).write_bytes(b"x")
    found = discover((tmp_path,))
    assert [case.case_id for case in found.cases] == ["m"]
    assert {part.name for part in found.cases[0].files[0].parts} == {
        "m.mrxs", "Data0000.dat", "Slidedat.ini", "preview.png",
    }  # fmt: skip
    assert found.skipped == ()


@pytest.mark.parametrize("named", [False, True])
def test_a_mirax_folder_without_its_slide_is_no_folder_of_pictures(
    tmp_path: Path, named: bool
) -> None:
    (tmp_path / "in" / "m").mkdir(parents=True)
    for name in ("Data0000.dat", "Slidedat.ini"):
        (tmp_path / "in" / "m" / name).write_bytes(
            b"\xff\xd8\xff\xe0 a picture, by its first bytes"
        )
    found = discover((tmp_path / "in" / "m" if named else tmp_path / "in",))
    assert found.cases == ()
    assert [skipped.reason for skipped in found.skipped] == [
        "data of a MIRAX slide, whose .mrxs file is missing or has another name"
    ]


def test_hamamatsu_companions_are_no_cases(tmp_path: Path) -> None:
    index = "[Virtual Microscope Specimen]\nImageFile=a_0.jpg\nMapFile=a_map.jpg\nX=../o.jpg\n"
    (tmp_path / "slide.vms").write_text(index)
    for name in ("a_0.jpg", "a_map.jpg", "photo.jpg"):
        (tmp_path / name).write_bytes(b"x")
    cases = discover((tmp_path,)).cases
    assert [case.case_id for case in cases] == ["photo", "slide"]
    assert [p.name for p in cases[1].files[0].parts] == ["slide.vms", "a_0.jpg", "a_map.jpg"]
    # A shell's *.jpg *.vms names the companions first.
    every = sorted(tmp_path.iterdir())
    assert [case.case_id for case in discover(tuple(every)).cases] == ["photo", "slide"]


SEVERAL = {
    "MIRAX": {"m.mrxs": b"x", "m/Slidedat.ini": b"x", "m/Data0000.dat": b"x"},
    "Hamamatsu": {"m.vms": b"ImageFile=a.jpg\nMapFile=b.jpg\n", "a.jpg": b"x", "b.jpg": b"x"},
    "DICOM": {name: dicom("1.2.3") for name in ("1.dcm", "2.dcm", "3.dcm")},
}


@pytest.mark.parametrize("slide", SEVERAL)
def test_a_part_that_vanishes_during_the_search_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slide: str
) -> None:
    for name, data in SEVERAL[slide].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "z.png").write_bytes(b"x")
    honest, gone = PartFinder.parts_of, tmp_path / list(SEVERAL[slide])[-1]

    def found(self: PartFinder, path: Path) -> tuple[Path, ...]:
        parts = honest(self, path)
        if gone in parts:
            gone.unlink(missing_ok=True)
        return parts

    monkeypatch.setattr(PartFinder, "parts_of", found)
    files = [case.files[0] for case in discover((tmp_path,)).cases]
    (whole,) = [file for file in files if file.parts]
    parts = {part.relative_to(tmp_path).as_posix() for part in whole.parts}
    assert parts == set(list(SEVERAL[slide])[:-1])
    assert all(whole.stamps)
    # What was found as an image of its own before has its row, which will say that it is gone.
    others = {file.path.name for file in files} - {whole.path.name, "z.png"}
    assert others == ({gone.name} if slide != "MIRAX" else set())


def test_a_part_that_the_disk_withholds_stays_and_another_error_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m").mkdir()
    for name in ("m.mrxs", "m/Data0000.dat"):
        (tmp_path / name).write_bytes(b"x")
    honest = Path.stat

    def away(self: Path, **more: bool) -> object:
        if self.name == "Data0000.dat":
            raise OSError(5, "Input/output error", str(self))
        return honest(self, **more)

    found = PartFinder().parts_of(tmp_path / "m.mrxs")
    monkeypatch.setattr(PartFinder, "parts_of", lambda *_: found)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", away)
        (case,) = discover((tmp_path,)).cases
    assert [part.name for part in case.files[0].parts] == ["m.mrxs", "Data0000.dat"]

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error", str(tmp_path / "m.mrxs"))

    monkeypatch.setattr(PartFinder, "parts_of", broken)
    with pytest.raises(MachineError, match=r"m\.mrxs \(Input/output error\)\. Check the drive"):
        discover((tmp_path,))
