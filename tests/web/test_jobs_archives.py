"""Archives of strangers: what comes out is counted, and nothing comes out elsewhere."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lungscan.inputs import discover
from lungscan_web.jobs.intake import Intake
from lungscan_web.jobs.limits import BadArchive, Limits, NotHere, TooLarge
from lungscan_web.jobs.safe_names import LONGEST_BYTES, file_name
from lungscan_web.jobs.unzipping import BOMB_FROM, is_archive, unpack


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = 8) -> bytes:
    """An archive of these."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def info(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    """A member with a mode of its own, and a name that zipfile leaves as it is."""
    found = zipfile.ZipInfo("x")
    found.filename = name
    found.external_attr = mode << 16
    return found


class Case:
    """Unpacks below a folder that is watched."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._count = folder, 0

    def unpack(self, data: bytes, members: int = 20, room: int = 1 << 20) -> list[str]:
        """What lies in the folder afterwards."""
        self._count += 1
        path = self.folder / f"in-{self._count}" / "a.zip"
        path.parent.mkdir()
        path.write_bytes(data)
        into = path.parent / "a.unpacked"
        total = unpack(path, into, members=members, room=room, check=lambda: None)
        found = [p for p in into.rglob("*") if p.is_file()]
        assert total == sum(p.stat().st_size for p in found)
        return sorted(p.relative_to(into).as_posix() for p in found)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_an_honest_archive_is_unpacked_with_its_folders(case: Case) -> None:
    data = zipped(("series/1.dcm", b"1"), ("series/b/2.dcm", b"22"), ("__MACOSX/._1", b"x"))
    assert case.unpack(data) == ["series/1.dcm", "series/b/2.dcm"]
    assert (case.folder / "in-1/a.unpacked/series/b/2.dcm").read_bytes() == b"22"


OUTSIDE = [
    "../x",
    "a/../../x",
    "/etc/x",
    "\\\\host\\x",
    "..\\x",
    "C:\\x",
    "c:x",
    "a/..",
    "x\0/../y",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_out_is_refused(case: Case, name: str) -> None:
    with pytest.raises(BadArchive, match="leads out of its folder"):
        case.unpack(zipped(("good.png", b"x"), (info(name), b"x")))
    assert not list(case.folder.rglob("x"))


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o020644, 0o060644, 0o140644])
def test_links_and_devices_are_refused(case: Case, mode: int) -> None:
    with pytest.raises(BadArchive, match="link or a device"):
        case.unpack(zipped((info("x", mode), b"/etc/passwd")))


def test_a_bomb_is_refused_by_what_comes_out(case: Case) -> None:
    with pytest.raises(TooLarge, match="unpacks to more"):
        case.unpack(zipped(("zeros", bytes(3 << 20))), room=1 << 20)
    with pytest.raises(TooLarge, match="unpacks to more"):  # together, each below the limit
        case.unpack(zipped(*((f"{n}", bytes(300_000)) for n in range(5))), room=1 << 20)


def test_a_bomb_is_refused_by_its_ratio(case: Case) -> None:
    data = zipped(("zeros", bytes(BOMB_FROM + (1 << 20))))
    with pytest.raises(TooLarge, match="unpacks to more"):
        case.unpack(data, room=1 << 40)


def test_sizes_that_an_archive_states_are_not_believed(case: Case) -> None:
    data = bytearray(zipped(("zeros", bytes(3 << 20))))
    small = struct.pack("<L", 5)
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.rfind(signature)
        data[start + at : start + at + 4] = small
    with pytest.raises((TooLarge, BadArchive)):
        case.unpack(bytes(data), room=1 << 20)
    out = case.folder / "in-1/a.unpacked"
    assert sum(p.stat().st_size for p in out.rglob("*") if p.is_file()) <= 1 << 20


def test_more_members_than_allowed_are_refused(case: Case) -> None:
    many = zipped(*((f"{n}", b"") for n in range(21)))
    with pytest.raises(TooLarge, match="more than 20 files"):
        case.unpack(many)


def test_a_list_too_long_to_read_is_refused_before_it_is_read(case: Case) -> None:
    many = zipped(*(("n" * 200 + f"{n}", b"") for n in range(60)))
    with pytest.raises(TooLarge, match="lists more than 20 files"):
        case.unpack(many)


def test_a_mark_that_zipfile_does_not_heed_hides_no_long_list(case: Case) -> None:
    last = info("last")
    last.comment = b"PK\x06\x06" + bytes(60)  # as the end of an archive with larger numbers begins
    many = zipped(*(("n" * 200 + f"{n}", b"") for n in range(60)), (last, b""))
    with pytest.raises(TooLarge, match="lists more than 20 files"):
        case.unpack(many)


