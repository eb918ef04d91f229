"""Data folders: what counts as a picture of a class, what is skipped, what is refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lungscan.dataset.listing import every_picture, read_listing
from lungscan.dataset.samples import data_hash
from lungscan.errors import UsageProblem

HEADER = "file,label,group\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes with two pictures each."""
    root = tmp_path / "data"
    for label, shade in (("benign", 200), ("tumour", 90)):
        (root / label).mkdir(parents=True)
        for number in range(2):
            picture = Image.new("RGB", (20 + number, 16), (shade, number, 0))
            picture.save(root / label / f"{number}.png")
    return root


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plain_folder_of_classes_needs_no_table(folder: Path) -> None:
    listing = read_listing(folder)
    assert listing.names == ("benign/0.png", "benign/1.png", "tumour/0.png", "tumour/1.png")
    assert listing.class_names == ("benign", "tumour")
    assert listing.labels.tolist() == [0, 0, 1, 1]
    assert listing.groups is None
    assert listing.sizes == ((20, 16), (21, 16)) * 2
    assert listing.digests is not None
    assert listing.digests[0] == sha256((folder / "benign/0.png").read_bytes()).hexdigest()
    assert listing.skipped == ()


def test_pictures_below_a_class_belong_to_it(folder: Path) -> None:
    (folder / "tumour" / "patient 1").mkdir()
    (folder / "tumour" / "0.png").rename(folder / "tumour" / "patient 1" / "0.png")
    listing = read_listing(folder)
    assert "tumour/patient 1/0.png" in listing.names
    assert listing.labels.tolist() == [0, 0, 1, 1]


def test_what_is_no_picture_is_skipped_with_the_reason(folder: Path) -> None:
    (folder / "tumour" / "cut.png").write_bytes((folder / "tumour" / "0.png").read_bytes()[:60])
    (folder / "tumour" / "text.jpg").write_bytes(b"hello")
    (folder / "tumour" / "notes.txt").write_bytes(b"hello")
    (folder / "tumour" / "scan.svs").write_bytes(b"hello")
    (folder / "tumour" / "new\nline.png").write_bytes((folder / "tumour" / "0.png").read_bytes())
    (folder / "readme.md").write_bytes(b"hello")
    listing = read_listing(folder)
    assert len(listing.names) == 4
    expected = {item.name: (item.reason, item.broken) for item in listing.skipped}
    assert expected["tumour/cut.png"][1]
    assert expected["tumour/text.jpg"][0].startswith("is not an image LungScan reads")
    assert expected["tumour/notes.txt"] == ("not an image format LungScan reads", False)
    assert expected["tumour/scan.svs"] == ("is a whole slide; training takes field images", False)
    assert expected["readme.md"] == ("lies in no class folder", False)
    assert "tumour/new\\u000aline.png" in expected
    assert len(expected) == 6


def test_an_empty_picture_is_a_broken_one_and_not_a_stray_file(folder: Path) -> None:
    (folder / "tumour" / "2.png").write_bytes(b"")
    (skipped,) = read_listing(folder).skipped
    assert (skipped.name, skipped.broken) == ("tumour/2.png", True)
    assert skipped.reason == "is empty; copy it again from its source."  # not "save it as JPEG"


@pytest.mark.parametrize("other", ["Tumour", "tumour ", "TUMOUR_"])
def test_one_class_spelled_two_ways_is_refused(folder: Path, other: str) -> None:
    table = "benign/0.png,benign,1\ntumour/0.png,tumour,2\ntumour/1.png," + other.strip() + ",3\n"
    (folder / other).mkdir()
    (folder / "tumour" / "1.png").rename(folder / other / "1.png")
    with pytest.raises(UsageProblem, match="differ in their spelling alone"):
        read_listing(folder)
    if other == "Tumour":
        (folder / other / "1.png").rename(folder / "tumour" / "1.png")
        (folder / other).rmdir()
        write(folder / "groups.csv", HEADER + table)
        with pytest.raises(UsageProblem, match="the classes Tumour and tumour"):
            read_listing(folder)


def test_unchecked_listings_open_nothing(folder: Path) -> None:
    (folder / "tumour" / "text.jpg").write_bytes(b"hello")
    listing = read_listing(folder, check=False)
    assert "tumour/text.jpg" in listing.names
    assert listing.sizes is None


