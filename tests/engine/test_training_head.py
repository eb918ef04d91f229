"""A last layer by logistic regression: the right minimum, honestly chosen, all else as it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

import torch
from torch import Tensor

from lungscan.dataset.samples import Samples
from lungscan.errors import ModelError, UsageProblem
from lungscan.model.checked import read_card
from lungscan.training.data import gather
from lungscan.training.events import EpochFinished, StageFinished, TrainEvent
from lungscan.training.head import ALWAYS, Pooled, inner_folds
from lungscan.training.logistic import Examples, fit_logistic, try_penalty
from lungscan.training.networks import create, normalise
from lungscan.training.options import Fit, Head, Phase, TrainOptions
from lungscan.training.stages import load_network
from lungscan.training.teacher import Teacher
from lungscan.training.train import train
from tests.training_data import SIDE, draw_data

FIT = Fit((Phase(1, 32, (40, 64)),), 8, 1e-3, ema_decay=0.5, mixup=0.0, warmup_epochs=0.0)
HEAD = Head(views=1, span_px=(48, 64), penalties=(1.0, 0.01), inner_folds=3)
FROZEN = TrainOptions(
    name="drawn",
    data="drawn",
    drawn_examples=4,
    teacher="",
    student="test_efficientnet",
    field_px=SIDE,
    device="cpu",
    threads=1,
    student_fit=FIT,
    head_fit=HEAD,
)
FITTED = dataclasses.replace(FROZEN, head_fit=dataclasses.replace(HEAD, on="fitted"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    draw_data(tmp_path / "drawn", clear=True)
    return tmp_path


def drawn_examples(count: int = 60, width: int = 5) -> Examples:
    """Three overlapping classes, features of very different spread, unlike weights."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, count)
    features = rng.normal(0, 1, (count, width)) + np.eye(3, width)[labels]
    features = features * np.geomspace(0.1, 50, width) + 7.0
    weights = rng.choice([1.0, 3.0], count)
    return Examples(*(torch.from_numpy(part) for part in (features, labels, weights)))


def test_the_layer_is_that_of_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="the comparison is an extra of dev")
    examples, penalty = drawn_examples(), 0.05
    weights = examples.weights.numpy()
    features = examples.features.numpy()
    mean = np.average(features, 0, weights)
    scaled = (features - mean) / np.sqrt(np.average((features - mean) ** 2, 0, weights))
    theirs = linear.LogisticRegression(C=1 / (penalty * weights.sum()), tol=1e-10, max_iter=10_000)
    theirs.fit(scaled, examples.labels.numpy(), sample_weight=weights)
    found = fit_logistic(examples, 3, penalty)(examples.features).softmax(1)
    np.testing.assert_allclose(found.numpy(), theirs.predict_proba(scaled), atol=1e-5)


def test_the_next_fit_finds_the_same_to_the_last_bit() -> None:
    layer, again = (fit_logistic(drawn_examples(), 4, 0.1) for _ in range(2))
    assert layer.weight.dtype == torch.float64
    assert torch.equal(layer.weight, again.weight)
    assert torch.equal(layer.bias, again.bias)
    outputs = layer(drawn_examples().features).softmax(1)
    assert float(outputs[:, 3].max()) < 0.05  # an output of which there was no example


