"""Out-of-fold answers: written for each fold, joined over all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra train")

from lungscan.dataset.folds import Fold
from lungscan.dataset.pixels import Squares
from lungscan.dataset.samples import Samples
from lungscan.dataset.splits import Split, SplitRow
from lungscan.errors import UsageProblem
from lungscan.training.answered import foreign_rows
from lungscan.training.counter_examples import Foreign
from lungscan.training.joined import fields_of
from lungscan.training.out_of_fold import read_answers, write_answers

NAMES = ("Lung_ACA", "lung_n")  # as folders are called, capitals and all


def write(folder: Path, fold: Fold, files: str, names: tuple[str, ...] = NAMES) -> Path:
    """A table for the pictures named by single letters; the logits of ``a`` are 0, 1 and 0."""
    path = folder / f"{fold.number}.csv"
    rows = [SplitRow(f"{name}.png", "lung_n", f"group of {name}", "test") for name in files]
    logits = np.array([[ord(name) - ord("a"), 1, 0] for name in files], np.float32)
    write_answers(path, rows, fold, names, logits, np.ones(len(rows), np.int64))
    return path


def test_all_folds_become_one_table(tmp_path: Path) -> None:
    paths = [write(tmp_path, Fold(2, 2), "ac"), write(tmp_path, Fold(1, 2), "b")]
    found = read_answers(paths)
    assert found.files == ("a.png", "b.png", "c.png")
    assert found.groups == ("group of a", "group of b", "group of c")
    assert found.folds == (Fold(2, 2), Fold(1, 2), Fold(2, 2))
    assert (found.class_names, found.labels) == (NAMES, ("lung_n",) * 3)
    e = np.e
    np.testing.assert_allclose(found.probs[0], [1 / (1 + e), e / (1 + e)], rtol=1e-6)
    np.testing.assert_allclose(found.probs.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(found.counter_example[0], 1 / (2 + e), rtol=1e-6)


def test_the_pictures_of_a_fold_are_judged_at_their_own_scale(tmp_path: Path) -> None:
    found = read_answers([write(tmp_path, Fold(2, 2), "ac"), write(tmp_path, Fold(1, 2), "b")])
    paths = tuple(tmp_path / f"{name}.png" for name in "abc")
    samples = Samples(paths, np.zeros(3, np.int64), ("",) * 3, NAMES, (0.25, 0.5, None))
    fields = fields_of(found, tmp_path, 2, samples.scales)
    assert [(field.file, field.um_px) for field in fields] == [("a.png", 0.25), ("c.png", None)]
    none = Samples(paths, np.zeros(3, np.int64), ("",) * 3, NAMES)
    assert {field.um_px for field in fields_of(found, tmp_path, 2, none.scales)} == {None}


def test_two_folders_of_counter_examples_may_name_their_groups_alike(tmp_path: Path) -> None:
    def rows(folder: str, tested: int) -> list[SplitRow]:
        paths = tuple(tmp_path / folder / f"{number}.png" for number in range(2))
        samples = Samples(paths, np.zeros(2, np.int64), ("1", "2"), (folder,))
        none, test = np.zeros(0, np.int64), np.array([tested])
        squares = Squares(np.zeros((2, 8, 8, 3), np.uint8), np.ones(2, np.int64))
        return foreign_rows(
            Foreign(folder, samples, Split(none, none, test), squares, ""), tmp_path
        )

    tables = []
    for number in (1, 2):  # group 1 of the one is judged by another fold than group 1 of the other
        both = [*rows("colon", number - 1), *rows("mouth", 2 - number)]
        path = tmp_path / f"{number}.csv"
        write_answers(path, both, Fold(number, 2), NAMES, np.zeros((2, 3)), np.ones(2, np.int64))
        tables.append(path)
    found = read_answers(tables)
    assert found.groups == ("colon/1", "colon/2", "mouth/1", "mouth/2")


def test_a_table_keeps_what_a_float_holds(tmp_path: Path) -> None:
    path = write(tmp_path, Fold(1, 2), "z")  # a logit of 25: all but one part in 10^10
    other = write(tmp_path, Fold(2, 2), "a")
    low = read_answers([path, other]).probs[1, 1]
    np.testing.assert_allclose(low, np.exp(1 - 25), rtol=1e-5)


def test_a_picture_of_several_squares_answers_with_their_mean(tmp_path: Path) -> None:
    rows = [SplitRow(f"{name}.png", "lung_n", name, "test") for name in "ab"]
    logits = np.array([[0, 0, 0], [9, 9, 0], [0, np.log(3), 0]], np.float32)
    path = tmp_path / "1.csv"
    write_answers(path, rows, Fold(1, 2), NAMES, logits, np.array([1, 2]))
    found = read_answers([path, write(tmp_path, Fold(2, 2), "c")])
    np.testing.assert_allclose(found.probs[:2], [[0.5, 0.5], [0.375, 0.625]], rtol=1e-6)
    other = (1 / (2 * np.exp(9) + 1) + 1 / 5) / 2
    np.testing.assert_allclose(found.counter_example[:2], [1 / 3, other], rtol=1e-5)


def test_what_is_no_whole_deal_is_refused(tmp_path: Path) -> None:
    first = write(tmp_path, Fold(1, 3), "ab")
    second = write(tmp_path, Fold(2, 3), "c")
    with pytest.raises(UsageProblem, match="of fold 3 are missing"):
        read_answers([first, second])
    with pytest.raises(UsageProblem, match=r"b\.png was judged by two folds"):
        read_answers([first, second, write(tmp_path, Fold(3, 3), "b")])
    with pytest.raises(UsageProblem, match="other classes"):
        read_answers([first, write(tmp_path, Fold(3, 3), "d", ("lung_n", "lung_scc"))])
    with pytest.raises(UsageProblem, match="number of folds differs"):
        read_answers([first, write(tmp_path, Fold(4, 4), "d")])
    with pytest.raises(UsageProblem, match="no table"):
        read_answers([])


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, Fold(1, 2), "a")
    path.write_text(path.read_text(encoding="utf-8").replace("0.26", "o.26"), encoding="utf-8")
    with pytest.raises(UsageProblem, match="is no probability"):
        read_answers([path, write(tmp_path, Fold(2, 2), "b")])
    path.write_text("file,label\n", encoding="utf-8")
    with pytest.raises(UsageProblem, match="has no column"):
        read_answers([path])
