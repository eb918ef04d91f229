"""Several sources: pooled with their own scales, groups and class names, balanced, left out."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

from lungscan.errors import UsageProblem
from lungscan.evaluation.labelled import load_material
from lungscan.evaluation.options import DataOptions
from lungscan.evaluation.records import FieldAnswer, Seen
from lungscan.model.checked import read_card
from lungscan.training import joined_sources
from lungscan.training.data import confounded, contradicted, gather, training_pictures
from lungscan.training.events import StageFinished
from lungscan.training.fit import squares_of_epoch
from lungscan.training.judge import by_source
from lungscan.training.options import Fit, Phase, TrainOptions, changed, load_options
from lungscan.training.out_of_fold import ANSWERS_FILE, read_answers
from lungscan.training.records import keep_records
from lungscan.training.sources import DataSource
from lungscan.training.train import train
from lungscan.types import CaseStatus
from tests.drawing import draw_he
from tests.training_data import SIDE

THEIRS = {"adeno": "lung_aca", "benign": "lung_n", "squamous": "lung_scc"}
ONE = DataSource("one", "first", um_px=4.0)
TWO = DataSource("two", "second", um_px=2.0, classes=tuple(THEIRS.items()))


def draw_both(root: Path, groups: int = 5) -> None:
    """Ours of 64 px at 4 µm/px; another laboratory's of 128 px at 2, of another stain."""
    for folder, size, stain in (("first", SIDE, (1, 1, 1)), ("second", 2 * SIDE, (0.8, 1.3, 1.1))):
        rows = []
        for number, (theirs, ours) in enumerate(THEIRS.items()):
            name = ours if folder == "first" else theirs
            (root / folder / name).mkdir(parents=True)
            for index in range(2 * groups):
                picture = draw_he(size, size, 100 * number + index) / 255
                made = 255 * picture ** (np.array(stain) * (1 + number / 2))
                file = f"{name}/{index}.png"
                Image.fromarray(made.astype(np.uint8)).save(root / folder / file)
                rows.append((file, name, f"{ours}-{index // 2}"))  # the same names in both
        write_table(root / folder, rows)


