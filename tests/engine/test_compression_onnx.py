"""ONNX: one file that answers as the model does and says what it is."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

pytest.importorskip("torch", reason="the export needs the extra train")
pytest.importorskip("timm", reason="the export needs the extra train")
pytest.importorskip("nncf", reason="the export needs the extra train")
pytest.importorskip("onnx", reason="the export needs the extra train")
pytest.importorskip("onnxscript", reason="the export needs the extra train")

import onnx

from lungscan.compression.onnx_file import TOLERANCE, export_onnx
from lungscan.errors import MachineError, ModelError, UsageProblem
from lungscan.model.card import ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.runtimes import load_runtime
from tests.small_model import SIDE, draw_tiles, small_int8, small_model


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model as ONNX."""
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    done = export_onnx(small_model(), path)
    assert done.bytes == path.stat().st_size
    assert done.worst_difference <= TOLERANCE
    return path


@pytest.mark.parametrize("count", [1, 3, 16])
def test_any_batch_gives_the_model_s_answers(exported: Path, count: int) -> None:
    pixels = draw_tiles(7, 6).pixels[:count]
    network = ov.Core().compile_model(exported, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = network({"tiles": pixels})
    probs, features = load_runtime(small_model(), "cpu-fp32", 1).predict(pixels)
    np.testing.assert_allclose(found["probabilities"], probs, atol=TOLERANCE)
    np.testing.assert_allclose(found["features"], features, atol=2e-3 * np.abs(features).max())


def test_the_file_says_what_it_is(exported: Path) -> None:
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    found = {entry.key: entry.value for entry in model.metadata_props}
    card = small_model()
    assert json.loads(found["class_names"]) == list(card.class_names)
    assert float(found["spacing_um_px"]) == card.spacing_um_px
    assert found["model_sha256"] == card.sha256
    assert "Research use only" in found["use"]
    batch = model.graph.input[0].type.tensor_type.shape.dim
    assert batch[0].dim_param
    assert [side.dim_value for side in batch[1:]] == [SIDE, SIDE, 3]


def test_the_file_names_no_folder_of_this_machine(exported: Path) -> None:
    data = exported.read_bytes()
    for found in (b".py", str(Path.home()).encode(), sys.prefix.encode()):
        assert found not in data


def _with_other_golden_answers(folder: Path) -> ModelCard:
    shutil.copytree(small_model().folder, folder)
    with np.load(folder / "golden.npz") as golden:
        fields, probs = golden["fields"], golden["probs"]
    np.savez_compressed(folder / "golden.npz", fields=fields, probs=np.roll(probs, 1, axis=1))
    write_card(dataclasses.replace(small_model(), name="other"), folder)
    return read_card(folder)


def test_a_file_that_answers_otherwise_is_not_written(tmp_path: Path) -> None:
    card = _with_other_golden_answers(tmp_path / "other")
    with pytest.raises(ModelError, match="nothing was written"):
        export_onnx(card, tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()


def test_an_int8_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"int8 model.*small\)"):
        export_onnx(small_int8(), tmp_path / "x.onnx")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"written as \.onnx"):
        export_onnx(small_model(), tmp_path / "x.pt")


@pytest.mark.parametrize("missing", ["torch", "onnxscript"])
def test_without_the_extra_the_cure_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in list(sys.modules):
        if name == "lungscan.runtimes.deploy":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MachineError, match=r"lungscan-histology\[train\]"):
        export_onnx(small_model(), tmp_path / "x.onnx")
