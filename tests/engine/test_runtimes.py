"""Runtimes: the same answers from each, whatever the batch, from several threads at once."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lungscan.errors import MachineError, ModelError, UsageProblem
from lungscan.model.card import ModelCard, write_card
from lungscan.model.checked import find_model, read_card
from lungscan.model.folder import Golden, read_golden
from lungscan.runtimes import Runtime, load_runtime, openvino
from lungscan.runtimes.kernels import cpu_precisions
from lungscan.runtimes.openvino import OpenVinoRuntime, load_openvino
from lungscan.self_check import FP32_TOLERANCE, REDUCED_TOLERANCE, compare
from lungscan.types import RgbBatch
from lungscan_models import shipped_models

SHIPPED = sorted(path.parent.name for path in shipped_models().glob("*/card.json"))


@pytest.fixture(scope="module")
def runtime(real_model: ModelCard) -> Runtime:
    """OpenVINO in full precision, four tiles a batch."""
    return load_runtime(real_model, "cpu-fp32", 2, 4)


@pytest.fixture(scope="module")
def tiles(real_model: ModelCard) -> RgbBatch:
    """Twenty different tiles."""
    fields = read_golden(real_model).fields
    repeated = np.concatenate([fields, fields[:, ::-1], fields[:, :, ::-1], fields[:, ::-1, ::-1]])
    repeated = np.concatenate([repeated, 255 - repeated])
    return np.ascontiguousarray(repeated[:20])


def test_shapes_and_sums(runtime: Runtime, tiles: RgbBatch, real_model: ModelCard) -> None:
    probs, features = runtime.predict(tiles)
    assert probs.shape == (20, len(real_model.class_names))
    assert features.ndim == 2
    assert len(features) == 20
    assert probs.dtype == features.dtype == np.float32
    np.testing.assert_allclose(probs.sum(1), 1, atol=1e-5)
    assert runtime.batch_size == 4
    assert "OpenVINO" in runtime.device
    assert "f32" in runtime.device


def test_a_precision_that_is_only_promised_costs_no_run(
    real_model: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a virtual machine, or where oneDNN is held back by ``ONEDNN_MAX_CPU_ISA``."""
    compiled = openvino.compile_graph

    def refuse(model: object, threads: int, hint: str) -> object:
        if hint != "f32":
            raise MachineError("object is not initialized")
        return compiled(model, threads, hint)

    monkeypatch.setattr(openvino, "compile_graph", refuse)
    monkeypatch.setattr(openvino, "best_precision", lambda: "f16")
    assert load_runtime(real_model, "cpu", 1).device.endswith("CPU f32")
    with pytest.raises(MachineError, match="not initialized"):
        load_runtime(real_model, "cpu-bf16", 1)  # who names a precision wants that one


@pytest.mark.parametrize(("device", "precision"), [("cpu-bf16", "bf16"), ("cpu-fp32", "f32")])
def test_another_precision_can_be_asked_for(
    real_model: ModelCard, device: str, precision: str
) -> None:
    used = precision if precision in cpu_precisions() else "f32"  # what OpenVINO then takes
    assert load_runtime(real_model, device, 1, 4).device.endswith(f" CPU {used}")


def test_fp16_is_nearer_to_fp32_than_bf16(
    runtime: Runtime, real_model: ModelCard, tiles: RgbBatch
) -> None:
    if not {"f16", "bf16"} <= set(cpu_precisions()):
        pytest.skip("this processor does not compute in both")
    exact = runtime.predict(tiles)[0]
    half, brain = (
        np.abs(load_openvino(real_model, 1, 4, hint).predict(tiles)[0] - exact).max()
        for hint in ("f16", "bf16")
    )
    assert half < brain / 2


