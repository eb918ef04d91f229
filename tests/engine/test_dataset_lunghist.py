"""LungHist700: drawn archives of its layout become a data folder that knows its patients."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from lungscan.dataset.archive import unpack
from lungscan.dataset.group_table import read_groups
from lungscan.dataset.listing import read_listing
from lungscan.dataset.public_sets import LUNGHIST700
from lungscan.errors import UsageProblem
from lungscan.evaluation.labelled import load_material
from lungscan.evaluation.options import DataOptions
from tests.lunghist import HEAD, members, picture


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("make", [pack, lay])
def test_seven_kinds_become_our_three_classes_by_patient(tmp_path: Path, make: object) -> None:
    assert callable(make)
    done = unpack(make(tmp_path / "LungHist700.zip", members()), LUNGHIST700, tmp_path / "data")
    assert done.pictures == {
        "lunghist700/lung_aca": 6,
        "lunghist700/lung_n": 2,
        "lunghist700/lung_scc": 6,
    }
    assert done.ignored == 1  # the readme; the table became groups.csv
    folder = tmp_path / "data" / "lunghist700"
    rows = read_groups(folder / "groups.csv")
    assert len(rows) == 14
    row = rows["lung_scc/scc_md_40x_6.jpg"]
    assert (row.label, row.group, row.um_px) == ("lung_scc", "patient-6", 0.25)
    assert rows["lung_n/nor_20x_4.jpg"].um_px == 0.5
    listing = read_listing(folder)
    assert listing.groups is not None
    assert len(set(listing.groups)) == 7
    assert set(listing.um_px) == {0.25, 0.5}
    scales = {field.file: field.um_px for field in load_material(DataOptions(folder)).fields}
    assert scales["lung_scc/scc_md_40x_6.jpg"] == 0.25  # the judge knows it, too


def test_a_picture_that_the_table_does_not_name_is_no_part_of_the_data(tmp_path: Path) -> None:
    files = members()
    files["LungHist700/images/nor/nor_20x_99.jpg"] = picture(99)
    unpack(pack(tmp_path / "a.zip", files), LUNGHIST700, tmp_path / "data")
    listing = read_listing(tmp_path / "data" / "lunghist700")
    assert len(listing.names) == 14
    assert [item.name for item in listing.skipped] == ["lung_n/nor_20x_99.jpg"]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (
            {k: v for k, v in members().items() if not k.endswith("data.csv")},
            r"holds 0 tables data\.csv instead of one",
        ),
        (members() | {"again/data.csv": b"x"}, r"holds 2 tables data\.csv instead of one"),
        (members(HEAD.replace("patient_id", "person")), "has no column 'patient_id'"),
        (members(lines=()), "has no column 'superclass'"),
        (members(lines=("aca,bd,20x,77,1",)), "names none of the pictures"),
        (members("\xff".encode("latin-1").decode("latin-1")), "has no column"),
        (
            {k: v for k, v in members().items() if "scc" not in k},
            "holds no pictures for lunghist700/lung_scc",
        ),
    ],
)
def test_what_is_not_the_whole_set_leaves_nothing_behind(
    tmp_path: Path, files: dict[str, bytes], why: str
) -> None:
    with pytest.raises(UsageProblem, match=why):
        unpack(pack(tmp_path / "a.zip", files), LUNGHIST700, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    files = members() | {"LungHist700/data.csv": b"\xff\xfe\x00"}
    with pytest.raises(UsageProblem, match="is no table"):
        unpack(pack(tmp_path / "a.zip", files), LUNGHIST700, tmp_path / "data")


def test_a_link_in_a_folder_ends_it(tmp_path: Path) -> None:
    folder = lay(tmp_path / "LungHist700", members())
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"x")
    (folder / "LungHist700" / "images" / "nor" / "nor_20x_5.jpg").symlink_to(secret)
    with pytest.raises(UsageProblem, match="is a link or device"):
        unpack(folder, LUNGHIST700, tmp_path / "data")
    assert not (tmp_path / "data").exists()
