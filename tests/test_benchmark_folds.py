"""Networks beside each other on the same folds, and what would have kept wrong answers back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra train")

from lungscan.dataset.folds import Fold
from lungscan.dataset.resampling import GroupBootstrap
from lungscan.dataset.splits import SplitRow
from lungscan.evaluation.figures import basic_figures
from lungscan.training.calibrate import fit_temperature, softmax
from lungscan.training.nested import judged_of
from lungscan.training.out_of_fold import write_answers

HERE = Path(__file__).parents[1] / "benchmarks"
NAMES = ("benign", "tumour")
GROUPS = 60  # of two pictures each


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HERE)  # the scripts import each other by name


def write_set(
    folder: Path, wrong: set[int], *, sure: float = 4.0, doubted: float = 0.0, folds: int = 2
) -> None:
    """Answers of a network that gets the groups ``wrong`` wrong, and is as far from these as
    ``doubted`` says; every logit is ``sure`` times something near 1.
    """
    rng = np.random.default_rng(len(wrong))
    for number in range(1, folds + 1):
        groups = [group for group in range(GROUPS) if group % folds == number - 1]
        rows, logits, distances = [], [], []
        for group in groups:
            for picture in "ab":
                truth = group % 2 if folds == 2 else group // 2 % 2
                named = 1 - truth if group in wrong else truth
                strength = sure * rng.uniform(0.8, 1.2)
                rows.append(SplitRow(f"{group}{picture}.png", NAMES[truth], str(group), "test"))
                logits.append([strength * (named == 0), strength * (named == 1), -5.0])
                distances.append(1 + doubted * (group in wrong) + rng.uniform(0, 0.1))
        path = folder / "folds" / str(number) / "training" / "out-of-fold.csv"
        path.parent.mkdir(parents=True)
        fold, counts = Fold(number, folds), np.ones(len(rows), np.int64)
        logit_rows = np.array(logits, np.float32)
        write_answers(path, rows, fold, NAMES, logit_rows, counts, np.array(distances))


def cells(text: str, start: str) -> list[str]:
    """The cells of a table's row."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_two_networks_are_paired_on_the_same_folds(tmp_path: Path) -> None:
    import folds

    write_set(tmp_path / "good", {0, 1, 2})
    write_set(tmp_path / "worse", {0, 1, 2, 3, 4, 5})
    sets = [f"{name}={tmp_path / name}" for name in ("good", "worse")]
    assert folds.main([*sets, "--write", str(tmp_path / "table.md")]) == 0
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert text.startswith("120 fields in 60 groups, 2 folds:")
    good, worse = cells(text, "good"), cells(text, "worse")
    assert good[1].startswith("95.0 % (")
    assert worse[1].startswith("90.0 % (")
    _, _, gain, _, only_a, only_b = next(
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| good | worse |")
    )
    assert gain.startswith("+5.0 (")
    assert (only_a, only_b) == ("6", "0")


def test_temperature_is_that_of_the_other_folds(tmp_path: Path) -> None:
    """A fold without a single error would make itself surer than the others allow."""
    import folds

    wrong = {0, 2, 4, 6, 8}  # all in the first fold
    write_set(tmp_path / "net", wrong)
    answers = folds.load(str(tmp_path / "net"))
    judged = judged_of(answers)
    first = answers.numbers == 1
    for own in (first, ~first):
        wanted = fit_temperature(answers.logits[~own], answers.truth[~own])
        np.testing.assert_allclose(
            judged.probs[own], softmax(answers.logits[own], wanted), rtol=1e-6
        )
    assert judged.confidence[~first].mean() < judged.confidence[first].mean()
    accuracy = basic_figures(judged, GroupBootstrap(judged.groups))[0]
    assert accuracy.value == pytest.approx(1 - 10 / 120)