@pytest.mark.parametrize("device", ["cpu-fp32", "cpu", "torch-cpu"])
def test_an_answer_depends_on_its_tile_alone(
    real_model: ModelCard, tiles: RgbBatch, device: str
) -> None:
    """Whatever is handed over at once, wherever a tile lies in it, however many threads compute."""
    if device == "torch-cpu":
        pytest.importorskip("torch")
        pytest.importorskip("timm")
    some = tiles[:7]
    expected = load_runtime(real_model, device, 1, 1).predict(some)
    for threads, batch in ((2, 5), (4, 64)):
        runtime = load_runtime(real_model, device, threads, batch)
        for order in (list(range(7)), [6, 2, 5, 0], [3]):
            for found, one in zip(runtime.predict(some[order]), expected, strict=True):
                assert found.tobytes() == one[order].tobytes()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_tile_is_computed_by_one_thread(real_model: ModelCard, threads: int) -> None:
    compiled = load_openvino(real_model, threads, 16, "f32").compiled
    assert compiled.input(0).shape[0] == 1
    streams, cores = (
        compiled.get_property(name) for name in ("NUM_STREAMS", "INFERENCE_NUM_THREADS")
    )
    assert streams >= min(cores, threads)  # fewer would split their sums among several threads


def test_several_threads_at_once(runtime: Runtime, tiles: RgbBatch) -> None:
    expected = runtime.predict(tiles)[0]
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda i: runtime.predict(tiles[i:])[0], [0, 3, 0, 7, 1, 0]):
            assert found.tobytes() == expected[-len(found) :].tobytes()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_golden_answers_on_openvino(name: str) -> None:
    card = find_model(name)
    for device, tolerance in (("cpu-fp32", FP32_TOLERANCE), ("cpu", REDUCED_TOLERANCE)):
        assert compare(load_runtime(card, device, 1, 4), read_golden(card), tolerance) == ""


