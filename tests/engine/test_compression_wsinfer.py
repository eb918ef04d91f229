"""The export for QuPath: the folder that its WSInfer extension takes, and the same answers."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("timm", reason="the export needs the extra train")
pytest.importorskip("torch", reason="the export needs the extra train")

import torch

from lungscan.compression.wsinfer_folder import TOLERANCE, export_wsinfer
from lungscan.errors import ModelError, UsageProblem
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model
from lungscan.model.folder import read_golden
from lungscan.options import DEFAULT_MODEL
from lungscan.runtimes import load_runtime
from tests.small_model import draw_tiles, small_int8, small_model


def answers(folder: Path, pixels: np.ndarray) -> np.ndarray:
    """Probabilities as the extension computes them: transforms of config.json, then a softmax."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert [step["name"] for step in config["transform"]] == ["Resize", "ToTensor"]
    size = config["transform"][0]["arguments"]["size"]
    assert pixels.shape[1:] == (size, size, 3)  # nothing to resize
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = torch.jit.load(folder / "torchscript_model.pt")
    with torch.inference_mode():
        tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        return np.asarray(torch.softmax(network(tensor), 1))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wsinfer") / "small"
    done = export_wsinfer(small_model(), folder)
    assert done.bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert done.worst_difference <= TOLERANCE
    return folder


@pytest.mark.parametrize("count", [1, 3, 16])
def test_any_batch_gives_the_model_s_probabilities(exported: Path, count: int) -> None:
    pixels = draw_tiles(7, 6).pixels[:count]
    probs, _ = load_runtime(small_model(), "cpu-fp32", 1).predict(pixels)
    np.testing.assert_allclose(answers(exported, pixels), probs, atol=TOLERANCE)


def test_the_shipped_model_answers_as_it_does_here(tmp_path: Path) -> None:
    card = find_model(DEFAULT_MODEL)
    export_wsinfer(card, tmp_path / "shipped")
    golden = read_golden(card)
    found = answers(tmp_path / "shipped", golden.fields)
    np.testing.assert_allclose(found, golden.probs, atol=TOLERANCE)
    assert np.ptp(golden.probs) > 0.5  # fields of more than one class


def test_the_configuration_is_what_the_extension_reads(exported: Path) -> None:
    card = small_model()
    config = json.loads((exported / "config.json").read_text(encoding="utf-8"))
    assert config["spec_version"] == "1.0"
    assert config["class_names"] == list(card.display_names)
    assert config["num_classes"] == len(card.display_names)
    assert config["patch_size_pixels"] == card.patch_size_pixels
    assert config["spacing_um_px"] == card.spacing_um_px
    assert {path.name for path in exported.iterdir()} == {
        "config.json", "torchscript_model.pt", "README.txt",
    }  # fmt: skip
    assert "Research use only" in (exported / "README.txt").read_text(encoding="utf-8")


def test_an_earlier_export_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("old", encoding="utf-8")
    export_wsinfer(small_model(), tmp_path)
    assert json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["num_classes"]
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageProblem, match="other things"):
        export_wsinfer(small_model(), tmp_path)


def test_what_has_no_form_in_torch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="int8"):
        export_wsinfer(small_int8(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_that_answers_otherwise_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(card: ModelCard) -> tuple[bytes, float]:
        return b"", 0.2

    monkeypatch.setattr("lungscan.compression.wsinfer_folder.traced", wrong)
    with pytest.raises(ModelError, match=r"0\.2"):
        export_wsinfer(small_model(), tmp_path / "out")
    assert not (tmp_path / "out").exists()
