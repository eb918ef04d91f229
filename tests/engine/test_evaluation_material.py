"""Which fields are judged, and what split file, groups and card say of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lungscan.dataset.learnt import WORK_FOLDER, write_pictures
from lungscan.dataset.samples import Samples, data_hash
from lungscan.errors import NothingToDo, UsageProblem
from lungscan.evaluation import wording
from lungscan.evaluation.labelled import load_material, require_known_classes
from lungscan.evaluation.options import DataOptions
from lungscan.evaluation.records import Protocol, Seen
from lungscan.model.card import ModelCard
from lungscan.results.checksums import digest_of
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


def test_part_of_what_a_run_learnt_is_known_by_its_pictures(
    root: Path, rows: Rows, tmp_path: Path
) -> None:
    """A folder that is none of the card's data may still hold pictures that it learnt."""
    parts = ("train", "validation", "test")
    pictures = [(root / row[0], row[2], parts[place % 3]) for place, row in enumerate(rows[:9])]
    (tmp_path / WORK_FOLDER).mkdir()
    kept = ((path.name, part, digest_of(path)) for path, _, part in pictures)
    write_pictures(tmp_path / WORK_FOLDER, kept)
    learnt = {group for _, group, part in pictures if part != "test"}
    note = load_material(DataOptions(root)).note(dataclasses.replace(CARD, folder=tmp_path))
    assert (note.seen, note.seen_groups) == (Seen.YES, len(learnt))
    assert 0 < note.seen_groups < note.groups
    assert any("NOT HELD OUT" in text for text in wording.warnings(note, CARD, ()))


def test_a_model_of_a_random_split_has_seen_every_group(root: Path, rows: Rows) -> None:
    card = named(CARD, root, rows, [row[2] for row in rows])
    card = dataclasses.replace(card, data={**card.data, "protocol": "random"})
    assert load_material(DataOptions(root)).note(card).seen is Seen.YES


def test_an_adapted_model_has_seen_the_fields_it_was_adapted_to(root: Path) -> None:
    material = load_material(DataOptions(root))
    own = {"contents_sha256": material.identity.contents_sha256}
    note = material.note(dataclasses.replace(CARD, adaptation=own))
    assert (note.seen, note.seen_groups) == (Seen.YES, note.groups)
    other = dataclasses.replace(CARD, adaptation={"contents_sha256": "0" * 64})
    unlabelled = dataclasses.replace(CARD, adaptation={"contents_sha256": ""})
    assert material.note(other).seen is Seen.UNKNOWN
    assert material.note(unlabelled).seen is Seen.UNKNOWN