def test_a_table_gives_labels_and_groups_and_says_what_counts(folder: Path) -> None:
    write(
        folder / "groups.csv",
        "\ufeff"
        + HEADER
        + "tumour/1.png,squamous,t1\nbenign/1.png,benign,b1\nbenign/9.png,benign,b2\n",
    )
    listing = read_listing(folder)
    assert listing.names == ("benign/1.png", "tumour/1.png")
    assert listing.class_names == ("benign", "squamous")
    assert listing.groups == ("b1", "t1")
    expected = {item.name: (item.reason, item.broken) for item in listing.skipped}
    assert expected["benign/9.png"] == ("cannot be read (No such file or directory)", True)
    assert expected["benign/0.png"] == ("is not named in groups.csv", False)


def test_a_picture_copied_through_macos_is_still_the_table_s(folder: Path) -> None:
    """Its "é" is two characters there, and one in a table that was written elsewhere."""
    (folder / "benign" / "0.png").rename(folder / "benign" / "e\u0301.png")
    named = ("benign/\u00e9.png", "benign/1.png", "tumour/0.png", "tumour/1.png")
    lines = "".join(f"{name},{name[:6]},g{number}\n" for number, name in enumerate(named))
    write(folder / "groups.csv", HEADER + lines)
    listing = read_listing(folder)
    assert listing.names == ("benign/1.png", "benign/e\u0301.png", "tumour/0.png", "tumour/1.png")
    assert listing.groups == ("g1", "g0", "g2", "g3")
    assert listing.skipped == ()
    assert len(every_picture(folder)) == 4
    write(folder / "groups.csv", HEADER + lines + "benign/e\u0301.png,tumour,g9\n")
    with pytest.raises(UsageProblem, match="are of one picture, benign/e"):
        read_listing(folder)


def test_a_disk_that_minds_no_capitals_has_each_picture_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "groups.csv", "file,group\nbenign/0.PNG,h\nbenign/1.png,g\ntumour/0.png,g\n")
    assert len(every_picture(folder)) == 5  # two files here
    monkeypatch.setattr(
        Path, "samefile", lambda path, other: str(path).lower() == str(other).lower()
    )
    judged = every_picture(folder)
    assert sorted(judged) == ["benign/0.png", "benign/1.png", "tumour/0.png", "tumour/1.png"]
    assert judged["benign/0.png"].group == "h"


def test_another_table_may_leave_out_labels(folder: Path, tmp_path: Path) -> None:
    names = ("benign/0.png", "benign/1.png", "tumour/0.png", "tumour/1.png")
    table = write(tmp_path / "g.csv", "group,file\n" + "".join(f"{n[0]},{n}\n" for n in names))
    listing = read_listing(folder, table)
    assert listing.groups == ("b", "b", "t", "t")
    assert listing.class_names == ("benign", "tumour")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file,label\nbenign/0.png,a\n", "has no column 'group'"),
        ("", "has no column 'file'"),
        (HEADER, "names no picture"),
        (HEADER + "benign/0.png,a,\n", "line 2: a value is missing"),
        (HEADER + "benign/0.png,a,1\nbenign/0.png,a,1\n", "line 3: benign/0.png stands twice"),
        (HEADER + "a/0.png,a,1\n./a//0.png,a,2\n", "line 3: a/0.png stands twice"),
        (HEADER + ".,a,1\n", "line 2: a value is missing"),
        (HEADER + "../x.png,a,1\n", "no path below the data folder"),
        (HEADER + "/etc/x.png,a,1\n", "no path below the data folder"),
        (HEADER + "C:/x.png,a,1\n", "no path below the data folder"),
        (HEADER + "C:\\x.png,a,1\n", "no path below the data folder"),
        (HEADER + "a\\..\\..\\x.png,a,1\n", "no path below the data folder"),
    ],
)
def test_a_wrong_table_is_refused(folder: Path, text: str, expected: str) -> None:
    write(folder / "groups.csv", text)
    with pytest.raises(UsageProblem, match=expected):
        read_listing(folder)


def test_a_table_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "groups.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UsageProblem, match="is not UTF-8 text"):
        read_listing(folder)


