"""Grouped folds: every group judged once, every class in every fold, the same deal each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from lungscan.dataset.folds import Fold, read_fold, split_fold
from lungscan.dataset.listing import read_listing
from lungscan.dataset.samples import Samples
from lungscan.dataset.splits import split_by_group
from lungscan.errors import UsageProblem

SHARES = (0.9, 0.1, 0.0)
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "lc25000-lung"


def samples_of(groups: tuple[int, ...], pictures: int = 3) -> Samples:
    """``groups[k]`` groups of class k; group g holds up to ``pictures`` pictures."""
    names = [
        (label, f"{label}-{group}")
        for label, count in enumerate(groups)
        for group in range(count)
        for _ in range(1 + group % pictures)
    ]
    return Samples(
        tuple(Path(f"{row}.png") for row in range(len(names))),
        np.array([label for label, _ in names], np.int64),
        tuple(group for _, group in names),
        tuple(f"class {label}" for label in range(len(groups))),
    )


def judged_by_fold(samples: Samples, count: int, seed: int = 0) -> list[set[str]]:
    """The groups of each fold's test part."""
    folds = (split_fold(samples, Fold(n + 1, count), SHARES, seed) for n in range(count))
    return [{samples.groups[row] for row in fold.test} for fold in folds]


@pytest.mark.parametrize("groups", [(23, 17, 31), (5, 5), (7, 40), (126, 251, 250)])
def test_every_picture_is_judged_once_and_no_group_stands_on_two_sides(
    groups: tuple[int, ...],
) -> None:
    samples = samples_of(groups)
    judged: Counter[int] = Counter()
    for number in range(1, 6):
        split = split_fold(samples, Fold(number, 5), SHARES, seed=3)
        parts = (split.train, split.validation, split.test)
        assert sorted(np.concatenate(parts).tolist()) == list(range(len(samples.groups)))
        sides = [{samples.groups[row] for row in rows} for rows in parts]
        assert sum(len(side) for side in sides) == len(set(samples.groups))
        for rows in parts:
            assert set(samples.labels[rows].tolist()) == set(range(len(groups)))
        judged.update(split.test.tolist())
    assert judged == Counter(range(len(samples.groups)))


