"""Which kernels this processor gets, and where OpenVINO's own choice among them is not the fastest.

A convolution of a few numbers is compiled on trial: the name of the kernel that computes it, such
as ``brgconv_avx512_amx_1x1_bf16``, tells what the processor, a virtual machine around it and a
limit set by its user leave of the instructions that it is said to have. Only names are asked for,
nothing is timed: so a processor always gets the same kernels, and a tile the same bytes.
See docs/decisions/0029-kernels-by-processor.md.
"""

from __future__ import annotations

import platform
from collections import Counter
from functools import cache
from xml.etree import ElementTree

import numpy as np
import openvino as ov
from openvino import opset13

X86 = {"x86_64", "amd64", "i386", "i686"}
FP32 = "f32"
MATRIX_UNIT = "amx"  # Intel's Advanced Matrix Extensions: the only half precision that pays on x86
CHOSEN_ON_AVX2 = "brgconv_avx2"  # what OpenVINO takes there, and the others are faster
ON_AVX2 = {"pointwise": "jit_avx2_1x1", "depthwise": "jit_avx2_dw", "other": "jit_avx2"}
LANES = 8  # floats in a register of AVX2; other numbers of channels make these kernels slower
COLOURS = 3
TRIAL_PX, TRIAL_CHANNELS = 8, 32


def cpu_precisions(core: ov.Core | None = None) -> tuple[str, ...]:
    """OpenVINO's hints of the precisions that this CPU computes in, fp32 first.

    Then by what they keep of a number: bf16 8 bits, fp16 11.
    """
    able = (core or ov.Core()).get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return (FP32, *(hint for hint, name in (("bf16", "BF16"), ("f16", "FP16")) if name in able))


def best_precision() -> str:
    """The hint of the precision that models answer in on this CPU.

    On x86 half precision only where it is computed by a matrix unit, fp16 before bf16: elsewhere it
    is slower than fp32, or no faster, and less exact. Other processors compute in fp16 natively.
    """
    half = cpu_precisions()[:0:-1]
    if platform.machine().lower() not in X86:
        return next((hint for hint in half if kernel(hint)), FP32)
    return next((hint for hint in half if MATRIX_UNIT in kernel(hint)), FP32)


@cache
def kernel(hint: str) -> str:
    """The name of the kernel that computes a 1x1 convolution in this precision.

    Empty where OpenVINO promises the precision and cannot compile it.
    """
    shape = [1, TRIAL_CHANNELS, TRIAL_PX, TRIAL_PX]
    tile = opset13.parameter(shape, np.float32)
    weights = np.full((TRIAL_CHANNELS, TRIAL_CHANNELS, 1, 1), 0.5, np.float32)
    answer = opset13.convolution(tile, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    settings = {"INFERENCE_PRECISION_HINT": hint, "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "1"}
    try:
        compiled = ov.Core().compile_model(ov.Model([answer], [tile]), "CPU", settings)
    except RuntimeError:
        return ""
    return next(iter(convolutions(compiled)), "")


def convolutions(compiled: ov.CompiledModel) -> tuple[str, ...]:
    """Kernels of a network's convolutions, the most frequent first.

    By OpenVINO's runtime model, whose notes say how each operation is computed.
    """
    notes = [operation.get_rt_info() for operation in compiled.get_runtime_model().get_ops()]
    names = Counter(
        note["primitiveType"].astype(str)
        for note in notes
        if note["layerType"].astype(str) == "Convolution"
    )
    return tuple(name for name, _ in names.most_common())


def prefer_faster(xml: str) -> str:
    """A graph's XML (IR version 11) with the kernels that OpenVINO shall try first on this CPU.

    The same text but on processors with AVX2 and without AVX-512. It is a note at the layer
    (``primitives_priority``), so nothing else in this process or its children is touched.
    """
    if not kernel(FP32).startswith(CHOSEN_ON_AVX2):
        return xml
    net = ElementTree.fromstring(xml)  # noqa: S314 - ``read_graph`` refuses entities
    for layer in net.iter("layer"):
        preferred = _preferred(layer)
        if preferred:
            note = {"name": "primitives_priority", "version": "0", "value": f"cpu:{preferred}"}
            notes = layer.find("rt_info")
            if notes is None:
                notes = ElementTree.SubElement(layer, "rt_info")
            ElementTree.SubElement(notes, "attribute", note)
    return ElementTree.tostring(net, encoding="unicode")


def _preferred(layer: ElementTree.Element) -> str:
    """The kernel for a layer on AVX2; empty where OpenVINO's choice is as good.

    By the shape of its weights, as that of its tiles is left open: ``(out, in, k, k)``, or
    ``(groups, out, in, k, k)`` with the channels of one group.
    """
    kind, ports = layer.get("type"), layer.findall("input/port")
    if kind not in {"Convolution", "GroupConvolution"} or len(ports) != 2:
        return ""
    weights = [int(side.text or 0) for side in ports[1].findall("dim")]
    if kind == "GroupConvolution":
        depthwise = weights[1:3] == [1, 1] and weights[0] % LANES == 0
        return ON_AVX2["depthwise"] if depthwise else ""
    fits = weights[0] % LANES == 0 and (weights[1] % LANES == 0 or weights[1] == COLOURS)
    kernel_of = "pointwise" if weights[2:] == [1, 1] else "other"
    return ON_AVX2[kernel_of] if fits else ""
