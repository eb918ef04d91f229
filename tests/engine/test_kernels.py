"""Kernels and precision by processor: chosen by what is compiled on trial, never by a clock."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from types import SimpleNamespace
from xml.etree import ElementTree

import openvino as ov
import pytest

from lungscan.model.card import ModelCard
from lungscan.model.graph import read_graph
from lungscan.runtimes import kernels
from lungscan.runtimes.kernels import best_precision, cpu_precisions, prefer_faster

AMX = {
    "f32": "brgconv_avx512_1x1_f32",
    "bf16": "brgconv_avx512_amx_1x1_bf16",
    "f16": "brgconv_avx512_amx_1x1_f16",
}
AMX_WITHOUT_FP16 = {**AMX, "f16": "brgconv_avx512_1x1_f16"}
AVX512 = {**AMX_WITHOUT_FP16, "bf16": "brgconv_avx512_1x1_bf16"}
AVX2 = {"f32": "brgconv_avx2_1x1_f32"}
ARM = {"f32": "gemm_acl_f32", "bf16": "gemm_acl_bf16", "f16": "gemm_acl_f16"}


def pretend(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, str], machine: str = "x86_64"
) -> None:
    """A processor that compiles to these kernels, and is said to have every precision."""
    monkeypatch.setattr(kernels, "kernel", lambda hint: names.get(hint, ""))
    monkeypatch.setattr(kernels, "cpu_precisions", lambda: ("f32", "bf16", "f16"))
    monkeypatch.setattr(platform, "machine", lambda: machine)


@pytest.mark.parametrize(
    ("names", "machine", "best"),
    [
        (AMX, "x86_64", "f16"),  # both in the matrix unit: the more exact one
        (AMX_WITHOUT_FP16, "AMD64", "bf16"),
        (AVX512, "x86_64", "f32"),  # half precision without a matrix unit is no faster
        (AVX2, "x86_64", "f32"),  # promised, but not compiled
        (ARM, "arm64", "f16"),
        ({**ARM, "f16": ""}, "aarch64", "bf16"),
        ({"f32": "gemm_acl_f32"}, "aarch64", "f32"),
    ],
)
def test_the_best_precision_is_told_by_kernels(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, str], machine: str, best: str
) -> None:
    pretend(monkeypatch, names, machine)
    assert best_precision() == best


@pytest.mark.parametrize(
    ("able", "hints"),
    [
        (["FP16", "FP32", "BF16", "INT8"], ("f32", "bf16", "f16")),
        (["FP32", "BF16"], ("f32", "bf16")),
        (["FP32", "INT8"], ("f32",)),
    ],
)
def test_precisions_are_told_by_openvino(able: list[str], hints: tuple[str, ...]) -> None:
    assert cpu_precisions(SimpleNamespace(get_property=lambda *_: able)) == hints


def test_a_trial_names_the_kernel_and_a_precision_that_is_only_promised_has_none() -> None:
    assert "f32" in kernels.kernel("f32")
    assert kernels.kernel("no such precision") == ""


def layer(kind: str, *weights: int) -> str:
    sides = "".join(f"<dim>{side}</dim>" for side in weights)
    tiles = "<dim>-1</dim>" * 4
    return (
        f'<layer type="{kind}"><input><port id="0">{tiles}</port><port id="1">{sides}</port>'
        f'</input><output><port id="2">{tiles}</port></output></layer>'
    )


@pytest.mark.parametrize(
    ("kind", "weights", "preferred"),
    [
        ("Convolution", (96, 16, 1, 1), "cpu:jit_avx2_1x1"),
        ("Convolution", (32, 3, 3, 3), "cpu:jit_avx2"),  # the first layer sees three colours
        ("Convolution", (64, 32, 3, 3), "cpu:jit_avx2"),
        ("Convolution", (12, 16, 1, 1), None),
        ("Convolution", (16, 12, 1, 1), None),
        ("GroupConvolution", (96, 1, 1, 3, 3), "cpu:jit_avx2_dw"),
        ("GroupConvolution", (12, 1, 1, 3, 3), None),
        ("GroupConvolution", (8, 2, 2, 3, 3), None),  # groups of several channels
        ("MatMul", (96, 16), None),
    ],
)
def test_on_avx2_each_layer_gets_the_kernel_that_fits(
    monkeypatch: pytest.MonkeyPatch, kind: str, weights: tuple[int, ...], preferred: str | None
) -> None:
    pretend(monkeypatch, AVX2)
    changed = ElementTree.fromstring(prefer_faster(f"<net>{layer(kind, *weights)}</net>"))
    notes = changed.findall("layer/rt_info/attribute")
    assert [note.get("value") for note in notes] == ([preferred] if preferred else [])
    assert all(note.get("name") == "primitives_priority" for note in notes)


@pytest.mark.parametrize("names", [AMX, AVX512, ARM, {"f32": "jit_sse42_1x1_f32"}])
def test_other_processors_keep_what_openvino_chooses(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, str]
) -> None:
    pretend(monkeypatch, names)
    xml = f"<net>{layer('Convolution', 96, 16, 1, 1)}</net>"
    assert prefer_faster(xml) == xml


def test_notes_that_a_layer_has_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, AVX2)
    own = '<rt_info><attribute name="fused_names_0" version="0" value="a"/></rt_info><input>'
    xml = f"<net>{layer('Convolution', 96, 16, 1, 1).replace('<input>', own)}</net>"
    changed = ElementTree.fromstring(prefer_faster(xml))
    (notes,) = changed.findall("layer/rt_info")
    assert [note.get("value") for note in notes] == ["a", "cpu:jit_avx2_1x1"]


BOTH = """
import sys
import numpy as np
from pathlib import Path
from lungscan.model.checked import read_card
from lungscan.model.folder import read_golden
from lungscan.runtimes import kernels
from lungscan.runtimes.openvino import load_openvino
card = read_card(Path(sys.argv[1]))
fields = read_golden(card).fields
ours = load_openvino(card, 1)
kernels.CHOSEN_ON_AVX2 = "none"
usual = load_openvino(card, 1)
print(kernels.kernel("f32"), np.abs(usual.predict(fields)[0] - ours.predict(fields)[0]).max())
print(*ours.kernels)
print(*usual.kernels)
"""


@pytest.mark.skipif(platform.machine().lower() not in kernels.X86, reason="not x86")
def test_the_faster_kernels_of_avx2_answer_as_openvinos_own_choice(real_model: ModelCard) -> None:
    """And OpenVINO still understands the wish, whose name is its own."""
    held_back = {"ONEDNN_MAX_CPU_ISA": "AVX2", "OV_CPU_MAX_ISA": "AVX2"}
    done = subprocess.run(
        [sys.executable, "-c", BOTH, str(real_model.folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **held_back},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    first, ours, usual = done.stdout.splitlines()
    name, difference = first.split()
    assert name.startswith("brgconv_avx2")
    assert float(difference) < 1e-5
    assert {"jit_avx2_1x1_f32", "jit_avx2_dw_f32", "jit_avx2_f32"} <= set(ours.split())
    assert all(kernel.startswith("brgconv_avx2") for kernel in usual.split())


def test_nothing_is_left_in_the_environment(
    real_model: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, AVX2)
    before = dict(os.environ)
    read_graph(ov.Core(), real_model.folder, prefer_faster)
    assert dict(os.environ) == before
