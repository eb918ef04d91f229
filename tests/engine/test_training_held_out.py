"""What a network may be judged on: nothing that it, its teacher or its start has learnt."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

from lungscan.dataset.group_table import read_groups
from lungscan.dataset.splits import SplitRow, write_split
from lungscan.errors import ModelError, UsageProblem
from lungscan.evaluation.labelled import load_material
from lungscan.evaluation.options import DataOptions
from lungscan.evaluation.records import Seen
from lungscan.model.card import FILES, ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.training import checkpoint, dealing
from lungscan.training.data import gather
from lungscan.training.events import RunStarted, StageFinished
from lungscan.training.options import Fit, Head, Phase, TrainOptions
from lungscan.training.records import keep_records
from lungscan.training.sources import DataSource
from lungscan.training.starting import started, unseen
from lungscan.training.taught import apart_from_teachers
from lungscan.training.train import train
from tests.small_model import small_model
from tests.training_data import SIDE, draw_data

FIT = Fit((Phase(1, 32, (40, 64)),), 8, 1e-3, ema_decay=0.5, mixup=0.0)
TINY = TrainOptions(
    name="drawn",
    data="drawn",
    drawn_examples=4,
    teacher="",
    student="test_efficientnet",
    field_px=SIDE,
    device="cpu",
    threads=1,
    student_fit=FIT,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with eight groups of two pictures in each of three classes."""
    draw_data(tmp_path / "drawn")
    return tmp_path


def swapped(rows: tuple[SplitRow, ...]) -> list[SplitRow]:
    """The rows with a training group and a test group of each class in each other's place."""
    other: dict[str, str] = {}
    for label in {row.label for row in rows}:
        for part, to in (("train", "test"), ("test", "train")):
            group = next(row.group for row in rows if (row.label, row.part) == (label, part))
            other[group] = to
    return [dataclasses.replace(row, part=other.get(row.group, row.part)) for row in rows]


def test_a_split_file_that_was_changed_in_place_is_another_deal(root: Path) -> None:
    rows = gather(TINY, root, root / "none").rows
    write_split(root / "mine.csv", rows)
    options = dataclasses.replace(TINY, split_file=str(root / "mine.csv"))
    list(train(options, root, root / "model", ("alone",)))
    write_split(root / "mine.csv", rows[::-1])  # the same deal in another order
    list(train(options, root, root / "model", ("alone",)))
    write_split(root / "mine.csv", swapped(rows))
    with pytest.raises(ModelError, match=r"alone\.pt was made with other options or data"):
        list(train(options, root, root / "model", ("alone",)))


def test_a_split_file_needs_each_class_to_learn_and_to_validate(root: Path) -> None:
    rows = gather(TINY, root, root / "none").rows
    options = dataclasses.replace(TINY, split_file=str(root / "mine.csv"))
    unjudged = [dataclasses.replace(row, part="train") for row in rows if row.part != "test"]
    held = [row for row in rows if row.part == "test"]
    write_split(root / "mine.csv", [*unjudged, *held])
    with pytest.raises(UsageProblem, match="lung_aca, lung_n, lung_scc in the part validation"):
        gather(options, root, root / "none")
    unlearnt = [
        dataclasses.replace(row, part="validation") if row.label == "lung_n" else row
        for row in rows
    ]
    write_split(root / "mine.csv", unlearnt)
    with pytest.raises(UsageProblem, match="no picture of lung_n in the part train"):
        gather(options, root, root / "none")


def test_without_a_split_file_checkpoints_belong_to_the_data_as_ever(root: Path) -> None:
    material = gather(TINY, root, root / "none")
    assert material.fingerprint_sha256 == material.data_sha256


@pytest.fixture
def taught(root: Path) -> TrainOptions:
    """A student of another run's teacher, which was fitted on the same split."""
    own = dataclasses.replace(TINY, teacher=TINY.student, teacher_fit=FIT)
    list(train(own, root, root / "first", ("teacher",)))
    teacher = root / "first" / "training" / "checkpoints" / "teacher.pt"
    return dataclasses.replace(own, teacher_from=str(teacher))