def write_table(folder: Path, rows: list[tuple[str, str, str]], *more: str) -> None:
    with (folder / "groups.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("file", "label", "group", *("um_px" for _ in more)))
        writer.writerows((*row, *more) for row in rows)


def recipe(*sources: DataSource, leave_out: str = "", epochs: int = 1) -> TrainOptions:
    phases = (Phase(epochs, 32, (40, 64)),)
    fit = Fit(phases, 8, 2e-3, ema_decay=0.5, mixup=0.0)
    return TrainOptions(
        name="both",
        sources=sources or (ONE, TWO),
        leave_out=leave_out,
        drawn_examples=8,
        teacher="test_efficientnet",
        student="test_efficientnet",
        field_px=SIDE,
        spacing_um_px=4.0,
        teacher_fit=fit,
        student_fit=fit,
        threads=1,
        device="cpu",
    )


def test_sources_are_pooled_with_their_scales_groups_and_classes(tmp_path: Path) -> None:
    draw_both(tmp_path)
    found = gather(recipe(), tmp_path, tmp_path / "work")
    assert found.skipped == ()
    assert found.samples.class_names == ("lung_aca", "lung_n", "lung_scc")
    assert len(found.samples.paths) == 60
    # 128 px at 0.25 µm show as much as 64 at 0.5: one square each, at one size.
    assert found.squares.counts.tolist() == [1] * 60
    assert found.squares.pixels.shape == (60, SIDE, SIDE, 3)
    assert set(found.samples.um_px) == {4.0, 2.0}
    by_file = {row.file: row for row in found.rows}
    assert by_file["second/adeno/0.png"].label == "lung_aca"
    assert by_file["second/adeno/0.png"].group == "two/lung_aca-0"
    assert by_file["first/lung_aca/0.png"].group == "one/lung_aca-0"
    assert found.leaking == ()


def test_groups_found_in_a_source_are_not_those_of_other_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_both(tmp_path)
    (tmp_path / "first" / "groups.csv").unlink()
    work = tmp_path / "work"
    keep_records(recipe(), gather(recipe(), tmp_path, work), work)
    with monkeypatch.context() as patch:
        patch.setattr(joined_sources, "find_similar", None)  # not asked for the same pictures
        gather(recipe(), tmp_path, work)
    one, two = "first/lung_n/0.png", "first/lung_n/9.png"
    shutil.copy(tmp_path / one, tmp_path / two)  # another picture under an old name
    group = {row.file: row.group for row in gather(recipe(), tmp_path, work).rows}
    assert group[one] == group[two]


def test_a_picture_is_cut_at_its_own_scale(tmp_path: Path) -> None:
    draw_both(tmp_path)
    finer = dataclasses.replace(TWO, um_px=1.0)  # now a picture shows a quarter of a square
    coarser = dataclasses.replace(TWO, um_px=4.0)  # and now four squares
    counts = [
        gather(recipe(ONE, other), tmp_path, tmp_path / "work").squares.counts[-1]
        for other in (finer, TWO, coarser)
    ]
    assert counts == [1, 1, 4]
    prints = {
        gather(recipe(ONE, other), tmp_path, tmp_path / "work").fingerprint_sha256
        for other in (TWO, coarser)
    }
    assert len(prints) == 2  # checkpoints of other squares are not taken up


def test_the_tables_scale_goes_before_the_sources(tmp_path: Path) -> None:
    draw_both(tmp_path)
    rows = [
        (f"{name}/{number}.png", name, f"{name}-{number // 2}")
        for name in THEIRS
        for number in range(10)
    ]
    write_table(tmp_path / "second", rows, "2.0")
    without = dataclasses.replace(TWO, um_px=9.0)
    found = gather(recipe(ONE, without), tmp_path, tmp_path / "work")
    assert set(found.samples.um_px) == {4.0, 2.0}
    write_table(tmp_path / "second", rows, "fine")
    with pytest.raises(UsageProblem, match=r"line 2: um_px is 'fine'; it wants µm per pixel"):
        gather(recipe(ONE, without), tmp_path, tmp_path / "work")


def test_an_epoch_shows_all_sources_alike() -> None:
    counts = np.array([1, 1, 1, 1, 1, 4, 4, 1])  # five, two, and one counter-example
    sources = np.array([0, 0, 0, 0, 0, 1, 1])
    shown = squares_of_epoch(counts, np.random.default_rng(0), sources)
    of_square = np.repeat(np.arange(8), counts)
    per_picture = np.bincount(of_square[shown], minlength=8)
    times = 2  # the mean of the squares, rounded up
    assert per_picture[:5].tolist() == [times] * 5
    assert sorted(per_picture[5:7].tolist()) == [2 * times, 3 * times]
    assert per_picture[:5].sum() == per_picture[5:7].sum()
    assert per_picture[7] == times
    larger = int(np.argmax(per_picture[5:7])) + 5
    once = np.bincount(shown, minlength=14)[of_square == larger]
    assert once.min() >= 1  # every square of it, before any is shown again
    again = [squares_of_epoch(counts, np.random.default_rng(n), sources) for n in range(20)]
    most = {int(np.bincount(of_square[rows])[5:7].argmax()) for rows in again}
    assert most == {0, 1}  # which one is shown once more changes


def test_one_source_is_shown_as_ever() -> None:
    counts = np.array([1, 3, 2])
    ours = squares_of_epoch(counts, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    expected = [
        np.resize(rng.permutation(np.arange(*ends)), 2) for ends in ((0, 1), (1, 4), (4, 6))
    ]
    assert ours.tolist() == np.concatenate(expected).tolist()


def test_training_pictures_know_their_source(tmp_path: Path) -> None:
    draw_both(tmp_path)
    found = gather(recipe(), tmp_path, tmp_path / "work")
    pictures = training_pictures(found)
    assert pictures.sources is not None
    assert np.bincount(pictures.sources).min() >= 15
    one = TrainOptions(name="x", data="first", field_px=SIDE)
    assert training_pictures(gather(one, tmp_path, tmp_path / "work")).sources is None


def test_a_source_left_out_is_the_test_part_and_nothing_else_is(tmp_path: Path) -> None:
    draw_both(tmp_path)
    found = gather(recipe(leave_out="two"), tmp_path, tmp_path / "work")
    parts = {
        part: {row.file.split("/")[0] for row in found.rows if row.part == part}
        for part in ("train", "validation", "test")
    }
    assert parts == {"train": {"first"}, "validation": {"first"}, "test": {"second"}}
    assert len(found.split.test) == 30
    labels = found.samples.labels
    assert set(labels[found.split.train]) == set(labels[found.split.validation]) == {0, 1, 2}


def test_each_source_is_judged_by_a_model_that_never_saw_it(tmp_path: Path) -> None:
    draw_both(tmp_path)
    tables = []
    for name in ("one", "two"):
        out = tmp_path / name
        options = dataclasses.replace(recipe(leave_out=name), teacher="")  # one network is enough
        for _ in train(options, tmp_path, out):
            pass
        card = read_card(out)
        accuracy = next(metric for metric in card.metrics if metric.name == "accuracy")
        assert (accuracy.n, accuracy.groups) == (30, 15)
        own = next(m for m in card.metrics if m.name == f"accuracy source {name}")
        assert (own.value, own.n) == (accuracy.value, 30)
        assert f"The source {name} took no part" in card.data["figures"]
        assert card.data["summary"].startswith("first + second: ")
        tables.append(out / "training" / ANSWERS_FILE)
        # Each source's folder is known when it comes alone, under its own names and classes.
        learnt, held = ("second", "first") if name == "one" else ("first", "second")
        note = load_material(DataOptions(tmp_path / learnt)).note(card)
        assert (note.seen, note.seen_groups) == (Seen.YES, 15)
        assert load_material(DataOptions(tmp_path / held)).note(card).seen is Seen.NO
    found = read_answers(tables)
    assert len(found.files) == 60
    folds = dict(zip(found.files, map(str, found.folds), strict=True))
    assert (folds["first/lung_n/3.png"], folds["second/benign/3.png"]) == ("1/2", "2/2")
    with tables[1].open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["source"] for row in rows} == {"two"}


def test_an_option_at_its_default_leaves_old_checkpoints_valid() -> None:
    old = TrainOptions(name="x", data="lung")
    assert old.fingerprint("student", "0") != recipe().fingerprint("student", "0")
    moved = recipe(ONE, dataclasses.replace(TWO, um_px=3.0))
    assert moved.fingerprint("student", "0") != recipe().fingerprint("student", "0")
    left = recipe(leave_out="two")
    assert left.fingerprint("student", "0") != recipe().fingerprint("student", "0")


def test_a_recipe_says_its_sources_in_tables(tmp_path: Path) -> None:
    path = tmp_path / "both.toml"
    path.write_text(
        'name = "both"\n'
        '[[sources]]\nname = "one"\ndata = "first"\num_px = 4.0\n'
        '[[sources]]\nname = "two"\ndata = "second"\num_px = 2.0\n'
        '[sources.classes]\nadeno = "lung_aca"\nbenign = "lung_n"\nsquamous = "lung_scc"\n',
        encoding="utf-8",
    )
    options = load_options(path)
    assert options.sources == (ONE, TWO)
    other = changed(options, ('sources=[{name="a", data="b", um_px=1.0}]', 'leave_out="a"'))
    assert other.sources == (DataSource("a", "b", 1.0),)
    assert other.leave_out == "a"


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('name = "one"\ndata = "other"', "two sources are called one"),
        ('name = "ONE"\ndata = "other"', "two sources are called one"),
        ('name = "two"\ndata = "first"', "name the same folder"),
        ('name = "a/b"\ndata = "other"', "name of a source must be letters"),
        ('name = "two"\ndata = ""', "must name its folder"),
        ('name = "two"', "data"),
        ('name = "two"\ndata = "other"\num_px = 50', "must be µm per pixel, 0.05 to 10"),
        ('name = "two"\ndata = "other"\num_px = "fine"', "must be µm per pixel"),
        ('name = "two"\ndata = "other"\nclasses = { a = 3 }', "maps the class 'a' to no name"),
        ('name = "two"\ndata = "other"\nscale = 3', "scale"),
    ],
)
def test_a_source_that_cannot_be_is_refused(tmp_path: Path, table: str, why: str) -> None:
    path = tmp_path / "both.toml"
    text = f'name = "x"\n[[sources]]\nname = "one"\ndata = "first"\n[[sources]]\n{table}\n'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageProblem, match=why):
        load_options(path)


