"""Data folders: what counts as a picture of a class, what is skipped, what is refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lungscan.dataset.listing import read_listing
from lungscan.dataset.pixels import load_pixels
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
    told = {item.name: (item.reason, item.broken) for item in listing.skipped}
    assert told["tumour/cut.png"][1]
    assert told["tumour/text.jpg"][0].startswith("is not an image LungScan reads")
    assert told["tumour/notes.txt"] == ("not an image format LungScan reads", False)
    assert told["tumour/scan.svs"] == ("is a whole slide; training takes field images", False)
    assert told["readme.md"] == ("lies in no class folder", False)
    assert "tumour/new\\u000aline.png" in told
    assert len(told) == 6


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
    told = {item.name: (item.reason, item.broken) for item in listing.skipped}
    assert told["benign/9.png"] == ("cannot be read (No such file or directory)", True)
    assert told["benign/0.png"] == ("is not named in groups.csv", False)


def test_another_table_may_leave_out_labels(folder: Path, tmp_path: Path) -> None:
    names = ("benign/0.png", "benign/1.png", "tumour/0.png", "tumour/1.png")
    table = write(tmp_path / "g.csv", "group,file\n" + "".join(f"{n[0]},{n}\n" for n in names))
    listing = read_listing(folder, table)
    assert listing.groups == ("b", "b", "t", "t")
    assert listing.class_names == ("benign", "tumour")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file,label\nbenign/0.png,a\n", "has no column group"),
        ("", "has no column file, group"),
        (HEADER, "names no picture"),
        (HEADER + "benign/0.png,a,\n", "line 2: a value is missing"),
        (HEADER + "benign/0.png,a,1\nbenign/0.png,a,1\n", "line 3: benign/0.png stands twice"),
        (HEADER + "../x.png,a,1\n", "no path below the data folder"),
        (HEADER + "/etc/x.png,a,1\n", "no path below the data folder"),
        (HEADER + "C:/x.png,a,1\n", "no path below the data folder"),
        (HEADER + "a\\x.png,a,1\n", "no path below the data folder"),
    ],
)
def test_a_wrong_table_is_refused(folder: Path, text: str, told: str) -> None:
    write(folder / "groups.csv", text)
    with pytest.raises(UsageProblem, match=told):
        read_listing(folder)


def test_a_table_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "groups.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UsageProblem, match="is no table"):
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


def test_samples_need_groups_from_somewhere(folder: Path) -> None:
    listing = read_listing(folder)
    with pytest.raises(UsageProblem, match="has no groups"):
        listing.samples()
    samples = listing.samples(["a", "a", "b", "c"])
    assert samples.take(np.array([3, 0])).groups == ("c", "a")
    assert data_hash(samples) != data_hash(listing.samples(["a", "b", "b", "c"]))


def test_pixels_come_in_one_size_and_a_broken_picture_is_named(folder: Path) -> None:
    listing = read_listing(folder)
    pixels = load_pixels(listing.paths, 8)
    assert pixels.shape == (4, 8, 8, 3)
    assert pixels[2].reshape(-1, 3).mean(0).tolist() == [90, 0, 0]
    (folder / "benign" / "0.png").write_bytes(b"broken")
    with pytest.raises(UsageProblem, match=r"benign/0\.png is not an image"):
        load_pixels(listing.paths, 8)