def test_the_measure_that_knows_the_errors_keeps_them_back(tmp_path: Path) -> None:
    import folds

    write_set(tmp_path / "net", {0, 1, 2}, doubted=5.0)
    write_set(tmp_path / "other", set())
    sets = [f"{name}={tmp_path / name}" for name in ("net", "other")]
    out = tmp_path / "table.md"
    assert folds.main([*sets, "--rejectors", "net", "--write", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert "1 further networks in the ensemble" in text
    assert cells(text, "distance")[1].startswith("0.0 % (")
    assert cells(text, "ensemble")[1].startswith("0.0 % (")  # the other network is right there
    assert not cells(text, "confidence")[1].startswith("0.0 %")


def test_a_cascade_asks_the_full_network_only_where_the_fast_one_is_unsure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import cascade
    import folds

    write_set(tmp_path / "fast", set(range(10)))
    write_set(tmp_path / "full", {0, 2, 3})
    sets = [f"{name}={tmp_path / name}" for name in ("fast", "full")]
    assert folds.main([*sets, "--cascade", "fast,full"]) == 0
    text = capsys.readouterr().out
    assert cells(text, "0.5")[1].startswith("100.0 %")
    assert cells(text, "0.5")[3].startswith("83.3 %")  # as the fast one alone: 10 of 60 wrong
    assert cells(text, "0.99")[1].startswith("0.0 %")
    assert cells(text, "0.99")[4].startswith("0.0 (")  # as the full one alone
    fast, full = (judged_of(folds.load(str(tmp_path / name))) for name in ("fast", "full"))
    limit = float(np.median(fast.confidence))
    both, sure = cascade.joined(fast, full, limit), fast.confidence >= limit
    assert 0 < sure.mean() < 1
    np.testing.assert_array_equal(both.forced[sure], fast.forced[sure])
    np.testing.assert_array_equal(both.confidence[~sure], full.confidence[~sure])
    assert folds.main([*sets, "--cascade", "fast"]) == 2
    assert "--cascade takes two of fast, full" in capsys.readouterr().err


def test_sets_of_other_deals_cannot_be_paired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import folds

    write_set(tmp_path / "two", {0})
    write_set(tmp_path / "three", {0}, folds=3)
    assert folds.main([f"a={tmp_path / 'two'}", f"b={tmp_path / 'three'}"]) == 2
    assert "not judged on the same folds of the same pictures" in capsys.readouterr().err
    assert folds.main([f"a={tmp_path / 'nowhere'}"]) == 2
    assert "holds no fold with out-of-fold.csv" in capsys.readouterr().err
    assert folds.main([f"a={tmp_path / 'two'}", "--pair", "a,c"]) == 2
    assert "--pair takes two of a" in capsys.readouterr().err
    (tmp_path / "three" / "folds" / "2" / "training" / "out-of-fold.csv").unlink()
    assert folds.main([f"a={tmp_path / 'three'}"]) == 2
    assert "answers of fold 2 are missing" in capsys.readouterr().err


def test_the_page_of_results_begins_with_the_folds(tmp_path: Path) -> None:
    import results

    figure = {"value": 0.97, "low": 0.95, "high": 0.98}
    evaluation = {
        "metrics": [{"name": "accuracy", **figure}],
        "classes": [],
        "robustness": [],
        "data": {"fields": 120, "groups": 60},
    }
    card = {
        "name": "drawn",
        "command": "lungscan train",
        "seed": 0,
        "metrics": [{"name": "accuracy teacher", **figure}],
        "coverage": [[0.95, 0.99, 0.98, 1.0], [0.96, 0.985, 0.97, 1.0], [1.0, 0.97, 0.95, 0.98]],
        "data": {"protocol": "grouped", "folds": [0.96, 0.98]},
    }
    single = card | {"data": {"protocol": "grouped"}, "seed": 7}
    runs = [results.Run("one", single, evaluation), results.Run("five", card, evaluation)]
    text = results.document(runs, "PAIRED TABLES")
    order = [
        "## drawn: 2-fold cross-validation by group",
        "| 95 % | 99.0 % (98.0 to 100.0) | 1.0 % |",
        "## Networks on the same folds\n\nPAIRED TABLES",
        "## Grouped split",
        "| figure | seed 7 |",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "| 96 % |" not in text


def test_some_folds_are_joined_only_when_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import folds

    write_set(tmp_path / "half", {0, 1}, folds=4)
    for number in (2, 4):
        (tmp_path / "half" / "folds" / str(number) / "training" / "out-of-fold.csv").unlink()
    assert folds.main([f"a={tmp_path / 'half'}"]) == 2
    assert "fold 2, 4 are missing" in capsys.readouterr().err
    assert folds.main([f"a={tmp_path / 'half'}", "--some"]) == 0
    assert capsys.readouterr().out.startswith("60 fields in 30 groups, folds 1 and 3 of 4:")