@pytest.mark.parametrize(
    ("sources", "leave", "why"),
    [
        ((ONE, dataclasses.replace(TWO, um_px=0.0)), "", "two does not say its scale: adeno/0.png"),
        (
            (ONE, dataclasses.replace(TWO, classes=(("adeno", "lung_aca"),))),
            "",
            "has the class 'benign', which its table classes does not map",
        ),
        (
            (ONE, dataclasses.replace(TWO, classes=(("tumour", "lung_aca"),))),
            "",
            "maps the class 'tumour', but second has adeno, benign, squamous",
        ),
        ((ONE, dataclasses.replace(TWO, data="nowhere")), "", "no data folder"),
        ((ONE, TWO), "three", "no source 'three' to leave out; the recipe has one, two"),
        ((ONE,), "one", "wants a recipe with two"),
        (
            (ONE, DataSource("two", "second", 2.0)),
            "two",
            "cannot be left out: the others have no groups of class adeno",
        ),
    ],
)
def test_what_cannot_be_pooled_or_left_out_is_refused(
    tmp_path: Path, sources: tuple[DataSource, ...], leave: str, why: str
) -> None:
    draw_both(tmp_path)
    with pytest.raises(UsageProblem, match=why):
        gather(recipe(*sources, leave_out=leave), tmp_path, tmp_path / "work")