def test_the_list_of_an_archive_with_larger_numbers_is_bounded_too(case: Case) -> None:
    assert case.unpack(zip64(zipped(("a", b"x")))) == ["a"]
    with pytest.raises(TooLarge, match="lists more than 20 files"):
        case.unpack(zip64(zipped(*(("n" * 200 + f"{n}", b"") for n in range(60)))))


def zip64(data: bytes) -> bytes:
    """The archive, with its length of the list where large archives have it."""
    count, size, start = struct.unpack("<HLL", data[-12:-2])
    end = len(data) - 22
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    old = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:end] + record + locator + old


Damage = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-30] + data[-22:],
        lambda data: data.replace(b"\x08\x00", b"\x0c\x00"),  # bzip2 it says
        lambda data: b"PK\x03\x04",
        lambda data: data[:40] + bytes(20) + data[60:],
    ],
)
def test_damaged_archives_are_refused_in_words(case: Case, damage: Damage) -> None:
    data = zipped(("a.png", bytes(range(256)) * 8))
    with pytest.raises(BadArchive, match="ZIP archive"):
        case.unpack(damage(data))


def test_encrypted_empty_deep_and_doubled_archives_are_refused(case: Case) -> None:
    locked = bytearray(zipped(("a", b"x")))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.find(signature) + at] |= 1
    refused = [
        (bytes(locked), "encrypted"),
        (zipped(), "holds no files"),
        (zipped(("a/" * 20 + "x", b"")), "deep"),
        (zipped((info("A"), b"1"), (info("a"), b"2")), "two files of one name"),
        (zipped(("a", b"x"), method=zipfile.ZIP_LZMA), "rare way"),
    ]
    for data, words in refused:
        with pytest.raises(BadArchive, match=words):
            case.unpack(data)


def test_unpacking_stops_when_nobody_wants_it(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(("a", bytes(1000))))

    def gone() -> None:
        raise NotHere("gone")

    with pytest.raises(NotHere):
        unpack(tmp_path / "a.zip", tmp_path / "out", members=5, room=10_000, check=gone)


def test_an_archive_is_told_by_its_bytes(tmp_path: Path) -> None:
    for name, data, is_one in (("x.png", zipped(("a", b"")), True), ("x.zip", b"hello", False)):
        (tmp_path / name).write_bytes(data)
        assert is_archive(tmp_path / name) is is_one


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("slide 1.svs", "slide 1.svs"),
        ("Größe-切片.tif", "Größe-切片.tif"),
        ("../../etc/passwd", "passwd"),
        ("C:\\fakepath\\a.png", "a.png"),
        ("/", "unnamed"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("a\r\nSet-Cookie: x.png", "aSet-Cookie_ x.png"),
        ("a\x00b.png", "ab.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\ud800x.png", "x.png"),
        ("NUL.png", "_NUL.png"),
        ("x. .", "x"),
        ("<img src=x>.png", "_img src=x_.png"),
    ],
)
def test_a_name_becomes_one_that_lies_in_its_folder(given: str, kept: str) -> None:
    assert file_name(given) == kept


def test_a_long_name_keeps_its_suffix_and_whole_characters() -> None:
    name = file_name("é" * 300 + ".svs")
    assert name.endswith("é.svs")
    assert len(name.encode()) <= LONGEST_BYTES


def test_dicom_files_given_one_by_one_come_together(tmp_path: Path) -> None:
    intake = Intake(tmp_path, Limits(free_bytes=1))
    dicom = bytes(128) + b"DICM"
    for name, data in (
        ("1.dcm", dicom + b"a"), ("field.png", b"picture"), ("1.dcm", dicom + b"b"),
        ("2", dicom + b"c"), ("fake.dcm", b"no DICOM"),
    ):  # fmt: skip
        intake.begin(name)
        intake.write(data)
    intake.unpack()
    together, field, fake = intake.paths
    assert (field.name, fake.name) == ("field.png", "fake.dcm")
    found = {path.name: path.read_bytes()[-1:] for path in together.iterdir()}
    assert found == {"1.dcm": b"a", "2-1.dcm": b"b", "2": b"c"}
    assert intake.names == ["1.dcm", "field.png", "1.dcm", "2", "fake.dcm"]


def test_what_is_no_image_in_a_dropped_folder_is_skipped_and_has_not_failed(tmp_path: Path) -> None:
    jpeg = b"\xff\xd8\xff picture"
    names = ("cd/a.jpg", "cd/notes.docx", "cd/autorun.inf", "b.jpg", "letter.docx")
    intake = given(tmp_path, *((name, jpeg if name.endswith("jpg") else b"MZ") for name in names))
    intake.unpack()
    found = discover(tuple(intake.paths))
    assert {case.case_id for case in found.cases} == {"a", "b", "letter"}  # the last one will fail
    assert {file.relative_path for file in found.skipped} == {"cd/notes.docx", "cd/autorun.inf"}