def test_a_weight_of_two_is_the_example_twice() -> None:
    examples = drawn_examples(30)
    weights = torch.ones(30, dtype=torch.float64)
    weights[:10] = 2.0
    rows = torch.cat([torch.arange(30), torch.arange(10)])
    one = dataclasses.replace(examples, weights=weights)
    two = dataclasses.replace(examples.take(rows), weights=torch.ones(40, dtype=torch.float64))
    found, expected = (fit_logistic(part, 3, 0.01).weight for part in (one, two))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_fold_is_judged_by_layers_that_never_saw_it() -> None:
    """Features name the group, so whoever has seen a group knows its label, and nobody else."""
    groups = torch.arange(12).repeat_interleave(4)
    features = torch.eye(12, dtype=torch.float64)[groups]
    labels = (groups % 2).clone()
    examples = Examples(features, labels, torch.ones(len(groups), dtype=torch.float64))
    judged = torch.ones(len(groups), dtype=torch.bool)
    honest = try_penalty(1e-4, examples, groups // 2, judged, 2, 2)  # a fold: two whole groups
    leaking = try_penalty(1e-4, examples, torch.arange(len(groups)) % 4, judged, 2, 2)
    assert leaking.accuracy == 1.0
    assert leaking.loss < 0.1
    assert honest.accuracy <= 0.5
    assert honest.loss > 0.5
    only = judged & (torch.arange(len(groups)) % 4 == 0)
    one = try_penalty(
        1e-4,
        examples,
        torch.full_like(groups, ALWAYS).index_fill(0, torch.arange(4), 1),
        only,
        2,
        2,
    )
    assert one.accuracy in (0.0, 1.0)  # a single example judges


def test_inner_folds_keep_groups_whole_and_counter_examples_always_teach(root: Path) -> None:
    draw_data(root / "other")
    options = dataclasses.replace(FROZEN, counter_examples=("other",))
    material = gather(options, root, root / "work")
    folds = inner_folds(material, 3, 0)
    rows = material.split.train
    assert set(folds[: len(rows)]) == {1, 2, 3}
    assert len(folds) > len(rows)
    assert set(folds[len(rows) :]) == {ALWAYS}
    homes: dict[str, set[int]] = {}
    for row, fold in zip(rows, folds, strict=False):
        homes.setdefault(material.samples.groups[row], set()).add(int(fold))
    assert all(len(found) == 1 for found in homes.values())


def test_inner_folds_of_patients_with_several_classes() -> None:
    groups = tuple(f"p{n}" for n in range(6) for _ in range(3))
    samples = Samples(tuple(map(Path, groups)), np.tile([0, 1, 2], 6), groups, ("a", "b", "c"))
    material = SimpleNamespace(
        samples=samples,
        split=SimpleNamespace(train=np.arange(18)),
        squares=SimpleNamespace(counts=np.ones(18, np.int64)),
        foreign=(),
    )
    folds = inner_folds(material, 3, 0)  # type: ignore[arg-type]
    assert np.bincount(folds).tolist() == [0, 6, 6, 6]
    assert all(len(set(folds[3 * n : 3 * n + 3])) == 1 for n in range(6))


def weights_in(folder: Path, stage: str) -> dict[str, Tensor]:
    path = folder / "training" / "checkpoints" / f"{stage}.pt"
    values: dict[str, Tensor] = torch.load(path, weights_only=True)["average"]
    return values


def epochs_of(events: Sequence[TrainEvent]) -> list[tuple[str, int]]:
    return [(e.stage, e.epoch) for e in events if isinstance(e, EpochFinished)]


def test_a_head_on_the_network_as_it_begins_changes_nothing_else(root: Path) -> None:
    events = list(train(FROZEN, root, root / "model"))
    assert epochs_of(events) == [("head", 1), ("head", 2)]
    torch.manual_seed(FROZEN.seed)
    begun = create("test_efficientnet", 4, pretrained=False).state_dict()
    made = weights_in(root / "model", "head")
    changed = {name for name, value in begun.items() if not torch.equal(value, made[name])}
    assert changed == {"classifier.weight", "classifier.bias"}
    card = read_card(root / "model")
    assert card.recipe["head_fit"]["views"] == 1
    assert card.teacher == ""
    assert not (root / "model" / "training" / "checkpoints" / "head-features.pt").exists()


def test_the_penalty_that_does_best_on_left_out_groups_is_taken(root: Path) -> None:
    events = list(train(FROZEN, root, root / "model", ("head",)))
    losses = [event.loss for event in events if isinstance(event, EpochFinished)]
    best = HEAD.penalties[losses.index(min(losses))]
    details = [event.detail for event in events if isinstance(event, StageFinished)]
    assert f"penalty {best:g} of 3 inner folds" in details


def test_a_head_that_was_stopped_goes_on_and_ends_with_the_same_layer(root: Path) -> None:
    list(train(FROZEN, root, root / "whole", ("head",)))
    run = train(FROZEN, root, root / "parts", ("head",))
    for event in run:
        if isinstance(event, EpochFinished):
            break
    run.close()
    assert (root / "parts" / "training" / "checkpoints" / "head-features.pt").exists()
    rest = list(train(FROZEN, root, root / "parts", ("head",)))
    assert epochs_of(rest) == [("head", 2)]
    for name, value in weights_in(root / "whole", "head").items():
        assert torch.equal(value, weights_in(root / "parts", "head")[name]), name
    assert epochs_of(list(train(FROZEN, root, root / "parts", ("head",)))) == []


def test_a_head_on_a_fitted_network_replaces_its_last_layer_alone(root: Path) -> None:
    assert FITTED.stages == ("alone", "head")
    events = list(train(FITTED, root, root / "model", FITTED.stages))
    assert [stage for stage, _ in epochs_of(events)] == ["alone", "head", "head"]
    alone, head = (weights_in(root / "model", stage) for stage in ("alone", "head"))
    changed = {name for name, value in alone.items() if not torch.equal(value, head[name])}
    assert changed == {"classifier.weight", "classifier.bias"}
    shorter = dataclasses.replace(FIT, learning_rate=1e-4)
    other = dataclasses.replace(FITTED, student_fit=shorter)
    assert other.fingerprint("head") != FITTED.fingerprint("head")
    free = dataclasses.replace(FROZEN, student_fit=shorter)  # not fitted, so it shapes nothing
    assert free.fingerprint("head") == FROZEN.fingerprint("head")


def test_a_head_teaches_a_student_of_another_run(root: Path) -> None:
    list(train(FROZEN, root, root / "first", ("head",)))
    taught = dataclasses.replace(
        FROZEN,
        head_fit=None,
        teacher="a frozen network",
        teacher_from=str(root / "first" / "training" / "checkpoints" / "head.pt"),
    )
    assert taught.stages == ("student",)
    run = train(taught, root, root / "second", ("student",))
    assert epochs_of(list(run)) == [("student", 1)]


def test_folds_are_judged_with_heads_of_their_own(root: Path) -> None:
    options = dataclasses.replace(FROZEN, folds=2, split=(0.8, 0.2, 0.0))
    list(train(options, root, root / "model"))
    card = read_card(root / "model")
    (accuracy,) = [metric for metric in card.metrics if metric.name == "accuracy"]
    assert accuracy.n == 48
    heads = [weights_in(root / "model" / "folds" / n, "head") for n in ("1", "2")]
    assert not torch.equal(heads[0]["classifier.bias"], heads[1]["classifier.bias"])
    torch.testing.assert_close(heads[0]["conv_stem.weight"], heads[1]["conv_stem.weight"])


def test_the_stage_is_refused_where_the_recipe_has_none(root: Path) -> None:
    plain = dataclasses.replace(FROZEN, head_fit=None)
    assert plain.stages == ("alone",)
    with pytest.raises(UsageProblem, match="no head_fit"):
        list(train(plain, root, root / "model", ("head",)))
    material = gather(FROZEN, root, root / "work")
    with pytest.raises(ModelError, match="stage head is not finished"):
        load_network("head", FROZEN, material, root / "work")


def test_features_are_those_that_the_network_computes_itself(root: Path) -> None:
    material = gather(FROZEN, root, root / "work")
    fields = normalise(torch.from_numpy(material.squares.pixels[:5]).permute(0, 3, 1, 2).float())
    network = create("test_efficientnet", 4, pretrained=False).eval()
    with torch.inference_mode():
        expected = network.forward_head(network.forward_features(fields), pre_logits=True)
    found = Teacher(Pooled(network), torch.device("cpu"), exact=True)(fields)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_a_timid_layer_is_judged_at_its_own_temperature() -> None:
    """Answers that are right but weak lose nothing against the same, spoken loudly."""
    labels = torch.arange(3).repeat(8)
    features = torch.eye(3, dtype=torch.float64)[labels]
    examples = Examples(features, labels, torch.ones(24, dtype=torch.float64))
    judged = torch.ones(24, dtype=torch.bool)
    folds = torch.arange(24) // 6
    weak, strong = (try_penalty(p, examples, folds, judged, 3, 3) for p in (3.0, 0.01))
    assert weak.accuracy == strong.accuracy == 1.0
    assert weak.loss < 0.1