def test_every_fold_has_its_share_of_each_class() -> None:
    folds = judged_by_fold(samples_of((23, 17, 31)), 5)
    for label, count in enumerate((23, 17, 31)):
        sizes = {sum(group.startswith(f"{label}-") for group in fold) for fold in folds}
        assert sizes <= {count // 5, count // 5 + 1}
    assert {len(fold) for fold in folds} == {14, 15}  # 71 groups: no fold gets every remainder


def test_the_seed_alone_decides() -> None:
    samples = samples_of((20, 20))
    assert judged_by_fold(samples, 4) == judged_by_fold(samples, 4)
    assert judged_by_fold(samples, 4, seed=1) != judged_by_fold(samples, 4)
    shuffled = samples.take(np.random.default_rng(0).permutation(len(samples.groups)))
    assert judged_by_fold(shuffled, 4) == judged_by_fold(
        samples, 4
    )  # the order of pictures does not


def test_a_group_of_two_classes_is_judged_once() -> None:
    plain = samples_of((6, 6))
    both = Samples(
        (*plain.paths, Path("x.png"), Path("y.png")),
        np.concatenate([plain.labels, [0, 1]]),
        (*plain.groups, "both", "both"),
        plain.class_names,
    )
    assert sum("both" in fold for fold in judged_by_fold(both, 3)) == 1


def patients(holds: Sequence[str]) -> Samples:
    """A group for each text, with two pictures of each class that it names: a, b or c."""
    rows = [(label, f"p{n:02}") for n, text in enumerate(holds) for label in text * 2]
    return Samples(
        tuple(Path(f"{row}.png") for row in range(len(rows))),
        np.array(["abc".index(label) for label, _ in rows], np.int64),
        tuple(group for _, group in rows),
        ("a", "b", "c"),
    )


@pytest.mark.parametrize(
    "holds",
    [
        ["abc"] * 8,
        ["ab"] * 6 + ["ac"] * 7,
        ["ab"] * 9 + ["c"] * 5,
        ["abc"] * 3 + ["ab"] * 5 + ["c"] * 2,
    ],
    ids=["all of each", "each with normal", "two and one", "some"],
)
def test_patients_with_several_classes_are_dealt(holds: list[str]) -> None:
    samples = patients(holds)
    splits = [split_fold(samples, Fold(number, 4), (0.8, 0.2, 0.0), 0) for number in range(1, 5)]
    tested = [{samples.groups[row] for row in split.test} for split in splits]
    assert sum(map(len, tested)) == len(set().union(*tested)) == len(holds)
    for split in (*splits, split_by_group(samples, (0.7, 0.15, 0.15), 0)):
        parts = (split.train, split.validation, split.test)
        sides = [{samples.groups[row] for row in rows} for rows in parts]
        assert sum(map(len, sides)) == len(holds)  # no group on two sides
        assert all(set(samples.labels[rows].tolist()) == {0, 1, 2} for rows in parts)


def test_a_class_counts_the_groups_that_hold_it() -> None:
    with pytest.raises(UsageProblem, match="Class c has 2 groups; three at least"):
        split_by_group(patients(["abc"] * 2 + ["ab"] * 6), SHARES, 0)
    with pytest.raises(UsageProblem, match="Class c has 4 groups, too few for 5 folds"):
        split_fold(patients(["abc"] * 4 + ["ab"] * 6), Fold(1, 5), SHARES, 0)


def test_deals_of_before_stay_what_they_were() -> None:
    """Also with single groups of two classes: they are dealt with their first picture's."""
    digest = sha256()
    for samples in (samples_of((23, 17, 31)), patients(["a"] * 6 + ["b", "ba", "c"] * 5)):
        splits = [split_fold(samples, Fold(number, 5), SHARES, 3) for number in range(1, 6)]
        for split in (*splits, split_by_group(samples, (0.7, 0.15, 0.15), 3)):
            for rows in (split.train, split.validation, split.test):
                digest.update(rows.tobytes() + b"|")
    assert digest.hexdigest()[:16] == "e63e570af6c2813e"


def test_the_shares_hold_outside_of_the_fold() -> None:
    samples = samples_of((100, 100), pictures=1)
    split = split_fold(samples, Fold(2, 5), (0.6, 0.2, 0.2), seed=0)
    assert [len(rows) for rows in (split.train, split.validation, split.test)] == [120, 40, 40]


def test_too_few_groups_are_named() -> None:
    with pytest.raises(UsageProblem, match="Class class 1 has 4 groups, too few for 5 folds"):
        split_fold(samples_of((9, 4)), Fold(1, 5), SHARES, seed=0)
    with pytest.raises(UsageProblem, match="has 2 groups, too few for 2 folds"):
        split_fold(samples_of((2, 9)), Fold(1, 2), SHARES, seed=0)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared fields are not here")
def test_five_folds_of_the_shared_fields_judge_all_627_groups() -> None:
    samples = read_listing(SHARED, check=False).samples()
    folds = judged_by_fold(samples, 5)
    assert sum(len(fold) for fold in folds) == len(set().union(*folds)) == 627
    assert {len(fold) for fold in folds} == {125, 126}


def test_a_fold_is_written_as_people_say_it() -> None:
    assert read_fold(" 2/5 ") == Fold(2, 5)
    assert str(Fold(2, 5)) == "2/5"


@pytest.mark.parametrize("text", ["", "0/5", "6/5", "1/1", "2", "5", "-1/5", "1/5/2", "a/b", "٢/٥"])
def test_what_is_no_fold_is_refused(text: str) -> None:
    with pytest.raises(UsageProblem, match="is no fold"):
        read_fold(text)
