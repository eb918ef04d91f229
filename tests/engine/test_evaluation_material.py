"""Which fields are judged, and what split file, groups and card say of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lungscan.cards import ModelCard
from lungscan.dataset.samples import Samples, data_hash
from lungscan.errors import NothingToDo, UsageProblem
from lungscan.evaluation.material import load_material, material_of, require_known_classes
from lungscan.evaluation.options import DataOptions
from lungscan.evaluation.records import Protocol, Seen
from tests.labelled import CLASSES, draw_class, draw_folder, write_split, write_table
from tests.models import CARD

Rows = list[tuple[str, str, str]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "drawn"
    draw_folder(folder)
    return folder


@pytest.fixture(scope="module")
def rows(root: Path) -> Rows:
    lines = (root / "groups.csv").read_text(encoding="utf-8").split()[1:]
    return [tuple(line.split(",")) for line in lines]  # type: ignore[misc]


def named(card: ModelCard, root: Path, rows: Rows, groups: list[str]) -> ModelCard:
    """The card of a model trained on the folder, with ``groups`` as its test groups."""
    samples = Samples(
        tuple(root / row[0] for row in rows),
        np.array([CLASSES.index(row[1]) for row in rows]),
        tuple(row[2] for row in rows),
        CLASSES,
    )
    data = {"sha256": data_hash(samples), "test_groups": groups, "protocol": "grouped"}
    return dataclasses.replace(card, data=data)


def test_a_folder_of_classes_is_judged_whole(root: Path) -> None:
    material = load_material(DataOptions(root))
    note = material.note(CARD)
    assert (note.folder, note.split, note.protocol) == ("drawn", "", Protocol.WHOLE)
    assert (note.fields, note.groups, note.grouped) == (24, 12, True)
    first = material.fields[0]
    assert (first.file, first.label, first.group) == ("adeno/g0-0.png", "adeno", "adeno-0")
    assert first.path.is_file()


def test_without_groups_each_picture_is_its_own(tmp_path: Path) -> None:
    for label in CLASSES:
        draw_class(tmp_path / label / "deep" / "x.png", label, 1)
    (tmp_path / "adeno" / ".hidden.png").write_bytes(b"x")
    (tmp_path / "adeno" / "notes.txt").write_text("x", encoding="utf-8")
    material = load_material(DataOptions(tmp_path))
    assert [field.file for field in material.fields] == [f"{c}/deep/x.png" for c in CLASSES]
    assert [field.label for field in material.fields] == list(CLASSES)
    note = material.note(CARD)
    assert (note.groups, note.grouped) == (3, False)


def test_pictures_beyond_groups_csv_are_judged_too(tmp_path: Path) -> None:
    draw_folder(tmp_path, groups=1)
    draw_class(tmp_path / "benign" / "new.png", "benign", 9)
    groups = {f.file: f.group for f in load_material(DataOptions(tmp_path)).fields}
    assert len(groups) == 7
    assert groups["benign/new.png"] == "benign/new.png"


def test_a_split_that_keeps_groups_apart(root: Path, rows: Rows, tmp_path: Path) -> None:
    split = write_split(tmp_path / "split.csv", rows)
    note = load_material(DataOptions(root, split)).note(CARD)
    assert (note.split, note.part, note.fields, note.groups) == ("split.csv", "test", 6, 3)
    assert (note.protocol, note.leaking_groups) == (Protocol.GROUPED, 0)
    assert load_material(DataOptions(root, split, "train")).note(CARD).fields == 12


def test_a_leak_is_found_whatever_the_split_calls_itself(
    root: Path, rows: Rows, tmp_path: Path
) -> None:
    split = write_split(tmp_path / "grouped.csv", rows, leaking=True)
    note = load_material(DataOptions(root, split)).note(CARD)
    assert (note.protocol, note.leaking_groups) == (Protocol.LEAKING, 12)


def test_a_split_by_pictures_cannot_vouch_for_groups(
    root: Path, rows: Rows, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    draw_folder(bare)
    (bare / "groups.csv").unlink()
    alone = [(file, label, file) for file, label, _ in rows]
    parts = [(*row, ("test", "train")[i % 2]) for i, row in enumerate(alone)]
    split = write_table(tmp_path / "s.csv", ("file", "label", "group", "part"), parts)
    note = load_material(DataOptions(bare, split)).note(CARD)
    assert (note.protocol, note.grouped) == (Protocol.UNKNOWN, False)
    # The true groups show the leak, whether they are given or lie in the folder.
    for options in (DataOptions(bare, split, groups=root / "groups.csv"), DataOptions(root, split)):
        true = load_material(options).note(CARD)
        assert (true.protocol, true.leaking_groups) == (Protocol.LEAKING, 12)


def test_the_card_tells_whether_the_model_has_seen_the_fields(
    root: Path, rows: Rows, tmp_path: Path
) -> None:
    test_groups = [f"{label}-0" for label in CLASSES]
    card = named(CARD, root, rows, test_groups)
    split = write_split(tmp_path / "split.csv", rows)
    held = load_material(DataOptions(root, split)).note(card)
    assert (held.seen, held.seen_groups) == (Seen.NO, 0)
    train = load_material(DataOptions(root, split, "train")).note(card)
    assert (train.seen, train.seen_groups) == (Seen.YES, 6)
    everything = load_material(DataOptions(root)).note(card)
    assert (everything.seen, everything.seen_groups) == (Seen.YES, 9)
    assert load_material(DataOptions(root)).note(CARD).seen is Seen.UNKNOWN


def test_a_model_of_a_random_split_has_seen_every_group(root: Path, rows: Rows) -> None:
    card = named(CARD, root, rows, [row[2] for row in rows])
    card = dataclasses.replace(card, data={**card.data, "protocol": "random"})
    assert load_material(DataOptions(root)).note(card).seen is Seen.YES


def test_other_bytes_are_other_data(root: Path, rows: Rows, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    draw_folder(copy)
    card = named(CARD, root, rows, [])
    assert load_material(DataOptions(copy)).note(card).seen is Seen.YES
    draw_class(copy / rows[0][0], "benign", 77)
    assert load_material(DataOptions(copy)).note(card).seen is Seen.UNKNOWN


def test_lists_from_python(root: Path, rows: Rows) -> None:
    paths = [root / row[0] for row in rows]
    material = material_of(paths, [r[1] for r in rows], [r[2] for r in rows], root)
    assert material.fields == tuple(load_material(DataOptions(root)).fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label,group\nadeno/g0-0.png,adeno,x\n", "has no column 'part'"),
        (
            "file,label,group,part\nadeno/g0-0.png,adeno,x,tset\n",
            "line 2: part is 'tset', not one of train",
        ),
        ("file,label,group,part\nadeno/g0-0.png,adeno,x,train\n", "no field of the part 'test'"),
        ("", "has no column 'file'"),
        ("\udcff", "is not UTF-8 text"),
        ("file,label,group,part\n../x.png,adeno,x,test\n", "no path below the data folder"),
    ],
)
def test_a_wrong_split_file_is_one_sentence(
    root: Path, tmp_path: Path, text: str, message: str
) -> None:
    split = tmp_path / "split.csv"
    split.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UsageProblem, match=message):
        load_material(DataOptions(root, split))


def test_groups_of_other_files_are_refused(root: Path, tmp_path: Path) -> None:
    table = write_table(tmp_path / "g.csv", ("file", "group"), [("elsewhere/x.png", "1")])
    with pytest.raises(UsageProblem, match="names none of the fields"):
        load_material(DataOptions(root, groups=table))


def test_an_empty_folder_is_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / "adeno").mkdir()
    with pytest.raises(NothingToDo, match="one sub-folder per class"):
        load_material(DataOptions(tmp_path))


def test_a_class_that_the_model_does_not_know_names_both_lists(tmp_path: Path) -> None:
    draw_class(tmp_path / "colon" / "a.png", "adeno", 1)
    draw_class(tmp_path / "benign" / "a.png", "benign", 1)
    with pytest.raises(UsageProblem) as caught:
        require_known_classes(load_material(DataOptions(tmp_path)).fields, CARD)
    assert "benign, colon" in str(caught.value)
    assert "adeno, benign, squamous" in str(caught.value)