def test_a_teacher_that_learnt_what_judges_its_student_is_refused_or_named(
    root: Path, taught: TrainOptions
) -> None:
    same = gather(taught, root, root / "none")
    assert apart_from_teachers(taught, same) == same
    other = dataclasses.replace(taught, seed=1)
    with pytest.raises(UsageProblem, match=r"learnt from \d+ of the groups that validate or test"):
        list(train(other, root, root / "second"))
    allowed = dataclasses.replace(other, allow_leakage=True)
    found = apart_from_teachers(allowed, gather(allowed, root, root / "none"))
    part = {row.group: row.part for row in found.rows}
    learnt = {row.group for row in same.rows if row.part == "train"}
    assert set(found.leaking) == {group for group in learnt if part[group] != "train"}
    list(train(allowed, root, root / "second"))
    card = read_card(root / "second")
    assert card.data["leaking_groups"] == len(found.leaking) > 0
    assert any("LEAKING" in limit for limit in card.limits)


def test_a_teacher_of_which_nobody_knows_what_it_learnt_is_named(
    root: Path, taught: TrainOptions
) -> None:
    for name in ("split.csv", "pictures.csv"):
        (root / "first" / "training" / name).unlink()
    events = list(train(taught, root, root / "second"))
    said = [event.detail for event in events if isinstance(event, StageFinished)]
    expected = "What the teacher first/training/checkpoints/teacher.pt learnt from is not known"
    assert any(text.startswith(expected) for text in said)
    assert any(limit.startswith(expected) for limit in read_card(root / "second").limits)


def test_a_teacher_is_known_by_the_content_of_what_it_learnt(root: Path) -> None:
    own = dataclasses.replace(TINY, teacher=TINY.student, teacher_fit=FIT)
    first = root / "first" / "training"
    keep_records(own, gather(own, root, root / "none"), first)
    shutil.copytree(root / "drawn", root / "renamed")
    for folder in ("lung_aca", "lung_n", "lung_scc"):
        (root / "renamed" / folder).rename(root / "renamed" / f"our {folder}")
    table = (root / "renamed" / "groups.csv").read_text(encoding="utf-8")
    (root / "renamed" / "groups.csv").write_text(table.replace("lung_", "our lung_"), "utf-8")
    path = str(first / "checkpoints" / "teacher.pt")
    options = dataclasses.replace(own, data="renamed", teacher_from=path)
    same = gather(options, root, root / "none")
    assert apart_from_teachers(options, same) == same
    other = dataclasses.replace(options, seed=1)
    material = gather(other, root, root / "none")
    with pytest.raises(UsageProblem, match=r"learnt from \d+ of the groups that validate or test"):
        apart_from_teachers(other, material)
    (first / "pictures.csv").unlink()  # as earlier versions left it: names alone
    assert len(apart_from_teachers(other, material).strangers) == 1
    assert (
        apart_from_teachers(
            dataclasses.replace(own, teacher_from=path), gather(own, root, root / "none")
        ).strangers
        == ()
    )


def test_a_student_belongs_to_its_very_teacher(root: Path, taught: TrainOptions) -> None:
    list(train(taught, root, root / "second", ("student",)))
    path, teacher = (root / run / "training/checkpoints" for run in ("second", "first"))
    path, teacher = path / "student.pt", teacher / "teacher.pt"
    state = checkpoint.load(teacher, None)
    assert state is not None
    checkpoint.save(teacher, state | {"epoch": 2})
    with pytest.raises(ModelError, match="learnt from another teacher"):
        list(train(taught, root, root / "second", ("student",)))
    student = checkpoint.load(path, None)
    assert student is not None
    teacher.rename(root / "away.pt")  # a student that came alone, as from another machine
    assert list(train(taught, root, root / "second", ("student",)))
    (root / "away.pt").rename(teacher)
    del student["teachers_sha256"]  # as older checkpoints, which do not tell
    checkpoint.save(path, student)
    assert list(train(taught, root, root / "second", ("student",)))


def leaked(root: Path) -> tuple[ModelCard, str, str]:
    """A model of a split whose first test group also teaches: its card, that group, a clean one."""
    rows = list(gather(TINY, root, root / "none").rows)
    tested = sorted({row.group for row in rows if row.part == "test"})
    row = next(number for number, row in enumerate(rows) if row.group == tested[0])
    rows[row] = dataclasses.replace(rows[row], part="train")
    write_split(root / "leaky.csv", rows)
    options = dataclasses.replace(
        TINY, split_file=str(root / "leaky.csv"), allow_leakage=True, name="leaky"
    )
    list(train(options, root, root / "leaky"))
    return read_card(root / "leaky"), tested[0], tested[1]