def test_other_bytes_are_other_data(root: Path, rows: Rows, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    draw_folder(copy)
    card = named(CARD, root, rows, [])
    assert load_material(DataOptions(copy)).note(card).seen is Seen.YES
    draw_class(copy / rows[0][0], "benign", 77)
    assert load_material(DataOptions(copy)).note(card).seen is Seen.UNKNOWN


def trained_on(root: Path, held: list[str]) -> ModelCard:
    """The card of a model that training made of the folder, as far as its data go."""
    pytest.importorskip("timm", reason="training needs the extra train")
    from lungscan.training.data import gather
    from lungscan.training.options import TrainOptions

    options = TrainOptions(name="x", data=root.name, field_px=64)
    material = gather(options, root.parent, root.parent / "work")
    data = {
        "sha256": material.data_sha256,
        "contents_sha256": material.contents_sha256,
        "test_groups": held,
        "protocol": "grouped",
    }
    return dataclasses.replace(CARD, data=data)


def add_strangers(root: Path) -> None:
    """Two files that groups.csv does not name."""
    draw_class(root / "benign" / "new.png", "benign", 91)
    draw_class(root / "adeno" / "deep" / "new.png", "adeno", 92)


def break_one(root: Path) -> None:
    (root / "adeno" / "g2-1.png").write_bytes(b"cut short")


def lose_one(root: Path) -> None:
    (root / "adeno" / "g2-1.png").unlink()


def add_tiny(root: Path) -> None:
    """A picture that training leaves out because it shows nothing."""
    draw_class(root / "benign" / "tiny.png", "benign", 93, side=20)
    with (root / "groups.csv").open("a", encoding="utf-8") as table:
        table.write("benign/tiny.png,benign,benign-0\n")


def write_semicolons(root: Path) -> None:
    table = root / "groups.csv"
    text = table.read_text(encoding="utf-8").replace(",", ";").replace("file;label", "FILE;Label")
    table.write_text(text, encoding="utf-8")


def drop_labels(root: Path) -> None:
    lines = (root / "groups.csv").read_text(encoding="utf-8").splitlines()
    kept = [",".join(line.split(",")[::2]) for line in lines]
    (root / "groups.csv").write_text("\n".join(kept), encoding="utf-8")


def drop_table(root: Path) -> None:
    (root / "groups.csv").unlink()


def add_junk(root: Path) -> None:
    (root / "adeno" / "notes.txt").write_text("x", encoding="utf-8")
    (root / "readme.md").write_text("x", encoding="utf-8")


def change_nothing(root: Path) -> None:
    pass


@pytest.mark.parametrize(
    "change",
    [
        change_nothing,
        add_strangers,
        break_one,
        lose_one,
        add_tiny,
        write_semicolons,
        drop_labels,
        drop_table,
        add_junk,
    ],
)
def test_training_and_evaluation_know_a_folder_by_one_hash(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Or "NOT HELD OUT: trained on this very data" is lost, as it was with files not named."""
    root = tmp_path / "drawn"
    draw_folder(root)
    change(root)
    card = trained_on(root, [f"{label}-0" for label in CLASSES])
    material = load_material(DataOptions(root))
    note = material.note(card)
    assert note.seen is Seen.YES
    assert any("NOT HELD OUT" in text for text in wording.warnings(note, card, ()))
    # A card from before the pictures' own hash says it as well, where there are groups.
    older = dataclasses.replace(
        card, data={k: v for k, v in card.data.items() if k != "contents_sha256"}
    )
    if change not in (drop_table, add_tiny):
        assert load_material(DataOptions(root)).note(older).seen is Seen.YES


def test_other_groups_or_names_do_not_hide_what_was_seen(tmp_path: Path) -> None:
    root = tmp_path / "drawn"
    rows = draw_folder(root)
    card = trained_on(root, [])
    write_table(root / "groups.csv", ("file", "group"), [(file, "g") for file, _, _ in rows])
    assert load_material(DataOptions(root)).note(card).seen is Seen.YES
    (root / "groups.csv").unlink()
    (root / "adeno" / "g0-0.png").rename(root / "adeno" / "renamed.png")
    assert load_material(DataOptions(root)).note(card).seen is Seen.YES


def test_a_damaged_picture_is_still_judged_and_reported(tmp_path: Path) -> None:
    draw_folder(tmp_path)
    break_one(tmp_path)
    assert len(load_material(DataOptions(tmp_path)).fields) == 24


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


def test_a_table_of_groups_knows_a_field_by_its_other_unicode_form(tmp_path: Path) -> None:
    rows = draw_folder(tmp_path / "d", groups=1, per_group=1)
    (tmp_path / "d" / "groups.csv").unlink()
    (tmp_path / "d" / rows[0][0]).rename(tmp_path / "d" / "adeno" / "e\u0301.png")
    lines = [("adeno/\u00e9.png", "kim"), *((file, group) for file, _, group in rows[1:])]
    table = write_table(tmp_path / "g.csv", ("file", "group"), lines)
    fields = load_material(DataOptions(tmp_path / "d", groups=table)).fields
    assert {field.group for field in fields} == {"kim", *(group for *_, group in rows[1:])}


def test_a_split_file_knows_a_field_by_its_other_unicode_form(tmp_path: Path) -> None:
    """As a copy through macOS writes it; each such field "could not be read"."""
    rows = draw_folder(tmp_path / "d", groups=1, per_group=1)
    there = tmp_path / "d" / "adeno" / "e\u0301.png"
    (tmp_path / "d" / rows[0][0]).rename(there)
    lines = [("adeno/\u00e9.png", *rows[0][1:], "test"), *((*row, "test") for row in rows[1:])]
    split = write_table(tmp_path / "s.csv", ("file", "label", "group", "part"), lines)
    groups = write_table(tmp_path / "g.csv", ("file", "group"), [(lines[0][0], "kim")])
    fields = load_material(DataOptions(tmp_path / "d", split, groups=groups)).fields
    assert (fields[0].path, fields[0].group) == (there, "kim")
    assert all(field.path.is_file() for field in fields)


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
