"""Splits: whole groups, every class in every part, files that can be trusted, leaks that show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lungscan.dataset.listing import Listing, read_listing
from lungscan.dataset.samples import Samples
from lungscan.dataset.splits import (
    PARTS,
    SHARES,
    Leak,
    SplitRow,
    apply_split,
    leaking_groups,
    leaks,
    read_split,
    split_at_random,
    split_by_group,
    split_rows,
    write_split,
)
from lungscan.errors import MachineError, UsageProblem
from lungscan.training.dealing import dealt
from lungscan.training.more import read_pictures
from lungscan.training.options import TrainOptions

HEADER = "file,label,group,part\n"


def draw_samples(groups: int = 20, seed: int = 0) -> Samples:
    """Three classes, ``groups`` groups each of one to five pictures, in a random order."""
    rng = np.random.default_rng(seed)
    rows = [
        (label, f"{label}-{group}")
        for label in range(3)
        for group in range(groups)
        for _ in range(rng.integers(1, 6))
    ]
    rng.shuffle(rows)
    paths = tuple(Path(f"class{label}/{row}.png") for row, (label, _) in enumerate(rows))
    labels = np.array([int(label) for label, _ in rows], np.int64)
    return Samples(paths, labels, tuple(str(group) for _, group in rows), ("a", "b", "c"))


def listing_of(samples: Samples) -> Listing:
    names = tuple(path.as_posix() for path in samples.paths)
    return Listing(Path(), names, samples.labels, samples.class_names, samples.groups, ())


def test_no_group_stands_in_two_parts_and_no_picture_is_lost() -> None:
    samples = draw_samples()
    split = split_by_group(samples, SHARES, 3)
    parts = [{samples.groups[row] for row in getattr(split, part)} for part in PARTS]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    every = np.concatenate([split.train, split.validation, split.test])
    assert sorted(every.tolist()) == list(range(len(samples.paths)))
    for part in PARTS:
        assert set(samples.labels[getattr(split, part)].tolist()) == {0, 1, 2}


def test_a_seed_gives_the_same_split_and_another_one_another() -> None:
    samples = draw_samples()
    first, again = (split_by_group(samples, SHARES, 5).test.tolist() for _ in range(2))
    assert first == again
    assert first != split_by_group(samples, SHARES, 6).test.tolist()


def test_fewer_groups_than_parts_is_refused() -> None:
    with pytest.raises(UsageProblem, match="Class a has 2 groups; three at least"):
        split_by_group(draw_samples(groups=2), SHARES, 0)


def test_the_random_protocol_deals_pictures_and_leaks() -> None:
    samples = draw_samples()
    listing = listing_of(samples)
    split = split_at_random(samples, SHARES, 0)
    assert abs(len(split.train) / len(samples.paths) - 0.7) < 0.02
    assert len(leaks(split_rows(listing, samples.groups, split))) > 10
    grouped = split_by_group(samples, SHARES, 0)
    assert leaks(split_rows(listing, samples.groups, grouped)) == ()


def test_a_split_file_comes_back_as_it_was(tmp_path: Path) -> None:
    samples = draw_samples()
    listing = listing_of(samples)
    split = split_by_group(samples, SHARES, 0)
    rows = split_rows(listing, samples.groups, split)
    write_split(tmp_path / "split.csv", rows)
    text = (tmp_path / "split.csv").read_text(encoding="utf-8")
    assert text.startswith(HEADER)
    assert read_split(tmp_path / "split.csv") == rows
    back, again = apply_split(rows, listing)
    assert back.groups == samples.groups
    for part in PARTS:
        assert getattr(again, part).tolist() == getattr(split, part).tolist()


def test_a_split_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(MachineError):
        write_split(blocked / "split.csv", [SplitRow("a/1.png", "a", "g", "train")])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file,label,group\n", "has no column 'part'"),
        (HEADER, "names no picture"),
        (HEADER + "a/1.png,a,g,\n", "line 2: part is ''"),
        (HEADER + "a/1.png,a,g,exam\n", "'exam', not one of train, validation, test"),
        (HEADER + "a/1.png,a,,test\n", "a value is missing"),
        (HEADER + "a/1.png,a,g,test\na/1.png,a,g,test\n", "line 3: a/1.png stands twice"),
        (HEADER + "../1.png,a,g,test\n", "no path below"),
    ],
)
def test_a_wrong_split_file_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "split.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UsageProblem, match=expected):
        read_split(tmp_path / "split.csv")


def test_a_split_of_other_pictures_is_refused() -> None:
    samples = draw_samples()
    listing = listing_of(samples)
    rows = split_rows(listing, samples.groups, split_by_group(samples, SHARES, 0))
    with pytest.raises(
        UsageProblem, match=r"in the data folder and not in the split file \(and 1 "
    ):
        apply_split(rows[2:], listing)
    stranger = SplitRow("class0/new.png", "a", "g", "train")
    with pytest.raises(UsageProblem, match=r"class0/new\.png of the split file is not in the data"):
        apply_split((*rows, stranger), listing)
    other = SplitRow(rows[0].file, "z", rows[0].group, rows[0].part)
    with pytest.raises(UsageProblem, match="is z in the split file and another class"):
        apply_split((other, *rows[1:]), listing)


def test_a_split_file_knows_a_picture_by_its_other_unicode_form(tmp_path: Path) -> None:
    """A copy through macOS writes an accent as a letter of its own; a left out one, too."""
    names = ("a/e\u0301.png", "a/1.png", "b/0.png", "b/1.png")
    listing = Listing(Path(), names, np.array([0, 0, 1, 1]), ("a", "b"), None, ())
    lines = ["a/\u00e9.png,a,g0,train", "a/1.png,a,g1,validation", "a/\u00e8.png,a,g5,test"]
    lines += ["b/0.png,b,g2,train", "b/1.png,b,g3,validation"]
    table = tmp_path / "split.csv"
    table.write_text(HEADER + "\n".join(lines), encoding="utf-8")
    options = TrainOptions(name="x", split_file=str(table))
    samples, split = dealt(listing, options, tmp_path, {"a/e\u0300.png": "broken"})
    assert samples.groups == ("g0", "g1", "g2", "g3")
    assert (split.train.tolist(), split.validation.tolist()) == ([0, 2], [1, 3])


@pytest.mark.parametrize(
    ("name", "head"), [("groups.csv", "file,label,group"), ("files.csv", "file,label,group,use")]
)
def test_further_pictures_are_found_by_their_other_unicode_form(
    tmp_path: Path, name: str, head: str
) -> None:
    there = tmp_path / "a" / "e\u0301.png"
    there.parent.mkdir()
    there.write_bytes(b"a picture")
    row = "a/\u00e9.png,a,g0" + ",training allowed" * ("use" in head)
    (tmp_path / name).write_text(f"{head}\n{row}\n", encoding="utf-8")
    (picture,) = read_pictures(tmp_path)
    assert (picture.path, picture.group, picture.allowed) == (there, "g0", True)


def test_leaks_are_counted_by_part_also_over_other_groups() -> None:
    rows = [
        SplitRow("1", "a", "g", "train"),
        SplitRow("2", "a", "g", "train"),
        SplitRow("3", "a", "g", "test"),
        SplitRow("4", "a", "h", "test"),
    ]
    assert leaks(rows) == (Leak("g", {"train": 2, "test": 1}),)
    assert leaks(rows, {"1": "x", "4": "x", "3": "y"}) == (Leak("x", {"train": 1, "test": 1}),)


def test_the_very_same_file_leaks_whatever_a_table_says_of_groups(tmp_path: Path) -> None:
    for label, shade in (("a", 90), ("b", 200)):
        (tmp_path / label).mkdir()
        for name, red in (("1", 0), ("1 copy", 0), ("2", 50)):
            Image.new("RGB", (32, 32), (red, shade, shade)).save(tmp_path / label / f"{name}.png")
    listing = read_listing(tmp_path)
    parts = {"1": "train", "1 copy": "test", "2": "test"}
    rows = [
        SplitRow(name, name[0], name, parts[Path(name).stem] if name[0] == "a" else "train")
        for name in listing.names
    ]
    assert leaks(rows) == ()
    assert leaking_groups(rows, listing) == {"a/1.png", "a/1 copy.png"}
