"""The parts of a study: what it is told, its networks, views, steps, deals and files."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="a study needs the extra train")
pytest.importorskip("timm", reason="a study needs the extra train")

import torch

from lungscan.errors import ModelError, UsageProblem
from lungscan.runtimes.deploy import Deployed
from lungscan.studies import collecting
from lungscan.studies.arrays import TEST, TRAIN, VALIDATION, keep_material, kept_material
from lungscan.studies.changes import changed
from lungscan.studies.collecting import gather
from lungscan.studies.fitting import rate_at
from lungscan.studies.options import (
    Changes,
    Student,
    StudyOptions,
    TeacherFit,
    changed_study,
    load_study,
)
from lungscan.studies.small import SmallCnn, count_parameters
from lungscan.studies.stepping import Average, bf16_pays, loss_of
from lungscan.studies.students import create
from lungscan.studies.tasks import Task, Unit, tasks, units
from lungscan.training.losses import class_weights
from tests.training_data import draw_data

ROOT = Path(__file__).parents[2]
CT = ROOT / "study" / "ct.toml"
SHARED = ROOT.parent / "shared" / "data" / "iq-oth-nccd"
STILL = Changes(0.0, (1.0, 1.0), 0.0, False, 0.0, 0.0)
STUDENTS = (Student("small", "small_cnn", "alexnet"), Student("AlexNet", "alexnet", "resnet18"))


def options(**more: object) -> StudyOptions:
    return StudyOptions(
        "tiny", "data", STUDENTS, (TeacherFit("resnet18", 3),), **{"folds": 3, **more}
    )  # type: ignore[arg-type]


def test_the_ct_study_holds_the_seed_projects_students_teachers_and_figures() -> None:
    chosen = {s.name: (s.teacher, s.seed_project) for s in load_study(CT).students}
    assert chosen == {
        "ResNet18": ("resnet18", (96.23, 99.52)),
        "AlexNet": ("resnet101", (90.59, 94.23)),
        "MobileNetV2": ("resnet18", (91.49, 93.91)),
        "own small CNN": ("alexnet", (82.67, 86.53)),
        "GhostNet": ("resnet18", ()),
    }
    assert load_study(CT).seeds == 3
    assert load_study(CT).folds == 5


def test_the_reduced_study_differs_in_size_and_in_its_teacher() -> None:
    full, reduced = load_study(CT), load_study(CT.with_name("ct-cpu.toml"))
    assert reduced.input_px < full.input_px
    assert [(s.name, s.network, s.seed_project) for s in reduced.students] == [
        (s.name, s.network, s.seed_project) for s in full.students
    ]
    theirs, ours = ({s.name: s.teacher for s in each.students} for each in (full, reduced))
    assert ours == theirs | {"AlexNet": "resnet18"}  # in the place of ResNet101
    smallest = load_study(CT.with_name("ct-cpu-64.toml"))
    assert smallest.input_px < reduced.input_px
    assert {student.teacher for student in smallest.students} == {"alexnet"}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared slices are not here")
def test_the_shared_slices_are_dealt_without_a_group_on_two_sides() -> None:
    found, _ = gather(
        dataclasses.replace(load_study(CT), input_px=16, counter_examples=()), CT.parent
    )
    assert np.bincount(found.labels).tolist() == [95, 475, 346]
    tested = np.zeros(916, int)
    for fold in range(1, 6):
        part = found.parts[f"grouped-0-{fold}"]
        sides: dict[str, set[int]] = {}
        for group, side in zip(found.groups, part, strict=True):
            sides.setdefault(group, set()).add(int(side))
        assert all(len(each) == 1 for each in sides.values())
        assert set(found.labels[part == TEST]) == {0, 1, 2}
        tested += part == TEST
    assert (tested == 1).all()
    assert all((found.parts[f"random-{seed}"] == TEST).sum() == 183 for seed in range(3))
    assert (found.parts["whole-0"] == TRAIN).all()


def test_a_teacher_that_nothing_fits_is_refused() -> None:
    with pytest.raises(UsageProblem, match="Nothing fits the teacher resnet18 of AlexNet"):
        changed_study(options(), ("teachers=[]",))


def test_a_network_stands_once_among_students_and_among_teachers() -> None:
    twice = """[{name = "A", network = "small_cnn", teacher = "small_cnn"},
        {name = "B", network = "small_cnn", teacher = "resnet18"}]"""
    with pytest.raises(UsageProblem, match="small_cnn stands twice in students"):
        changed_study(options(), (f"students={twice.replace(chr(10), '')}",))
    teachers = "[{network = 'resnet18', epochs = 1}, {network = 'resnet18', epochs = 2}]"
    with pytest.raises(UsageProblem, match="resnet18 stands twice in teachers"):
        changed_study(options(), (f"teachers={teachers}",))


@pytest.mark.parametrize("pair", ["sed=1", "seeds", "changes.colour=1", "seeds=one"])
def test_a_value_that_cannot_be_set_is_reported(pair: str) -> None:
    with pytest.raises(UsageProblem, match="sets no option"):
        changed_study(options(), (pair,))


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("folds=1", "folds is 1, but must be a whole number, 2 or more"),
        ("batch_size=0", "batch_size is 0"),
        ("counter_share=0.995", "has no picture of a class"),
        ("split=[0.8, 0.2, 0.0]", "leaves nothing to test on"),
        ("split=[0.0, 0.2, 0.8]", "leaves nothing to train on"),
        ("seeds=0", "seeds is 0"),
        ("epochs=0", "epochs is 0"),
        ("held=1.0", "held is 1.0, but must be from 0 to less than 1"),
        ("ema_decay=1.5", "ema_decay is 1.5"),
        ('release=["nobody"]', "release is 'nobody', but must be one of small_cnn, alexnet"),
        ("changes.zoom=[1.05, 0.75]", "least and the most"),
        ("changes.shift=-1", "changes.shift is -1"),
        ('teachers=[{network = "resnet18", epochs = 0}]', "resnet18: epochs is 0"),
    ],
)
def test_a_value_that_nobody_can_mean_is_refused(pair: str, expected: str) -> None:
    with pytest.raises(UsageProblem, match=re.escape(expected)):
        changed_study(options(), (pair,))


def test_values_can_be_set_on_the_command_line() -> None:
    found = changed_study(options(), ("seeds=1", "changes.degrees=5", 'protocols=["random"]'))
    assert (found.seeds, found.changes.degrees, found.protocols) == (1, 5, ("random",))
    assert found.changes.shift == Changes().shift


def test_folders_typed_are_those_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = changed_study(options(), ('data="mine"', 'counter_examples=["other/organ"]'))
    assert Path("elsewhere") / found.data == tmp_path / "mine"
    assert found.counter_examples == (str(tmp_path / "other" / "organ"),)


def test_only_what_shapes_weights_changes_the_fingerprint() -> None:
    base = options().fingerprint("x")
    assert options(seeds=9, grouped_seeds=4, epochs=3).fingerprint("x") == base
    assert options(mixup=0.1).fingerprint("x") != base
    assert options().fingerprint("y") != base


def test_units_come_in_the_order_in_which_they_are_missed() -> None:
    names = [unit.name for unit in units(options(release=("small_cnn",), seeds=2, grouped_seeds=2))]
    first = ["random-0", "grouped-0-1", "grouped-0-2", "grouped-0-3", "whole-0", "random-1"]
    assert names == [*first, "grouped-1-1", "grouped-1-2", "grouped-1-3"]


def test_every_student_is_fitted_alone_and_taught_after_its_teacher() -> None:
    found = tasks(options(), Unit("random", 0))
    order = [task.name for task in found]
    assert len(order) == 5  # the teacher, two alone, two taught
    for task in found:
        if task.teacher:
            at = [order.index(name) for name in task.needs if name in order]
            assert len(at) == 1
            assert at[0] < order.index(task.name)


def test_a_released_student_brings_its_teacher_and_nothing_else() -> None:
    found = tasks(options(release=("small_cnn",)), Unit("whole", 0))
    assert [task.name for task in found] == [
        "whole-0.alexnet.alone",
        "whole-0.small_cnn.alone",
        "whole-0.small_cnn.distilled",
    ]


def test_the_own_small_network_has_less_than_half_a_million_parameters() -> None:
    assert count_parameters(SmallCnn(4)) == 417_020
    assert "0.42 million" in (SmallCnn.__doc__ or "")


@pytest.mark.parametrize("name", ["small_cnn", "alexnet", "resnet18", "mobilenetv2_100"])
def test_each_network_answers_as_the_deployed_form_asks_for(name: str) -> None:
    torch.manual_seed(0)
    network = create(name, 4).eval()
    tiles = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        probs, features = Deployed(network, 3, 1.0).eval()(tiles)
        pixels = (tiles.permute(0, 3, 1, 2).float() - 255 * _column(0)) / (255 * _column(1))
        logits = network(pixels)[:, :3]
    assert features.ndim == 2
    # Rounding grows with the logits, and those of random weights may be large.
    close = 1e-3 * max(1.0, float(logits.abs().max()) / 4)
    np.testing.assert_allclose(probs, torch.softmax(logits, 1), rtol=0, atol=close)


def _column(row: int) -> torch.Tensor:
    from lungscan.runtimes.deploy import MEAN, STD

    return torch.tensor((MEAN, STD)[row]).view(1, 3, 1, 1)


def test_views_without_changes_are_the_pictures_themselves() -> None:
    pixels = torch.randint(0, 256, (3, 16, 16, 3), dtype=torch.uint8)
    seen = changed(pixels, STILL, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(seen, pixels.permute(0, 3, 1, 2), atol=1e-2)


def test_mirrored_views_are_exact_mirror_images() -> None:
    pixels = torch.randint(0, 256, (40, 16, 16, 3), dtype=torch.uint8)
    how = dataclasses.replace(STILL, mirror=True)
    seen = changed(pixels, how, torch.Generator().manual_seed(0)).round()
    plain = pixels.permute(0, 3, 1, 2).float()
    turned = (seen == plain.flip(3)).flatten(1).all(1)
    kept = (seen == plain).flatten(1).all(1)
    assert bool((turned ^ kept).all())
    assert 8 < int(turned.sum()) < 32


def test_views_differ_and_grey_stays_grey() -> None:
    grey = torch.randint(0, 256, (4, 24, 24, 1), dtype=torch.uint8).expand(4, 24, 24, 3)
    first = changed(grey, Changes(), torch.Generator().manual_seed(1))
    again = changed(grey, Changes(), torch.Generator().manual_seed(1))
    other = changed(grey, Changes(), torch.Generator().manual_seed(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    np.testing.assert_allclose(first[:, 0], first[:, 2], atol=1e-3)
    assert 0 <= float(first.min()) <= float(first.max()) <= 255


def test_a_shifted_view_is_black_where_the_picture_ends() -> None:
    white = torch.full((64, 32, 32, 3), 255, dtype=torch.uint8)
    how = dataclasses.replace(STILL, shift=0.25)
    seen = changed(white, how, torch.Generator().manual_seed(0))
    black = (seen[:, 0] < 1).float().mean((1, 2))
    assert 0.05 < float(black.max()) <= 0.25 + 0.25 - 0.0625 + 0.1


def test_balanced_classes_count_alike_and_the_mean_picture_weighs_one() -> None:
    labels = np.repeat([0, 1, 2], [5, 20, 75])
    every = class_weights(labels, 3, 1.0).numpy()
    np.testing.assert_allclose(every[:3] * [5, 20, 75], 100 / 3, rtol=1e-5)
    half = class_weights(labels, 3, 0.5).numpy()
    np.testing.assert_allclose(half[0] / half[2], np.sqrt(15), rtol=1e-5)
    np.testing.assert_allclose(class_weights(labels, 3, 0.0), 1.0)
    assert every[3] == 1.0  # counter-examples


def test_the_loss_weighs_pictures_and_shares_with_the_teacher() -> None:
    plain = options(soft_share=0.25, temperature=2.0)
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    hard = -torch.log_softmax(logits, 1)[:, 0]
    weights = torch.tensor([3.0, 1.0])
    found = loss_of(logits, targets, None, weights, plain)
    assert float(found) == pytest.approx(float((3 * hard[0] + hard[1]) / 4))
    same = loss_of(logits, targets, logits, weights, plain)  # the teacher says the same
    assert float(same) == pytest.approx(0.75 * float(found))
    soft = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    predicted = torch.log_softmax(logits / 2, 1)
    likeness = (0.5 * (np.log(0.5) - predicted)).sum(1) * 4
    mixed = 0.75 * hard + 0.25 * likeness
    found = loss_of(logits, targets, soft, weights, plain)
    assert float(found) == pytest.approx(float((3 * mixed[0] + mixed[1]) / 4), rel=1e-5)


@pytest.mark.parametrize(
    ("network", "device", "skills", "pays"),
    [
        ("small_cnn", "cpu", {"amx_bf16": True}, True),
        ("small_cnn", "cpu", {"amx_bf16": False, "avx512_bf16": True}, False),
        ("ghostnet_050", "cpu", {"amx_bf16": True}, False),
        ("ghostnet_050", "cuda", {}, True),
    ],
)
def test_bf16_is_for_gpus_and_for_matrix_units_without_depthwise_layers(
    network: str,
    device: str,
    skills: dict[str, bool],
    pays: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: skills, raising=False)
    assert bf16_pays(create(network, 4), torch.device(device)) is pays


def test_an_older_torch_that_knows_no_capabilities_stays_in_fp32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not bf16_pays(create("small_cnn", 4), torch.device("cpu"))


def test_the_average_follows_the_weights() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(0.0)
    average = Average(network, 0.9)
    network.weight.data.fill_(1.0)
    average.follow()  # decay 1/10 at first
    assert float(average.values()["weight"]) == pytest.approx(0.9)
    network.weight.data.fill_(0.0)
    average.follow()  # 2/11
    assert float(average.values()["weight"]) == pytest.approx(0.9 * 2 / 11)


def test_the_rate_rises_and_falls() -> None:
    task = Task(Unit("random", 0), "small_cnn", "alone", "", 1e-3, 20)
    rates = [rate_at(options(), task, epoch) for epoch in (0, 3, 10, 20)]
    assert rates[0] < rates[1]
    assert rates[1] == pytest.approx(1e-3)
    assert rates[3] == pytest.approx(1e-5)


def test_pictures_kept_for_evaluation_are_no_counter_examples(tmp_path: Path) -> None:
    draw_data(tmp_path / "data", groups=6)
    table = ["file,label,group,um_px,source,licence,use"]
    table += [f"lung_n/{i}.png,lung_n,,,x,x,training allowed" for i in range(2)]
    table += [f"lung_n/{i}.png,lung_n,,,x,x,evaluation only" for i in range(2, 12)]
    (tmp_path / "data" / "files.csv").write_text("\n".join(table), encoding="utf-8")
    chosen = options(input_px=32, counter_examples=("data/lung_n",))
    found, _ = gather(chosen, tmp_path)
    assert len(found.others) == 3  # two of the folder, one drawn
    (tmp_path / "data" / "files.csv").write_text("\n".join((table[0], table[5])), "utf-8")
    with pytest.raises(UsageProblem, match="holds no picture to learn from"):
        gather(chosen, tmp_path)


def test_a_missing_folder_of_counter_examples_is_named_before_any_picture_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "read_listing", lambda *_: pytest.fail("was read"))
    with pytest.raises(UsageProblem, match="folder colon of counter-examples holds no picture"):
        gather(options(counter_examples=("organs/colon",)), tmp_path)


def test_kept_pictures_are_read_as_they_were(tmp_path: Path) -> None:
    draw_data(tmp_path / "data", groups=6)
    chosen = options(input_px=32, counter_examples=("data/lung_n",), counter_limit=4)
    made, _ = gather(chosen, tmp_path)
    assert made.others.shape == (6, 32, 32, 3)  # four of the folder, two drawn
    assert (made.others[0] == made.others[0][..., :1]).all()  # every second one in grey
    path = tmp_path / "out" / "material.npz"
    keep_material(path, made)
    found = kept_material(path)
    assert found is not None
    assert (found.pixels == made.pixels).all()
    assert (found.others == made.others).all()
    assert (found.groups, found.class_names) == (made.groups, made.class_names)
    assert found.fingerprint == made.fingerprint
    part = found.parts["grouped-0-2"]
    assert (part == made.parts["grouped-0-2"]).all()
    assert set(part.tolist()) == {TRAIN, VALIDATION, TEST}
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ModelError, match="Remove it"):
        kept_material(path)