def test_a_picture_of_two_sources_is_refused(tmp_path: Path) -> None:
    draw_both(tmp_path)
    (tmp_path / "second" / "benign" / "3.png").write_bytes(
        (tmp_path / "first" / "lung_n" / "4.png").read_bytes()
    )
    sentence = "first/lung_n/4.png and second/benign/3.png are the same picture, so the sources one"
    with pytest.raises(UsageProblem, match=sentence):
        gather(recipe(), tmp_path, tmp_path / "work")


def test_one_picture_with_two_labels_is_reported(tmp_path: Path) -> None:
    draw_both(tmp_path)
    alone = dataclasses.replace(recipe(ONE), allow_leakage=True)
    assert contradicted(gather(alone, tmp_path, tmp_path / "before")) == ""
    twin = (tmp_path / "first" / "lung_n" / "4.png").read_bytes()
    (tmp_path / "first" / "lung_aca" / "3.png").write_bytes(twin)
    sentence = contradicted(gather(alone, tmp_path, tmp_path / "after"))
    both = "first/lung_aca/3.png and first/lung_n/4.png"
    assert sentence.startswith(f"{both} are one picture with two labels")


def test_a_class_of_one_source_alone_is_reported(tmp_path: Path) -> None:
    draw_both(tmp_path)
    two = tuple((name, "" if name == "benign" else ours) for name, ours in THEIRS.items())
    options = recipe(ONE, dataclasses.replace(TWO, classes=two))
    sentence = confounded(options, gather(options, tmp_path, tmp_path / "work"))
    assert sentence.startswith("In one source alone: lung_n (one). ")
    assert confounded(recipe(), gather(recipe(), tmp_path, tmp_path / "work")) == ""
    events = train(options, tmp_path, tmp_path / "out", ("teacher",))
    assert sentence in [event.detail for event in events if isinstance(event, StageFinished)]


def test_figures_are_given_by_source_where_several_are_judged(tmp_path: Path) -> None:
    draw_both(tmp_path)
    material = gather(recipe(), tmp_path, tmp_path / "work")
    answers = [
        FieldAnswer(file, label, group, CaseStatus.OK, forced, forced, 0.9, (), "")
        for file, label, group, forced in (
            ("first/lung_n/0.png", "lung_n", "one/lung_n-0", "lung_n"),
            ("first/lung_n/1.png", "lung_n", "one/lung_n-0", "lung_n"),
            ("second/benign/0.png", "lung_n", "two/lung_n-0", "lung_aca"),
            ("second/benign/2.png", "lung_n", "two/lung_n-1", "lung_n"),
        )
    ]
    found = {m.name: (m.value, m.n, m.groups) for m in by_source(answers, recipe(), material)}
    assert found == {"accuracy source one": (1.0, 2, 1), "accuracy source two": (0.5, 2, 2)}
    one = TrainOptions(name="x", data="first", field_px=SIDE)
    assert by_source(answers, one, gather(one, tmp_path, tmp_path / "work")) == ()


def test_further_pictures_of_a_group_that_judges_are_not_learnt(tmp_path: Path) -> None:
    """Their table knows nothing of sources: its groups are those of the folder."""
    draw_both(tmp_path)
    shutil.copytree(tmp_path / "first", tmp_path / "more")
    options = dataclasses.replace(recipe(), more_pictures=("more",), more_in=("student",))
    found = gather(options, tmp_path, tmp_path / "work")
    assert found.more is not None
    parts = {row.group: row.part for row in found.rows}
    free = [
        group
        for group in {row.group.partition("/")[2] for row in found.rows}
        if parts[f"one/{group}"] == parts[f"two/{group}"] == "train"
    ]
    assert len(free) > 0
    assert len(found.more.pictures.labels) == 2 * len(free)


def test_classes_can_be_left_out_and_joined(tmp_path: Path) -> None:
    draw_both(tmp_path)
    two = (("adeno", "lung_aca"), ("benign", ""), ("squamous", "lung_aca"))
    found = gather(recipe(ONE, dataclasses.replace(TWO, classes=two)), tmp_path, tmp_path / "work")
    theirs = [row for row in found.rows if row.file.startswith("second/")]
    assert len(theirs) == 20
    assert {row.label for row in theirs} == {"lung_aca"}


def test_other_deals_do_not_go_with_a_source_left_out(tmp_path: Path) -> None:
    draw_both(tmp_path)
    for more in ({"fold": "1/2"}, {"protocol": "random"}, {"split_file": "split.csv"}):
        options = dataclasses.replace(recipe(leave_out="two"), **more)  # type: ignore[arg-type]
        with pytest.raises(UsageProblem, match=r"by itself|give one of them"):
            gather(options, tmp_path, tmp_path / "work")
    both = dataclasses.replace(recipe(), data="first")
    with pytest.raises(UsageProblem, match=r"names the data folder 'first' and \[\[sources\]\]"):
        gather(both, tmp_path, tmp_path / "work")
