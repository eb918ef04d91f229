"""What is measured: model folders, and networks without weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import openvino as ov

from lungscan.benchmarking.machine import has_torch
from lungscan.benchmarking.records import BenchmarkOptions, Subject, Variant
from lungscan.benchmarking.timing import Network
from lungscan.benchmarking.variants import RuntimeNetwork
from lungscan.errors import MachineError
from lungscan.model.card import INT8, WEIGHTS, ModelCard
from lungscan.model.checked import find_model
from lungscan.model.folder import size_of
from lungscan.model.graph import count_parameters, read_graph
from lungscan.runtimes import Runtime
from lungscan.runtimes.kernels import best_precision, cpu_precisions, prefer_faster
from lungscan.runtimes.openvino import OpenVinoRuntime, check_graph

if TYPE_CHECKING:
    from lungscan.runtimes.deploy import Deployed

CPU = "CPU"
HINTS = {"f32": "fp32", "bf16": "bf16", "f16": "fp16"}  # OpenVINO's words and ours
RANDOM = "random weights"
ACCURACY_NAMES = ("accuracy", "accuracy student")
LOST = "accuracy lost by int8"


@dataclass(frozen=True)
class Candidate:
    """A subject with what the runtimes need."""

    subject: Subject
    graph: ov.Model
    torch: Deployed | None  # None where torch is missing or cannot compute it


def candidates(options: BenchmarkOptions) -> Iterator[Candidate]:
    """Load what ``options`` name, models first.

    Raises:
        ModelError: there is no such model.
        UsageProblem: timm has no such network.
        MachineError: networks were named, but torch or timm is not installed.
    """
    for name in options.models:
        yield _of_model(find_model(name))
    if options.networks and not has_torch():
        raise MachineError(
            "Networks by name need torch and timm, which are not installed. "
            'Install them with `python -m pip install "lungscan-histology[train]"`.'
        )
    for name in options.networks:
        yield _of_network(name, options.px)


def networks_of(
    candidate: Candidate, threads: int, gpus: tuple[tuple[str, str], ...]
) -> Iterator[Network]:
    """Every runtime, device and precision for one candidate; ``gpus`` as ``gpu_devices`` does."""
    hints = cpu_precisions()
    if candidate.subject.precision == INT8:  # its other layers run in the best that the CPU has
        hints = (best_precision(),)
    for hint in hints:
        yield _on_openvino(candidate, hint, threads)
    if candidate.torch is None:
        return
    # On a CPU LungScan asks torch for fp32 alone; bf16 stands beside it as its fastest there.
    places = [("torch-cpu", CPU, HINTS[hint]) for hint in hints if hint != "f16"]
    for device, name in gpus:
        # LungScan itself takes fp16 on CUDA; Apple's GPUs run in fp32.
        kinds = ("fp32", "bf16", "fp16") if device.startswith("cuda") else ("fp32",)
        places += [(device, name, kind) for kind in kinds]
    for device, name, precision in places:
        variant = Variant(candidate.subject.name, "torch", name, precision)
        yield _on_torch(variant, candidate.torch, device, threads, candidate.subject.input_px)


def _on_openvino(candidate: Candidate, hint: str, threads: int) -> Network:
    subject, int8 = candidate.subject, candidate.subject.precision == INT8
    variant = Variant(subject.name, "OpenVINO", CPU, INT8 if int8 else HINTS[hint])

    def load(batch: int) -> Runtime:
        return OpenVinoRuntime(candidate.graph, threads, batch, hint, int8=int8)

    return RuntimeNetwork(variant, load, threads, threads, subject.input_px)


def _on_torch(
    variant: Variant, shared: Deployed, device: str, threads: int, size_px: int
) -> Network:
    from lungscan.runtimes.torch import TorchRuntime, lanes_on

    network = copy.deepcopy(shared)  # precisions share one, and runtimes move theirs
    on_cpu = device == "torch-cpu"
    kind = "cpu" if on_cpu else device.partition(":")[0]

    def load(batch: int) -> Runtime:
        return TorchRuntime(network, device, threads, batch, variant.precision)

    lanes = lanes_on(kind, threads)
    return RuntimeNetwork(variant, load, threads if on_cpu else None, lanes, size_px)


def _of_model(card: ModelCard) -> Candidate:
    int8 = card.precision == INT8
    network = None
    if has_torch() and not int8:
        from lungscan.runtimes.deploy import load_deployed

        network = load_deployed(card)
    accuracy, note = accuracy_of(card)
    subject = Subject(
        name=card.name,
        architecture=card.architecture,
        input_px=card.patch_size_pixels,
        parameters=_parameters(card),
        weights_mb=(card.folder / WEIGHTS).stat().st_size / 1e6,
        folder_mb=size_of(card.folder) / 1e6,
        accuracy=accuracy,
        accuracy_note=note,
        precision=card.precision,
    )
    graph = read_graph(ov.Core(), card.folder, str if int8 else prefer_faster)
    check_graph(graph, card)
    return Candidate(subject, graph, network)


def _parameters(card: ModelCard) -> int:
    stored = card.compression.get("parameters")
    return stored if isinstance(stored, int) else count_parameters(card.folder)


def accuracy_of(card: ModelCard) -> tuple[float | None, str]:
    """The accuracy that the card holds, and on what it was measured.

    That of an int8 model is its source's, with what int8 lost beside it: the two were measured on
    different fields.
    """
    by_name = {metric.name: metric for metric in card.metrics}
    found = next((by_name[name] for name in ACCURACY_NAMES if name in by_name), None)
    if found is None or found.n == 0:
        return None, "no accuracy in the card"
    text = f"test, {found.n} fields"
    if found.low is not None and found.high is not None:
        text += f", 95 % CI {100 * found.low:.1f} to {100 * found.high:.1f} %"
    lost = by_name.get(LOST)
    if lost is not None:
        text += f"; before int8, which lost {100 * lost.value:.2f} points on {lost.n} others"
    return found.value, text


def _of_network(name: str, px: int) -> Candidate:
    from lungscan.benchmarking.untrained import count_of, untrained

    network, graph = untrained(name, px)
    graph.reshape([1, px, px, 3])
    parameters = count_of(network)
    subject = Subject(
        name=name,
        architecture=name,
        input_px=px,
        parameters=parameters,
        weights_mb=2 * parameters / 1e6,
        folder_mb=None,
        accuracy=None,
        accuracy_note=RANDOM,
        precision="fp16",
    )
    return Candidate(subject, graph, network)