def test_dicom_files_of_a_dropped_folder_bear_its_name(tmp_path: Path) -> None:
    dicom = bytes(128) + b"DICM"
    names = (
        "kim/CT/1",
        "kim/CT/2",
        "lee/CT/1",
        "lee/CT/2",
        "lee/1/a",
        "..\\2\\b",
        "c",
        "0001/a",
        "0001/b",
    )
    intake = given(tmp_path, *((name, dicom) for name in names))
    intake.unpack()
    found = {path.name: sorted(each.name for each in path.iterdir()) for path in intake.paths}
    assert found == {
        "CT": ["1", "2"], "2-CT": ["1", "2"], "DICOM": ["a", "b", "c"], "4-0001": ["a", "b"],
    }  # fmt: skip


def test_no_dicom_file_takes_another_one_s_place(tmp_path: Path) -> None:
    intake = Intake(tmp_path, Limits(free_bytes=1))
    for number, name in enumerate(("a.dcm", "3-a.dcm", "a.dcm", "4-a.dcm", "4-a.dcm")):
        intake.begin(name)
        intake.write(bytes(128) + b"DICM" + bytes([number]))
    intake.unpack()
    (folder,) = intake.paths
    assert {path.name: path.read_bytes()[-1] for path in folder.iterdir()} == {
        "a.dcm": 0, "3-a.dcm": 1, "4-a.dcm": 2, "4-4-a.dcm": 3, "5-4-a.dcm": 4,
    }  # fmt: skip


def test_a_single_dicom_file_stays_where_it_is(tmp_path: Path) -> None:
    intake = Intake(tmp_path, Limits(free_bytes=1))
    intake.begin("1.dcm")
    intake.write(bytes(128) + b"DICM")
    intake.unpack()
    (path,) = intake.paths
    assert path.parent.name == "0001"


def given(folder: Path, *files: tuple[str, bytes]) -> Intake:
    """What is taken at once, with room for a megabyte."""
    intake = Intake(folder, Limits(free_bytes=1, upload_bytes=1 << 20))
    for name, content in files:
        intake.begin(name)
        intake.write(content)
    return intake


def test_of_many_files_the_archive_that_is_too_large_is_named(tmp_path: Path) -> None:
    data = zipped(("zeros", bytes(3 << 20)))
    intake = given(tmp_path, ("field.png", b"picture"), ("series b.zip", data))
    with pytest.raises(TooLarge, match=r"^series b\.zip: The ZIP archive"):
        intake.unpack()


def test_an_archive_that_is_damaged_costs_the_other_files_nothing(tmp_path: Path) -> None:
    whole = zipped(("a/1.png", b"1"))
    intake = given(tmp_path, ("b.zip", b"PK\3\4garbage"), ("x.png", b"x"), ("a.zip", whole))
    intake.unpack()
    assert [path.name for path in intake.paths] == ["x.png", "a"]
    ((name, why),) = intake.refused
    assert (name, why[:26]) == ("b.zip", "The ZIP archive is damaged")


def test_what_came_out_of_a_damaged_archive_is_gone_and_counts(tmp_path: Path) -> None:
    packed = zipped(("zeros", bytes(700_000)), ("last", b"y" * 900))
    broken = bytearray(packed)
    broken[packed.rfind(b"PK\3\4") + 14] ^= 1
    broken[packed.rfind(b"PK\1\2") + 16] ^= 1  # checksums, here and in the list
    intake = given(tmp_path, ("x.png", b"x"), ("b.zip", bytes(broken)))
    intake.unpack()
    assert len(intake.refused) == 1
    assert [path.name for path in intake.folder.rglob("*") if path.is_file()] == ["x.png"]
    assert intake.bytes > 700_000


def test_nothing_but_damaged_archives_is_refused(tmp_path: Path) -> None:
    intake = given(tmp_path, ("a.zip", b"PK\3\4"), ("b.zip", b"PK\3\4"))
    with pytest.raises(BadArchive, match=r"^a\.zip: The ZIP .* b\.zip: The ZIP"):
        intake.unpack()


@pytest.mark.parametrize("name", ["letter.docx", "table.XLSX", "talk.odp"])
def test_a_document_is_no_archive(tmp_path: Path, name: str) -> None:
    intake = given(tmp_path, (name, zipped(("word/document.xml", b"<w/>"))))
    intake.unpack()
    assert [path.name for path in intake.paths] == [name]


@pytest.mark.parametrize(
    ("name", "folder"),
    [("study.zip", "study"), ("1.2.840", "1.2"), ("study", "study.unpacked"), ("..zip", "unnamed")],
)
def test_an_archive_s_folder_bears_its_name(tmp_path: Path, name: str, folder: str) -> None:
    intake = given(tmp_path, (name, zipped(("1.png", b"1"))))
    intake.unpack()
    assert [path.name for path in intake.paths] == [folder]