def test_what_leaked_is_not_held_out_by_the_card(root: Path) -> None:
    card, dirty, clean = leaked(root)
    assert card.data["leaking"] == [dirty]
    assert dirty not in card.held_out
    assert clean in card.held_out
    rows = gather(TINY, root, root / "none").rows
    for group, seen, unheld in ((dirty, Seen.YES, 1), (clean, Seen.NO, 0)):
        others = [dataclasses.replace(row, part="train") for row in rows if row.group != group]
        own = [dataclasses.replace(row, part="test") for row in rows if row.group == group]
        write_split(root / f"{group}.csv", [*others, *own])
        note = load_material(DataOptions(root / "drawn", root / f"{group}.csv")).note(card)
        assert (note.seen, note.seen_groups) == (seen, unheld)


def test_what_leaked_into_a_model_leaks_into_one_that_starts_from_it(root: Path) -> None:
    card, dirty, _ = leaked(root)
    options = started(dataclasses.replace(TINY, start_from=str(card.folder)), root)
    material = gather(options, root, root / "none")
    with pytest.raises(UsageProblem, match="was trained on these very data: 1 of the 6 groups"):
        unseen(options, material)
    values = json.loads((root / "leaky" / "card.json").read_text(encoding="utf-8"))
    del values["data"]["leaking"]  # as older cards are, which list what leaked among the rest
    values["data"]["test_groups"].append(dirty)
    (root / "leaky" / "card.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(UsageProblem, match="was trained on these very data: 3 of the 6 groups"):
        unseen(options, material)


def test_what_a_model_learnt_or_was_adapted_to_leaks_from_a_source(root: Path) -> None:
    draw_data(root / "other", groups=7, clear=True)
    both = tuple(DataSource(name, name, um_px=0.25) for name in ("drawn", "other"))
    options = dataclasses.replace(TINY, data=".", sources=both, start_sha256="0", seed=5)
    whole = gather(dataclasses.replace(TINY, seed=0), root, root / "none")
    material = gather(options, root, root / "none")
    here = TrainOptions(name="", sources=both, start_from=str(root / "model"))
    learnt = {"data": {"contents_sha256": whole.contents_sha256}}
    adapted = {"data": {}, "adaptation": {"contents_sha256": whole.contents_sha256}}
    sources = {"data": {"sources": {"theirs": whole.contents_sha256}}}
    groups = material.samples.groups
    judged = {groups[row] for row in (*material.split.validation, *material.split.test)}
    ours = {group for group in judged if group.startswith("drawn/")}
    assert ours
    assert judged - ours
    for values in (learnt, adapted, sources):
        make_model(root / "model", **values)
        word = "adapted to" if "adaptation" in values else "trained on"
        with pytest.raises(UsageProblem, match=f"{word} these very data: {len(ours)} of the"):
            unseen(here, material)
        allowed = dataclasses.replace(here, allow_leakage=True)
        assert set(unseen(allowed, material).leaking) == ours
    held = {"test_groups": [f"theirs/{group.removeprefix('drawn/')}" for group in ours]}
    make_model(root / "model", data={**sources["data"], **held})
    assert unseen(here, material).leaking == ()
    make_model(root / "model", data={"contents_sha256": "0" * 64})
    assert unseen(here, material).leaking == ()


def test_groups_that_validate_are_not_learnt_before(root: Path) -> None:
    material = gather(TINY, root, root / "none")
    here = dataclasses.replace(TINY, start_from=str(root / "model"))
    data = {
        "contents_sha256": material.contents_sha256,
        "test_groups": list(material.held_groups),
        "validation_groups": list(material.validation_groups),
    }
    make_model(root / "model", data=data)
    assert unseen(here, material).leaking == ()
    del data["validation_groups"]
    make_model(root / "model", data=data)
    with pytest.raises(UsageProblem, match="3 of the 6 groups that validate or test"):
        unseen(here, material)


def make_model(folder: Path, **values: object) -> None:
    """A model folder that says of its data what is given."""
    folder.mkdir(exist_ok=True)
    card = small_model()
    for name in FILES:
        (folder / name).write_bytes((card.folder / name).read_bytes())
    write_card(dataclasses.replace(card, **values), folder)  # type: ignore[arg-type]


def test_a_group_that_leaks_by_the_folders_own_table_is_not_held_out(root: Path) -> None:
    rows = gather(TINY, root, root / "none").rows
    alone = [dataclasses.replace(row, group=f"alone {row.file}") for row in rows]
    tested = next(row.file for row in rows if row.part == "test")
    alone = [dataclasses.replace(row, part="train") if row.file == tested else row for row in alone]
    write_split(root / "alone.csv", alone)
    options = dataclasses.replace(TINY, split_file=str(root / "alone.csv"), allow_leakage=True)
    material = gather(options, root, root / "none")
    group = next(row.group for row in rows if row.file == tested)
    assert material.leaking == (group,)
    sibling = next(row.file for row in rows if row.group == group and row.file != tested)
    held = {row.file for row in alone if row.part == "test"} - {sibling}
    assert material.held_groups == tuple(sorted(f"alone {file}" for file in held))


def draw_organ(folder: Path, names: Iterable[str]) -> None:
    """Counter-examples: two folders of pictures in a colour of their own."""
    for name in names:
        for part in ("a", "b"):
            rng = np.random.default_rng([*name.encode(), *part.encode()])
            (folder / part).mkdir(parents=True, exist_ok=True)
            noise = np.clip(rng.normal((90, 160, 90), 25, (SIDE, SIDE, 3)), 0, 255)
            Image.fromarray(noise.astype(np.uint8)).save(folder / part / f"{name}.png")


def test_other_counter_examples_are_other_data(root: Path) -> None:
    draw_organ(root / "organ", [f"m{number}" for number in range(6)])
    options = dataclasses.replace(TINY, counter_examples=("organ",))
    list(train(options, root, root / "model", ("alone",)))
    list(train(options, root, root / "model", ("alone",)))  # the same ones go on
    before = gather(options, root, root / "none")
    draw_organ(root / "organ", ["a1", "a2"])
    after = gather(options, root, root / "none")
    learnt, judged = (
        {part.samples.paths[row] for row in rows}
        for part, rows in (
            (before.foreign[0], before.foreign[0].split.train),
            (after.foreign[0], after.foreign[0].split.test),
        )
    )
    assert learnt & judged  # so the network may not be judged on these
    with pytest.raises(ModelError, match=r"alone\.pt was made with other options or data"):
        list(train(options, root, root / "model", ("alone",)))


def test_folds_of_other_counter_examples_are_refused_before_the_last_network(root: Path) -> None:
    draw_organ(root / "organ", [f"m{number}" for number in range(6)])
    options = dataclasses.replace(TINY, counter_examples=("organ",), folds=2, split=(0.8, 0.2, 0.0))
    events = train(options, root, root / "model")
    for event in events:
        if isinstance(event, RunStarted) and event.number == 3:
            break
    events.close()
    draw_organ(root / "organ", ["a1", "a2"])
    with pytest.raises(UsageProblem, match="Fold 1 was trained with other counter-examples"):
        list(train(options, root, root / "model"))


def test_the_size_of_the_input_shapes_a_head(root: Path) -> None:
    small = dataclasses.replace(TINY, head_fit=Head(), input_px=32)
    plain = dataclasses.replace(small, input_px=0)
    assert small.fingerprint("head") != plain.fingerprint("head")
    assert small.fingerprint("alone") == plain.fingerprint("alone")
    said = dataclasses.replace(small, input_px=SIDE)  # what it is without a word
    assert said.fingerprint("head") == plain.fingerprint("head")


def test_copies_of_what_judges_are_not_learnt_whatever_their_groups(root: Path) -> None:
    shutil.copytree(root / "drawn", root / "more")
    (root / "drawn" / "groups.csv").unlink()  # so that groups are found, with names of their own
    options = dataclasses.replace(TINY, more_pictures=("more",), more_in=("alone",))
    material = gather(options, root, root / "none")
    judging = [*material.split.validation, *material.split.test]
    judged = {pixels.tobytes() for pixels in material.squares.of(np.array(judging))}
    assert material.more is not None
    learnt = {pixels.tobytes() for pixels in material.more.pictures.pixels.numpy()}
    assert not judged & learnt
    assert learnt  # the pictures of other groups are
    table = {row.file: row.group for row in read_groups(root / "more" / "groups.csv").values()}
    groups = {table[material.rows[row].file] for row in judging}
    left = sum(group in groups for group in table.values())
    assert f"left out {left} of groups that judge" in material.more.text


def test_groups_that_were_found_are_not_those_of_other_pictures(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "drawn" / "groups.csv").unlink()
    work = root / "model" / "training"
    keep_records(TINY, gather(TINY, root, work), work)
    with monkeypatch.context() as patch:
        patch.setattr(dealing, "find_similar", None)  # not asked for the same pictures
        gather(TINY, root, work)
    one, two = "lung_n/0.png", "lung_n/9.png"
    shutil.copy(root / "drawn" / one, root / "drawn" / two)  # another picture under an old name
    group = {row.file: row.group for row in gather(TINY, root, work).rows}
    assert group[one] == group[two]
