"""Fine-tuning begins with the network that the model folder holds, whatever was folded away."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

import torch

from lungscan.errors import ModelError, UsageProblem
from lungscan.model.card import FILES, write_card
from lungscan.model.checked import read_card
from lungscan.runtimes.deploy import Deployed
from lungscan.training.data import gather
from lungscan.training.fit import Pictures
from lungscan.training.networks import normalise
from lungscan.training.options import Fit, Phase, TrainOptions
from lungscan.training.starting import network_of, start_text, started, unseen
from lungscan.training.train import train
from lungscan.types import RgbBatch
from tests.labelled import CLASSES
from tests.small_model import SIDE, draw_tiles, small_model
from tests.training_data import draw_data

FIT = Fit((Phase(1, 48, (48, 64)),), 8, 1e-3, warmup_epochs=0.0)


def options_for(tmp_path: Path, **changes: object) -> TrainOptions:
    options = TrainOptions(name="mine", start_from=str(small_model().folder))
    return started(dataclasses.replace(options, **changes), tmp_path)  # type: ignore[arg-type]


def short_run() -> TrainOptions:
    """Fine-tuning of the small model, for an epoch."""
    return TrainOptions(
        name="mine",
        start_from=str(small_model().folder),
        student_fit=FIT,
        drawn_examples=4,
        device="cpu",
        threads=1,
    )


def pictures(tiles: RgbBatch) -> Pictures:
    labels = np.zeros(len(tiles), np.int64)
    return Pictures.of(tiles, labels, np.ones(len(tiles), np.int64))


def test_outputs_are_the_golden_answers_before_the_first_step(tmp_path: Path) -> None:
    card = small_model()
    tiles = draw_tiles(5).pixels
    network = network_of(options_for(tmp_path), CLASSES, pictures(tiles))
    with np.load(card.folder / "golden.npz") as golden:
        fields, probs = golden["fields"], golden["probs"]
    with torch.inference_mode():
        found = Deployed(network.eval(), 3, card.temperature)(torch.from_numpy(fields))[0]
    np.testing.assert_allclose(found.numpy(), probs, atol=2e-3)


def test_the_network_stays_itself_when_it_begins_to_train(tmp_path: Path) -> None:
    tiles = draw_tiles(5).pixels
    network = network_of(options_for(tmp_path), CLASSES, pictures(tiles))
    fields = normalise(torch.from_numpy(tiles).permute(0, 3, 1, 2).float())
    with torch.no_grad():
        sober = network.eval()(fields).argmax(1)
        busy = network.train()(fields).argmax(1)  # by the statistics of this batch
    assert (sober == busy).float().mean() > 0.9


def test_other_classes_get_a_new_last_layer_that_keeps_what_is_known(tmp_path: Path) -> None:
    options, tiles = options_for(tmp_path), draw_tiles(5).pixels
    old = network_of(options, CLASSES, pictures(tiles)).get_classifier()
    new = network_of(options, ("adeno", "lymphoid"), pictures(tiles)).get_classifier()
    torch.testing.assert_close(new.weight[0], old.weight[0])
    torch.testing.assert_close(new.weight[2], old.weight[3])  # the counter-examples
    assert float(new.weight[1].detach().abs().max()) < 0.1
    sentence = start_text(options, ("adeno", "lymphoid"))
    assert "a new last layer; kept: adeno; new: lymphoid; left out: benign, squamous" in sentence
    assert "with the same classes" in start_text(options, CLASSES)


def test_pictures_of_another_kind_keep_the_recipe_s_size_and_scale(tmp_path: Path) -> None:
    slices = options_for(
        tmp_path, modality="chest-ct", field_px=96, input_px=64, spacing_um_px=2000.0
    )
    assert slices.student == small_model().architecture
    assert (slices.field_px, slices.classify_px, slices.spacing_um_px) == (96, 64, 2000.0)
    assert slices.spacing_note == ""
    assert slices.student_fit.phases[0].crop_px == 64


def test_network_size_and_scale_are_the_model_s(tmp_path: Path) -> None:
    (tmp_path / "benign").mkdir()
    options = options_for(tmp_path)
    card = small_model()
    assert options.student == card.architecture
    assert options.stages == ("alone",)
    assert options.classify_px == SIDE
    assert options.classify_spacing == pytest.approx(card.spacing_um_px)
    assert [(c.folder, c.name) for c in options.classes] == [("benign", "Benign lung")]
    assert options.limits[0].startswith("Fine-tuned from small 1.0")


def test_what_cannot_be_started_from_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="a model of another architecture"):
        options_for(tmp_path, student="ghostnet_100")
    with pytest.raises(UsageProblem, match="one stage, by labels alone"):
        options_for(tmp_path, finetune_fit=FIT)
    for asked in ({"teacher": "resnet18"}, {"teacher_from": "teacher.pt"}):
        with pytest.raises(UsageProblem, match="would ask no teacher"):
            options_for(tmp_path, **asked)
    with pytest.raises(ModelError, match="There is no model"):
        options_for(tmp_path, start_from="nowhere")


def test_the_fingerprint_knows_the_model_and_older_ones_stay(tmp_path: Path) -> None:
    first = options_for(tmp_path)
    other = dataclasses.replace(first, start_sha256="0" * 64)
    assert first.fingerprint("alone") != other.fingerprint("alone")
    plain = TrainOptions(name="mine")
    assert plain.fingerprint("alone") == dataclasses.replace(plain, start_from="x").fingerprint(
        "alone"
    )


def test_pictures_for_a_stage_that_the_model_to_begin_from_leaves_out_are_refused(
    tmp_path: Path,
) -> None:
    options = dataclasses.replace(short_run(), more_pictures=("more",), more_in=("teacher",))
    with pytest.raises(UsageProblem, match=r"in names teacher, and this recipe fits alone"):
        list(train(options, tmp_path, tmp_path / "mine"))


def test_a_fine_tuned_model_says_so_and_its_own_data_leak(tmp_path: Path) -> None:
    draw_data(tmp_path / "lab", groups=8, clear=True)
    options = short_run()
    events = [str(event) for event in train(options, tmp_path / "lab", tmp_path / "mine")]
    assert any("new last layer; new: lung_aca, lung_n, lung_scc" in text for text in events)
    card = read_card(tmp_path / "mine")
    assert card.recipe["start_from"] == "small"
    text = (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    assert "test_efficientnet, fine-tuned from small" in text
    assert "- What small learnt, from which this model began, is known by whole data" in text
    assert "in training or calibration. Whether small had learnt them is not known." in text
    again = dataclasses.replace(options, start_from=str(card.folder), seed=5)
    with pytest.raises(UsageProblem, match="was trained on these very data"):
        list(train(again, tmp_path / "lab", tmp_path / "again"))
    allowed = dataclasses.replace(again, allow_leakage=True)
    for _ in train(allowed, tmp_path / "lab", tmp_path / "again"):
        pass
    assert "LEAKING" in (tmp_path / "again" / "README.md").read_text(encoding="utf-8")


def test_a_part_of_what_the_model_learnt_is_known_by_its_pictures(tmp_path: Path) -> None:
    draw_data(tmp_path / "lab", groups=8)
    options = short_run()
    for _ in train(options, tmp_path / "lab", tmp_path / "mine"):
        pass
    for path in sorted((tmp_path / "lab").glob("*/*.png")):
        if int(path.stem) < 12:  # six of eight groups a class, under other names
            other = tmp_path / "part" / path.parent.name / f"copy-{path.name}"
            other.parent.mkdir(parents=True, exist_ok=True)
            other.write_bytes(path.read_bytes())
    again = dataclasses.replace(options, start_from=str(tmp_path / "mine"), seed=5)
    with pytest.raises(UsageProblem, match="mine was trained on these very data"):
        list(train(again, tmp_path / "part", tmp_path / "again"))
    draw_data(tmp_path / "other", groups=8, clear=True)
    before = started(again, tmp_path / "other")
    material = gather(before, tmp_path / "other", tmp_path / "none")
    assert unseen(before, material).origin == "mine"  # it began from another, which knows more


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    card = small_model()
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_bytes((card.folder / name).read_bytes())
    write_card(dataclasses.replace(card, architecture="mobilenetv3_small_050"), folder)
    options = options_for(tmp_path, start_from=str(folder))
    with pytest.raises(ModelError, match="do not fit mobilenetv3_small_050"):
        network_of(options, CLASSES, pictures(draw_tiles(5).pixels))
