"""What is measured: model folders, and networks without weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import openvino as ov

from lungscan.cards import FILES, INT8, ModelCard, find_model
from lungscan.errors import MachineError
from lungscan.measuring.machine import has_torch
from lungscan.measuring.openvino_networks import HINTS, OpenVinoNetwork
from lungscan.measuring.records import BenchmarkOptions, Subject, Variant
from lungscan.measuring.timing import Network
from lungscan.runtimes.graph import count_parameters, read_graph
from lungscan.runtimes.openvino import cpu_precisions

if TYPE_CHECKING:
    from lungscan.runtimes.deploy import Deployed

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
    subject, core = candidate.subject, ov.Core()
    hints = cpu_precisions(core)
    if subject.precision == INT8:  # its other layers run in the best that the CPU has
        hints = hints[-1:]
    for hint in hints:
        precision = INT8 if subject.precision == INT8 else HINTS[hint]
        yield OpenVinoNetwork(
            subject.name, candidate.graph, hint, precision, threads, subject.input_px
        )
    if candidate.torch is None:
        return
    from lungscan.measuring.torch_networks import RUNTIME, TorchNetwork

    # On a CPU LungScan asks torch for fp32 alone; bf16 stands beside it as its fastest there.
    places = [("cpu", "CPU", HINTS[hint]) for hint in hints if hint != "f16"]
    for device, name in gpus:
        # LungScan itself takes fp16 on CUDA; Apple's GPUs run in fp32.
        kinds = ("fp32", "bf16", "fp16") if device.startswith("cuda") else ("fp32",)
        places += [(device, name, kind) for kind in kinds]
    for device, name, precision in places:
        variant = Variant(subject.name, RUNTIME, name, precision)
        yield TorchNetwork(variant, candidate.torch, device, threads, subject.input_px)


def _of_model(card: ModelCard) -> Candidate:
    int8 = card.precision == INT8
    network = None
    if has_torch() and not int8:
        from lungscan.runtimes.deploy import load_deployed

        network = load_deployed(card)
    accuracy, note = accuracy_of(card)
    sizes = [(card.folder / name).stat().st_size for name in ("card.json", *FILES)]
    subject = Subject(
        name=card.name,
        architecture=card.architecture,
        input_px=card.patch_size_pixels,
        parameters=_parameters(card),
        weights_mb=(card.folder / "weights.safetensors").stat().st_size / 1e6,
        folder_mb=sum(sizes) / 1e6,
        accuracy=accuracy,
        accuracy_note=note,
        precision=card.precision,
    )
    return Candidate(subject, read_graph(ov.Core(), card.folder), network)


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
    told = f"test, {found.n} fields"
    if found.low is not None and found.high is not None:
        told += f", 95 % CI {100 * found.low:.1f} to {100 * found.high:.1f} %"
    lost = by_name.get(LOST)
    if lost is not None:
        told += f"; before int8, which lost {100 * lost.value:.2f} points on {lost.n} others"
    return found.value, told


def _of_network(name: str, px: int) -> Candidate:
    from lungscan.measuring.torch_networks import count_of, untrained

    network, graph = untrained(name, px)
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
