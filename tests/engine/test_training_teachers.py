"""Several teachers, further pictures after the first stage, and recipes that build on another."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

import torch
from torch import nn

from lungscan.errors import ModelError, UsageProblem
from lungscan.training.data import gather
from lungscan.training.fit import Pictures
from lungscan.training.losses import UNLABELLED, Average
from lungscan.training.networks import create
from lungscan.training.options import Fit, Phase, TrainOptions, load_options
from lungscan.training.stages import load_teacher
from lungscan.training.teacher import Ensemble
from lungscan.training.train import train
from tests.training_data import SIDE, draw_data

FIT = Fit((Phase(1, 32, (40, 64)),), 8, 1e-3, ema_decay=0.5, mixup=0.0, warmup_epochs=0.0)
TINY = TrainOptions(
    name="drawn",
    data="drawn",
    drawn_examples=4,
    teacher="test_efficientnet",
    student="test_efficientnet",
    field_px=SIDE,
    device="cpu",
    threads=1,
    teacher_fit=FIT,
    student_fit=FIT,
)
RECIPES = Path(__file__).parents[2] / "models" / "recipes"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    draw_data(tmp_path / "drawn")
    return tmp_path


class Says(nn.Module):
    """A network that gives the same outputs for every picture."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, fields: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(fields), -1)


def test_several_teachers_say_the_mean_of_their_logarithms() -> None:
    fields = torch.zeros(2, 3, 8, 8)
    both = Ensemble([Says(0.0, 0.0), Says(100.0, 100.0 + math.log(3))])(fields)
    expected = (torch.tensor([0.5, 0.5]).log() + torch.tensor([0.25, 0.75]).log()) / 2
    assert torch.allclose(both, expected.expand(2, -1), atol=1e-5)


def test_teachers_of_other_runs_teach_together_each_with_its_own_network(root: Path) -> None:
    fold = dataclasses.replace(TINY, fold="2/4")
    list(train(fold, root, root / "small" / "2", ("teacher",)))
    large = dataclasses.replace(fold, teacher="mobilenetv3_small_050")
    list(train(large, root, root / "large" / "2", ("teacher",)))
    paths = tuple(
        str(root / name / "{fold}/training/checkpoints/teacher.pt") for name in ("small", "large")
    )
    both = dataclasses.replace(fold, teacher="two of them", teacher_from=paths)
    assert both.stages == ("student",)
    assert [Path(path).parts[-4] for path in both.teachers] == ["2", "2"]
    assert "/all/" in dataclasses.replace(both, fold="").teachers[0]
    list(train(both, root, root / "student", ("student",)))
    teacher = load_teacher(both, gather(both, root, root / "work"), root / "work")
    assert isinstance(teacher, Ensemble)
    kinds = [type(network) for network in teacher.networks]
    assert kinds == [
        type(create(name, 4, pretrained=False))
        for name in ("test_efficientnet", "mobilenetv3_small_050")
    ]
    (root / "small" / "2" / "training" / "checkpoints" / "teacher.pt").unlink()
    with pytest.raises(ModelError, match=r"There is no teacher teacher\.pt"):
        list(train(both, root, root / "other", ("student",)))


def test_later_stages_learn_from_further_pictures_with_a_label(root: Path) -> None:
    shutil.copytree(root / "drawn", root / "copies")
    options = dataclasses.replace(TINY, more_pictures=("copies",), more_in=("teacher",), fold="2/4")
    material = gather(options, root, root / "work")
    assert material.more is not None
    seen: list[int] = []
    for given in (options, dataclasses.replace(TINY, fold="2/4")):
        name = f"m{len(seen)}"
        events = [e for e in train(given, root, root / name, ("teacher",)) if hasattr(e, "loss")]
        seen.append(round(events[0].images_per_s * events[0].seconds))
    assert seen[0] >= 2 * seen[1] - TINY.drawn_examples - 2 * FIT.batch_size
    assert seen[0] > seen[1]


def test_pictures_without_a_label_can_be_left_out() -> None:
    pixels = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 2, 2, 3)
    labels = torch.tensor([0, UNLABELLED, UNLABELLED, 1, 1])
    kept = Pictures(pixels, labels, np.array([1, 2, 2])).labelled()
    assert kept.labels.tolist() == [0, 1, 1]
    assert kept.counts.tolist() == [1, 2]
    assert kept.pixels[:, 0, 0, 0].tolist() == [0, 3, 4]


