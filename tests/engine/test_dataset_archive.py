"""Archives from outside: laid out when they are what they should be, refused whole when not."""

from __future__ import annotations

import stat
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from lungscan.dataset.archive import sha256_of_archive, unpack
from lungscan.dataset.public_sets import IQ_OTH_NCCD, LC25000, SOURCES
from lungscan.errors import MachineError, UsageProblem

TOP = "lung_colon_image_set"
KINDS = ("lung_aca", "lung_n", "lung_scc", "colon_aca", "colon_n")
MEMBERS = {
    f"{TOP}/{kind.split('_')[0]}_image_sets/{kind}/{kind.replace('_', '')}{number}.jpeg": (
        b"picture %d" % number
    )
    for kind in KINDS
    for number in (1, 2)
}


def pack(path: Path, members: dict[str, bytes], more: tuple[zipfile.ZipInfo, ...] = ()) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        for info in more:
            archive.writestr(info, b"target")
    return path


def test_lung_and_colon_become_two_data_folders(tmp_path: Path) -> None:
    extra = {f"{TOP}/readme.txt": b"x", "__MACOSX/lung_aca/._a.jpeg": b"x", "other/b.jpeg": b"x"}
    archive = pack(tmp_path / "a.zip", MEMBERS | extra)
    done = unpack(archive, LC25000, tmp_path / "data")
    assert done.pictures == {
        "lc25000-colon/colon_aca": 2,
        "lc25000-colon/colon_n": 2,
        "lc25000-lung/lung_aca": 2,
        "lc25000-lung/lung_n": 2,
        "lc25000-lung/lung_scc": 2,
    }
    assert done.ignored == 3
    laid = tmp_path / "data" / "lc25000-lung" / "lung_scc" / "lungscc2.jpeg"
    assert laid.read_bytes() == b"picture 2"
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == [
        "lc25000-colon",
        "lc25000-lung",
    ]


def test_the_three_folders_of_the_ct_set_get_plain_names(tmp_path: Path) -> None:
    top = "The IQ-OTHNCCD lung cancer dataset"
    names = ("Bengin cases/Bengin case (1).jpg", "Malignant cases/m.jpg", "Normal cases/n.jpg")
    archive = pack(tmp_path / "a.zip", {f"{top}/{name}": b"x" for name in names})
    done = unpack(archive, IQ_OTH_NCCD, tmp_path)
    assert list(done.pictures) == [f"iq-oth-nccd/{c}" for c in ("benign", "malignant", "normal")]
    assert (tmp_path / "iq-oth-nccd" / "benign" / "Bengin case (1).jpg").is_file()


@pytest.mark.parametrize(
    "name",
    [
        "../lung_aca/x.jpeg",
        "/lung_aca/x.jpeg",
        "C:/lung_aca/x.jpeg",
        "a/../../lung_aca/x.jpeg",
        "..\\lung_aca\\x.jpeg",
    ],
)
def test_a_path_that_leads_out_ends_it(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / "a.zip", MEMBERS | {name: b"x"})
    with pytest.raises(UsageProblem, match="leads out of its folder"):
        unpack(archive, LC25000, tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_link_ends_it(tmp_path: Path) -> None:
    link = zipfile.ZipInfo(f"{TOP}/lung_aca/link.jpeg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = pack(tmp_path / "a.zip", MEMBERS, (link,))
    with pytest.raises(UsageProblem, match="is a link or device"):
        unpack(archive, LC25000, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_more_than_a_data_set_holds_ends_it(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", MEMBERS)
    with pytest.raises(UsageProblem, match="unpacks to more than lc25000 can be"):
        unpack(archive, replace(LC25000, most_bytes=50), tmp_path / "data")


def test_a_picture_of_absurd_size_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungscan.dataset.archive.MOST_PICTURE_BYTES", 8)
    archive = pack(tmp_path / "a.zip", MEMBERS)
    with pytest.raises(UsageProblem, match="more than a picture holds"):
        unpack(archive, LC25000, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_damaged_member_leaves_nothing_behind(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", MEMBERS)
    data = archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        info = opened.infolist()[7]
    at = info.header_offset + 30 + len(info.filename) + 4
    archive.write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
    with pytest.raises(UsageProblem, match="download it again"):
        unpack(archive, LC25000, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_what_a_killed_process_left_goes_before_the_room_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stayed, hidden, as large as the data set, and the next start had no room beside it."""
    left = tmp_path / "data" / ".lungscan-unpacking" / "data"
    left.mkdir(parents=True)
    free = lambda _: SimpleNamespace(free=3 if left.exists() else 1 << 40)  # noqa: E731
    monkeypatch.setattr("lungscan.dataset.archive.shutil.disk_usage", free)
    unpack(pack(tmp_path / "a.zip", MEMBERS), LC25000, tmp_path / "data")
    names = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert names == ["lc25000-colon", "lc25000-lung"]


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    some = {name: data for name, data in MEMBERS.items() if "lung_scc" not in name}
    with pytest.raises(UsageProblem, match="holds no pictures for lc25000-lung/lung_scc"):
        unpack(pack(tmp_path / "a.zip", some), LC25000, tmp_path / "data")
    (tmp_path / "b.zip").write_bytes(b"no archive")
    with pytest.raises(UsageProblem, match="is no ZIP archive or is damaged"):
        unpack(tmp_path / "b.zip", LC25000, tmp_path / "data")


def test_one_name_in_two_folders_of_a_class_is_refused(tmp_path: Path) -> None:
    twice = MEMBERS | {"again/lung_aca/lungaca1.jpeg": b"other"}
    with pytest.raises(UsageProblem, match=r"holds lc25000-lung/lung_aca/lungaca1\.jpeg twice"):
        unpack(pack(tmp_path / "a.zip", twice), LC25000, tmp_path / "data")


def test_existing_folders_are_never_touched(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", MEMBERS)
    (tmp_path / "lc25000-colon").mkdir()
    with pytest.raises(UsageProblem, match="exists already"):
        unpack(archive, LC25000, tmp_path)
    assert not (tmp_path / "lc25000-lung").exists()


def test_a_full_disk_is_seen_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(tmp_path / "a.zip", MEMBERS)
    full = type("Usage", (), {"free": 3})
    monkeypatch.setattr("lungscan.dataset.archive.shutil.disk_usage", lambda _: full)
    with pytest.raises(MachineError, match="Unpacking needs"):
        unpack(archive, LC25000, tmp_path / "data")


def test_the_checksum_is_of_the_whole_file(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", MEMBERS)
    assert sha256_of_archive(archive) == sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(UsageProblem, match="cannot be read"):
        sha256_of_archive(tmp_path / "none.zip")


def test_each_source_says_all_that_a_reader_needs() -> None:
    assert set(SOURCES) == {"lc25000", "iq-oth-nccd", "lunghist700"}
    for name, source in SOURCES.items():
        assert source.name == name
        assert all(page.startswith("https://") for page in source.where)
        assert source.licence
        assert source.citation
        assert source.size
