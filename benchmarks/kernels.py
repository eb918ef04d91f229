"""What a tile costs in each precision and with each choice of kernels, on this processor.

    python benchmarks/kernels.py NAME ... [--px 192] [--seconds 20] [--as AVX2] [--int8]

NAME is a shipped model, a model folder, or a network of timm's without weights (speed does not
depend on them). ``--as`` holds OpenVINO and oneDNN back to an older processor's instructions, by
the variables that the tests use. Every way has one stream and one thread and answers tile by tile,
as in a scan; the ways take turns, and CPU milliseconds are counted, not those of the clock, so that
other work beside it distorts less. int8 is quantized here with noise: for its speed alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import openvino as ov

from lungscan.benchmarking.machine import processor
from lungscan.errors import ModelError
from lungscan.model.checked import find_model
from lungscan.model.graph import read_graph
from lungscan.runtimes.kernels import (
    FP32,
    best_precision,
    convolutions,
    cpu_precisions,
    prefer_faster,
)
from lungscan.runtimes.openvino import compile_graph

CALLS = 4  # of a turn
VARIABLES = ("ONEDNN_MAX_CPU_ISA", "OV_CPU_MAX_ISA")
CALIBRATION = 8  # tiles
CONVOLUTION = (
    '<net><layer type="Convolution"><input><port id="0" /><port id="1">'
    "<dim>8</dim><dim>8</dim><dim>1</dim><dim>1</dim></port></input></layer></net>"
)


@dataclass
class Way:
    """One network, compiled one way."""

    network: str
    name: str
    compiled: ov.CompiledModel
    costs: list[float] = field(default_factory=list)  # CPU seconds of a tile

    def __post_init__(self) -> None:
        """Bind the memory, and let the first calls pass."""
        self._request = self.compiled.create_infer_request()
        shape = list(self.compiled.input(0).shape)
        self._tile = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        self._request.set_input_tensor(ov.Tensor(self._tile, shared_memory=True))
        self.turn()
        self.costs.clear()

    def turn(self) -> None:
        """Answer a few tiles."""
        begun = time.process_time()
        for _ in range(CALLS):
            self._request.infer()
        self.costs.append((time.process_time() - begun) / CALLS)


def read(name: str, px: int, faster: bool, folder: Path) -> ov.Model:
    """The graph of a model, or of an untrained network, for one tile."""
    change = prefer_faster if faster else str
    try:
        card = find_model(name)
    except ModelError:
        from lungscan.benchmarking.untrained import untrained  # takes torch, and its time

        path = folder / f"{name}.xml"
        if not path.exists():
            ov.save_model(untrained(name, px)[1], path)
        weights = ov.Tensor(np.fromfile(path.with_suffix(".bin"), np.uint8))
        graph = ov.Core().read_model(model=change(path.read_text("utf-8")), weights=weights)
    else:
        graph, px = read_graph(ov.Core(), card.folder, change), card.patch_size_pixels
    graph.reshape([1, px, px, 3])
    return graph


def quantize(graph: ov.Model) -> ov.Model:
    """The graph in int8, as ``lungscan compress`` first tries it, with noise for tiles."""
    import nncf

    rng, shape = np.random.default_rng(0), list(graph.input(0).shape)
    tiles = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(CALIBRATION)]
    preset = nncf.QuantizationPreset.MIXED
    return nncf.quantize(graph, nncf.Dataset(tiles), subset_size=CALIBRATION, preset=preset)


def ways(name: str, px: int, folder: Path, *, int8: bool) -> list[Way]:
    """All ways of one network; the first is fp32 with the kernels that OpenVINO chooses."""
    usual, best = read(name, px, False, folder), best_precision()
    made = [Way(name, "fp32", compile_graph(usual, 1, FP32))]
    if prefer_faster(CONVOLUTION) != CONVOLUTION:
        ours = read(name, px, True, folder)
        made.append(Way(name, "fp32, kernels chosen here", compile_graph(ours, 1, FP32)))
    made += [Way(name, hint, compile_graph(usual, 1, hint)) for hint in cpu_precisions()[1:]]
    if int8:
        made.append(Way(name, "int8", compile_graph(quantize(usual), 1, best)))
    return made


def measure(names: list[str], px: int, seconds: float, *, int8: bool) -> None:
    """Print a table: CPU time of a tile, and how many times as fast as fp32 each way is."""
    with tempfile.TemporaryDirectory() as folder:
        all_ways = [way for name in names for way in ways(name, px, Path(folder), int8=int8)]
    end, forwards = time.monotonic() + seconds, True
    while time.monotonic() < end:
        for way in all_ways if forwards else reversed(all_ways):
            way.turn()
        forwards = not forwards
    held = os.environ.get(VARIABLES[0])
    print(f"{processor()}{f', held back to {held}' if held else ''}: ", end="")
    print(f"models answer in {best_precision()}; {len(all_ways[0].costs)} turns\n")
    print("| network | way | CPU ms a tile, median (least) | times as fast | kernels |")
    print("|---|---|---:|---:|---|")
    first = all_ways[0]
    for way in all_ways:
        first = first if way.network == first.network else way
        pairs = [one / other for one, other in zip(first.costs, way.costs, strict=True)]
        median, least = 1000 * statistics.median(way.costs), 1000 * min(way.costs)
        ratio, kernels = statistics.median(pairs), ", ".join(convolutions(way.compiled)[:3])
        print(
            f"| {way.network} | {way.name} | {median:.2f} ({least:.2f}) | {ratio:.2f} | {kernels} |"
        )


def main() -> None:
    """Measure here, or in a child that is held back."""
    parser = argparse.ArgumentParser(description="Kernels and precisions on this processor.")
    parser.add_argument("names", nargs="+")
    parser.add_argument("--px", type=int, default=192)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--as", dest="held_back", default="", help="AVX2, AVX512_CORE, SSE41 ...")
    parser.add_argument("--int8", action="store_true")
    given = parser.parse_args()
    if given.held_back and given.held_back != os.environ.get(VARIABLES[0]):
        limits = dict.fromkeys(VARIABLES, given.held_back)
        child = [sys.executable, __file__, *sys.argv[1:]]
        raise SystemExit(
            subprocess.run(child, env={**os.environ, **limits}, check=False).returncode
        )
    measure(given.names, given.px, given.seconds, int8=given.int8)


if __name__ == "__main__":
    main()