def test_where_further_pictures_serve_shapes_the_weights() -> None:
    more = dataclasses.replace(TINY, more_pictures=("copies",))
    later = dataclasses.replace(more, more_in=("features", "teacher"))
    assert more.fingerprint("teacher") == TINY.fingerprint("teacher")
    assert later.fingerprint("teacher") != more.fingerprint("teacher")
    assert later.fingerprint("alone") != more.fingerprint("alone")


def test_the_average_follows_weights_and_counts() -> None:
    network = nn.BatchNorm1d(2)
    average = Average(network, 0.75)
    with torch.no_grad():
        network.weight.fill_(5.0)
        network.num_batches_tracked.fill_(7)
    average.follow(network, 1000)
    assert average.values["weight"].tolist() == [2.0, 2.0]  # 1 + (5 - 1) / 4
    assert int(average.values["num_batches_tracked"]) == 7


def test_a_recipe_can_build_on_another(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(
        'name = "base"\nseed = 3\nteacher_from = "x.pt"\n[features]\nlabel_weight = 0.5\n', "utf-8"
    )
    own = tmp_path / "own.toml"
    own.write_text('base = "base.toml"\nwithout = ["features"]\nname = "own"\n', "utf-8")
    options = load_options(own)
    assert (options.name, options.seed, options.teachers) == ("own", 3, ("x.pt",))
    assert options.features.label_weight == 1.0
    own.write_text('base = "none.toml"\nname = "own"\n', "utf-8")
    with pytest.raises(UsageProblem, match=r"own\.toml builds on none\.toml, which cannot be read"):
        load_options(own)


def test_a_base_may_have_a_base_but_no_ring(tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text('name = "first"\nseed = 3\nthreads = 1\n', "utf-8")
    (tmp_path / "second.toml").write_text('base = "first.toml"\nthreads = 4\n', "utf-8")
    (tmp_path / "third.toml").write_text('base = "second.toml"\nname = "third"\n', "utf-8")
    options = load_options(tmp_path / "third.toml")
    assert (options.name, options.seed, options.threads) == ("third", 3, 4)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "third.toml").write_text('base = "../third.toml"\nseed = 5\n', "utf-8")
    assert load_options(tmp_path / "lab" / "third.toml").seed == 5  # another file of that name
    (tmp_path / "first.toml").write_text('base = "third.toml"\nname = "first"\n', "utf-8")
    with pytest.raises(UsageProblem, match=r"first\.toml builds on third\.toml, which builds"):
        load_options(tmp_path / "third.toml")


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_can_be_read(path: Path) -> None:
    options = load_options(path)
    assert options.student_fit.epochs > 0
    assert len(options.classes) == 3


def test_without_a_teacher_of_the_task_the_student_alone_is_the_model() -> None:
    free = dataclasses.replace(TINY, teacher="", features_fit=FIT, finetune_fit=FIT)
    assert free.stages == ("features", "alone")
    assert free.model_stage == "alone"
    assert free.taught_by == "tf_efficientnet_lite2"
    assert dataclasses.replace(free, features_fit=None).taught_by == ""
    assert TINY.taught_by == "test_efficientnet"


def test_counter_examples_obey_what_a_table_allows(root: Path) -> None:
    shutil.copytree(root / "drawn", root / "foreign")
    (root / "foreign" / "groups.csv").unlink()
    allowed = [f"lung_n/{number}.png" for number in range(8)]
    rows = [f"{name},colon,,training allowed\n" for name in allowed]
    rows += ["lung_scc/0.png,colon,,evaluation only\n", "lung_scc/1.png,colon,,\n"]
    (root / "foreign" / "files.csv").write_text("file,label,group,use\n" + "".join(rows), "utf-8")
    options = dataclasses.replace(
        TINY,
        counter_examples=("foreign",),
        more_pictures=("foreign",),
        more_in=("teacher",),
        fold="2/4",
    )
    material = gather(options, root, root / "work")
    (foreign,) = material.foreign
    assert [path.name for path in foreign.samples.paths] == [f"{n}.png" for n in range(8)]
    assert foreign.samples.groups == tuple(allowed)  # without a group each stands alone
    split = foreign.split
    assert len(split.test) == 2
    judging = [*split.validation, *split.test]
    held = {foreign.squares.of([row])[0].tobytes() for row in judging}
    assert material.more is not None
    assert not held & {picture.tobytes() for picture in material.more.pictures.pixels.numpy()}