def test_the_golden_answers_on_torch(
    real_model: ModelCard, tiles: RgbBatch, runtime: Runtime
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("timm")
    reference = load_runtime(real_model, "torch-cpu", 1, 4)
    assert compare(reference, read_golden(real_model), FP32_TOLERANCE) == ""
    for one, other in zip(reference.predict(tiles[:9]), runtime.predict(tiles[:9]), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3 * max(1.0, float(np.abs(other).max())))
    np.testing.assert_allclose(
        reference.predict(tiles[:9])[0], runtime.predict(tiles[:9])[0], atol=FP32_TOLERANCE
    )
    np.testing.assert_allclose(
        reference.predict(tiles[:3])[0], reference.predict(tiles[:9])[0][:3], atol=1e-5
    )


AS_OLDER = """
import sys
from pathlib import Path
from lungscan.model.checked import read_card
from lungscan.model.folder import read_golden
from lungscan.self_check import FP32_TOLERANCE, compare
from lungscan.runtimes import load_runtime
card = read_card(Path(sys.argv[1]))
golden = read_golden(card)
one, other = load_runtime(card, "cpu", 1, 1), load_runtime(card, "cpu", 2, 16)
fault = compare(one, golden, FP32_TOLERANCE)
assert not fault, fault
forwards, backwards = one.predict(golden.fields), other.predict(golden.fields[::-1])
assert all(a.tobytes() == b[::-1].tobytes() for a, b in zip(forwards, backwards))
assert load_runtime(card, "cpu-bf16", 1).device.endswith("CPU f32"), "it cannot compute in bf16"
print(one.device.split()[-1], *one.kernels)
"""


@pytest.mark.parametrize(
    ("onednn", "own", "instructions"),
    [("AVX2", "AVX2", "avx2"), ("SSE41", "SSE41", "sse42"), ("AVX2", "SSE41", "jit_avx2")],
)
def test_older_processors_repeat_the_golden_answers(
    real_model: ModelCard, onednn: str, own: str, instructions: str
) -> None:
    """Other kernels really computed: the runtime's own names of them say so."""
    done = subprocess.run(
        [sys.executable, "-c", AS_OLDER, str(real_model.folder)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "ONEDNN_MAX_CPU_ISA": onednn,
            "OV_CPU_MAX_ISA": own,
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    precision, *kernels = done.stdout.split()
    assert precision == "f32"  # these processors compute in nothing shorter
    assert kernels
    assert all(instructions in kernel for kernel in kernels), kernels


def test_the_kernels_are_those_of_the_processor_that_these_tests_run_as(runtime: Runtime) -> None:
    assert isinstance(runtime, OpenVinoRuntime)
    assert runtime.kernels
    older = os.environ.get("ONEDNN_MAX_CPU_ISA", "")  # as .ci/run sets it
    wanted = {"AVX2": "avx2", "SSE41": "sse42"}.get(older, "f32")
    assert all(wanted in kernel for kernel in runtime.kernels), runtime.kernels


def test_a_wrong_answer_is_noticed(runtime: Runtime, real_model: ModelCard) -> None:
    golden = read_golden(real_model)
    shifted = golden.probs.copy()
    shifted[0, 0] += 0.01
    assert "0.01" in compare(runtime, Golden(golden.fields, shifted), FP32_TOLERANCE)
    flipped = np.zeros_like(golden.probs)
    flipped[np.arange(len(flipped)), (golden.probs.argmax(1) + 1) % 3] = 1
    assert "change their class" in compare(runtime, Golden(golden.fields, flipped), 1.0)
    broken = golden.probs * np.float32(np.nan)
    assert compare(runtime, Golden(golden.fields, broken), 1.0)


@pytest.mark.parametrize("device", ["gpu", "", "cpu:0", "openvino-gpu", "cuda:x", "cuda:"])
def test_an_unknown_device_is_a_matter_of_usage(real_model: ModelCard, device: str) -> None:
    with pytest.raises(UsageProblem, match="Choose one of") as caught:
        load_runtime(real_model, device)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps"])
def test_a_missing_gpu_is_a_matter_of_the_machine(
    real_model: ModelCard, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("timm")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(MachineError, match="--device cpu") as caught:
        load_runtime(real_model, device)
    assert caught.value.exit_code == 5


def test_torch_that_is_not_installed_is_a_matter_of_the_machine(
    real_model: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "lungscan.runtimes.torch", None)
    with pytest.raises(MachineError, match=r"lungscan-histology\[gpu\]"):
        load_runtime(real_model, "torch-cpu")


def rewrite(folder: Path, card: ModelCard, **changes: object) -> ModelCard:
    """The folder with a card that fits its files again."""
    write_card(dataclasses.replace(card, **changes), folder)  # type: ignore[arg-type]
    return read_card(folder)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("graph.xml", b"<net/>"),
        ("graph.xml", b"\xff\xfe\x00"),
        ("graph.xml", b""),
        ("weights.safetensors", b""),
        ("weights.safetensors", b"\xff" * 100),
        ("weights.safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00{}"),
    ],
)
def test_files_that_make_no_network_are_a_matter_of_the_model(
    real_model: ModelCard, tmp_path: Path, name: str, data: bytes
) -> None:
    folder = tmp_path / "m"
    shutil.copytree(real_model.folder, folder)
    (folder / name).write_bytes(data)
    with pytest.raises(ModelError):
        load_runtime(rewrite(folder, real_model), "cpu", 1, 1)


def test_a_graph_that_does_not_fit_its_card_is_a_matter_of_the_model(
    real_model: ModelCard, tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    shutil.copytree(real_model.folder, folder)
    two = rewrite(
        folder,
        real_model,
        class_names=("a", "b"),
        display_names=("A", "B"),
        colors=("#000000", "#ffffff"),
        tumour=(True, False),
    )
    with pytest.raises(ModelError, match="2 classes"):
        load_runtime(two, "cpu", 1, 1)


def test_the_card_stores_no_path(real_model: ModelCard) -> None:
    assert str(real_model.folder) not in json.dumps(
        json.loads((real_model.folder / "card.json").read_bytes())
    )