def test_a_class_without_pictures_is_refused(folder: Path) -> None:
    (folder / "stroma").mkdir()
    with pytest.raises(UsageProblem, match="Class stroma holds no picture"):
        read_listing(folder)
    (folder / "stroma" / "a.png").write_bytes(b"broken")
    with pytest.raises(UsageProblem, match="Class stroma of data holds no readable picture"):
        read_listing(folder)


def test_one_class_or_none_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "tumour").iterdir():
        path.unlink()
    (folder / "tumour").rmdir()
    with pytest.raises(UsageProblem, match="two classes at least are needed, found 1"):
        read_listing(folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageProblem, match="holds no class folders"):
        read_listing(empty)
    with pytest.raises(UsageProblem, match="no data folder"):
        read_listing(tmp_path / "nowhere")


def test_a_table_that_leaves_one_class_is_named_as_the_reason(folder: Path) -> None:
    write(folder / "groups.csv", HEADER + "benign/1.png,benign,b1\n")
    with pytest.raises(UsageProblem) as caught:
        read_listing(folder)
    assert str(caught.value) == (
        "data: two classes at least are needed, found 1 (benign). Of the 4 pictures there only "
        "those count that groups.csv names, with its labels: complete groups.csv, or take it away."
    )


def test_samples_need_groups_from_somewhere(folder: Path) -> None:
    listing = read_listing(folder)
    with pytest.raises(UsageProblem, match="has no groups"):
        listing.samples()
    samples = listing.samples(["a", "a", "b", "c"])
    assert samples.take(np.array([3, 0])).groups == ("c", "a")
    assert data_hash(samples) != data_hash(listing.samples(["a", "b", "b", "c"]))


@pytest.mark.parametrize(
    "text",
    [
        "File;Label;GROUP\r\ntumour\\1.png;squamous;t 1\r\n\r\nbenign/1.png;benign;b1\r\n",
        " file , group ,Label\ntumour/1.png , t 1, squamous\nbenign/1.png,b1,benign\n",
        "\ufeffGROUP\tLABEL\tFILE\nt 1\tsquamous\ttumour/1.png\nb1\tbenign\tbenign\\1.png\n",
    ],
)
def test_tables_of_groups_are_read_as_those_of_cases_are(folder: Path, text: str) -> None:
    """Semicolons, tabs, capitals, blanks and backslashes, as spreadsheets write them."""
    write(folder / "groups.csv", text)
    listing = read_listing(folder)
    assert listing.names == ("benign/1.png", "tumour/1.png")
    assert listing.groups == ("b1", "t 1")
    assert listing.label_names == ("benign", "squamous")


def test_a_table_named_in_capitals_is_found(folder: Path) -> None:
    write(folder / "Groups.CSV", HEADER + "tumour/1.png,t,1\nbenign/1.png,b,2\n")
    assert read_listing(folder).groups == ("2", "1")


def test_scales_are_noted(folder: Path) -> None:
    Image.new("RGB", (20, 20)).save(
        folder / "benign" / "0.tif", resolution_unit=3, resolution=40_000.0
    )
    listing = read_listing(folder)
    assert listing.scales == (None, 0.25, None, None, None)


def test_what_is_left_out_later_is_named_and_no_class_may_vanish(folder: Path) -> None:
    listing = read_listing(folder)
    fewer = listing.without({"benign/0.png": "is too small"})
    assert fewer.names == ("benign/1.png", "tumour/0.png", "tumour/1.png")
    assert fewer.labels.tolist() == [0, 1, 1]
    assert [(item.name, item.reason) for item in fewer.skipped] == [
        ("benign/0.png", "is too small")
    ]
    with pytest.raises(UsageProblem, match=r"no readable picture \(benign/1.png: is too small\)"):
        fewer.without({"benign/1.png": "is too small"})


def test_a_folder_is_known_by_its_pictures_alone(folder: Path) -> None:
    before = read_listing(folder).contents_sha256
    (folder / "tumour").rename(folder / "squamous")
    (folder / "squamous" / "0.png").rename(folder / "squamous" / "9.png")
    write(folder / "notes.txt", "x")
    assert read_listing(folder).contents_sha256 == before
    (folder / "squamous" / "1.png").unlink()
    assert read_listing(folder).contents_sha256 != before
