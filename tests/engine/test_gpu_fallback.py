"""A GPU without memory, or without its driver: smaller batches, then the CPU, and it is told.

No GPU is needed: torch computes on the CPU, and the network refuses as one on a GPU would.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lungscan.errors import MachineError, ModelError, UsageProblem
from lungscan.events import Notice, RunFinished, RunStarted, TilesScored
from lungscan.model.card import ModelCard
from lungscan.model.folder import read_golden
from lungscan.results.run_json import read_run_json
from lungscan.runtimes import Runtime, load_runtime
from lungscan.runtimes.fallback import FallbackRuntime
from lungscan.runtimes.runtime import DeviceFailed
from lungscan.scanning.scan import scan
from lungscan.types import CaseStatus, FloatArray, RgbBatch
from tests.engine.scanning import make_field, make_slide, options, results, rows, run
from tests.models import FakeRuntime

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

BOTH = {"gpu", "cpu"}  # which comes first is up to the threads
LOST = "CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA\n"
OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)"),
    torch.AcceleratorError("CUDA error: out of memory"),
]


class Refusing:
    """A network that takes ``most`` tiles at once and then raises ``error``."""

    def __init__(self, network: Callable[..., Any], most: int, error: Exception) -> None:
        self.network, self.most, self.error = network, most, error
        self.sizes: list[int] = []
        self.refused = 0

    def __call__(self, tiles: Any) -> Any:
        if len(tiles) > self.most:
            self.refused += 1
            raise self.error
        self.sizes.append(len(tiles))
        return self.network(tiles)


def refusing(card: ModelCard, most: int, error: Exception, batch: int = 16) -> Any:
    """A torch runtime with such a network."""
    runtime: Any = load_runtime(card, "torch-cpu", 1, batch)
    runtime.tile_by_tile = False  # whole batches, as on a GPU
    runtime.network = Refusing(runtime.network, most, error)
    return runtime


@pytest.fixture(scope="module")
def tiles(real_model: ModelCard) -> RgbBatch:
    """Eighteen different tiles."""
    fields = read_golden(real_model).fields
    some = np.concatenate([fields, fields[:, ::-1], fields[:, :, ::-1], 255 - fields])
    return np.ascontiguousarray(some[:18])


@pytest.fixture(scope="module")
def expected(real_model: ModelCard, tiles: RgbBatch) -> FloatArray:
    """What OpenVINO answers on the CPU, exactly."""
    return load_runtime(real_model, "cpu-fp32", 2, 16).predict(tiles)[0]


@pytest.fixture(scope="module")
def on_cpu(real_model: ModelCard, tiles: RgbBatch) -> FloatArray:
    """What a run on the CPU answers, in the precision that it chooses."""
    return load_runtime(real_model, "cpu", 2, 16).predict(tiles)[0]


# Smaller batches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "mps", "pinned"])
def test_a_full_gpu_gets_smaller_batches(
    real_model: ModelCard, tiles: RgbBatch, expected: FloatArray, error: Exception
) -> None:
    runtime = refusing(real_model, 5, error)
    probs, features = runtime.predict(tiles)
    np.testing.assert_allclose(probs, expected, atol=1e-3)
    assert len(features) == len(tiles)
    assert runtime.network.sizes == [4, 4, 4, 4, 2]  # 16 and 8 were refused
    assert runtime.batch_size == 4


def test_what_was_too_much_is_not_tried_again(real_model: ModelCard, tiles: RgbBatch) -> None:
    runtime = refusing(real_model, 3, OUT_OF_MEMORY[0])
    runtime.predict(tiles)
    refused = runtime.network.refused
    runtime.predict(tiles)
    assert runtime.network.refused == refused == 6  # 16, 8 and 4: beside others, and alone


def test_threads_that_all_find_it_full_end(
    real_model: ModelCard, tiles: RgbBatch, expected: FloatArray
) -> None:
    runtime = refusing(real_model, 2, OUT_OF_MEMORY[0])
    runtime.lanes, runtime.gate = 2, threading.BoundedSemaphore(2)  # as on a GPU
    found: list[FloatArray] = []
    threads = [
        threading.Thread(target=lambda: found.append(runtime.predict(tiles)[0]), daemon=True)
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(found) == 4
    for probs in found:
        np.testing.assert_allclose(probs, expected, atol=1e-3)


class Crowded:
    """A network that finds the memory taken by another batch the first time it is asked."""

    def __init__(self, network: Callable[..., Any]) -> None:
        self.network, self.asked = network, 0

    def __call__(self, tiles: Any) -> Any:
        self.asked += 1
        if self.asked == 1:
            raise OUT_OF_MEMORY[0]
        return self.network(tiles)


def test_a_last_tile_that_met_another_batch_does_not_end_the_gpu(
    real_model: ModelCard, tiles: RgbBatch, expected: FloatArray
) -> None:
    runtime: Any = load_runtime(real_model, "torch-cpu", 2, 16)
    runtime.network = Crowded(runtime.network)
    np.testing.assert_allclose(runtime.predict(tiles[:1])[0], expected[:1], atol=1e-3)
    assert runtime.batch_size == 8  # a batch of 16 and one tile were too much


def test_a_single_tile_that_does_not_fit(real_model: ModelCard, tiles: RgbBatch) -> None:
    with pytest.raises(DeviceFailed, match="no memory left for a single tile") as caught:
        refusing(real_model, 0, OUT_OF_MEMORY[0]).predict(tiles)
    assert caught.value.exit_code == 5
    assert "--device cpu" in str(caught.value)


@pytest.mark.parametrize("error", [torch.AcceleratorError(LOST), RuntimeError(LOST)])
def test_a_lost_driver_is_reported_in_one_line(
    real_model: ModelCard, tiles: RgbBatch, error: Exception
) -> None:
    runtime = refusing(real_model, 0, error)
    with pytest.raises(DeviceFailed, match="unspecified launch failure") as caught:
        runtime.predict(tiles)
    assert "\n" not in str(caught.value)
    assert "TORCH_USE" not in str(caught.value)
    assert runtime.network.refused == 1  # smaller batches would not help


# The CPU instead ----------------------------------------------------------------------------------


def falling(card: ModelCard, device: str, first: Any, **broken: Exception) -> FallbackRuntime:
    """A runtime that begins with ``first``; devices that are ``broken`` cannot be loaded."""

    def load(wanted: str, threads: int, batch_size: int | None) -> Runtime:
        if problem := broken.get(wanted.replace("-", "_")):
            raise problem
        if wanted == device:
            return first  # type: ignore[no-any-return]
        return load_runtime(card, wanted, threads, batch_size)

    return FallbackRuntime(load, device, 2, 16)


@pytest.mark.parametrize("error", [OUT_OF_MEMORY[0], torch.AcceleratorError(LOST)])
def test_the_cpu_answers_when_the_gpu_does_not(
    real_model: ModelCard, tiles: RgbBatch, on_cpu: FloatArray, error: Exception
) -> None:
    first = refusing(real_model, 0, error)
    runtime = falling(real_model, "auto", first)
    assert runtime.device == first.device
    for _ in range(2):
        np.testing.assert_array_equal(runtime.predict(tiles)[0], on_cpu)
    assert "OpenVINO" in runtime.device
    (notices,) = runtime.notices()
    assert runtime.device in notices
    assert ("no memory" if error is OUT_OF_MEMORY[0] else "launch failure") in notices
    assert not list(runtime.notices())


def test_who_names_a_gpu_gets_the_error(real_model: ModelCard, tiles: RgbBatch) -> None:
    first = refusing(real_model, 0, OUT_OF_MEMORY[0])
    with pytest.raises(DeviceFailed, match="single tile"):
        falling(real_model, "cuda", first).predict(tiles)


def test_torch_stands_in_where_openvino_does_not_work(
    real_model: ModelCard, tiles: RgbBatch, expected: FloatArray
) -> None:
    first = refusing(real_model, 0, OUT_OF_MEMORY[0])
    runtime = falling(real_model, "auto", first, cpu=ImportError("no OpenVINO"))
    np.testing.assert_allclose(runtime.predict(tiles)[0], expected, atol=1e-3)
    assert runtime.device.startswith("torch")


def test_where_nothing_else_works_the_first_error_is_reported(
    real_model: ModelCard, tiles: RgbBatch
) -> None:
    first = refusing(real_model, 0, OUT_OF_MEMORY[0])
    broken = {"cpu": MachineError("no OpenVINO"), "torch_cpu": UsageProblem("int8")}
    with pytest.raises(DeviceFailed, match="single tile"):
        falling(real_model, "auto", first, **broken).predict(tiles)


def test_a_cpu_that_fails_as_well_ends_it(real_model: ModelCard, tiles: RgbBatch) -> None:
    first = refusing(real_model, 0, OUT_OF_MEMORY[0])
    runtime = falling(real_model, "auto", first, cpu=ImportError("no OpenVINO"))
    runtime.predict(tiles)
    now: Any = runtime.now
    now.network = Refusing(now.network, 0, RuntimeError("broken"))
    with pytest.raises(DeviceFailed, match="broken"):
        runtime.predict(tiles)


def test_a_gpu_that_cannot_even_take_the_network(
    real_model: ModelCard, tiles: RgbBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OUT_OF_MEMORY[0]

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Module, "to", full)
        with pytest.raises(DeviceFailed, match="no memory left for the network") as caught:
            load_runtime(real_model, "torch-cpu", 1, 1)
    runtime = falling(real_model, "auto", None, auto=caught.value)
    assert "OpenVINO" in runtime.device
    assert len(list(runtime.notices())) == 1
    with pytest.raises(DeviceFailed):
        falling(real_model, "cuda", None, cuda=caught.value)


def test_a_model_that_is_wrong_is_wrong_on_every_device(real_model: ModelCard) -> None:
    with pytest.raises(ModelError):
        falling(real_model, "auto", None, auto=ModelError("changed"))


# Whole runs ---------------------------------------------------------------------------------------


class Machine:
    """A GPU that fails at one of its batches, and a CPU. Both answer alike."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails_at: int | None) -> None:
        self.gpu, self.cpu = FakeRuntime(), FakeRuntime()
        self.gpu.device, self.cpu.device = "gpu", "cpu"
        self.gpu.fails_at, self.gpu.error = fails_at, DeviceFailed("The GPU is gone.")
        self.batch_sizes: dict[str, int | None] = {}
        monkeypatch.setattr("lungscan.classification.loading.load_runtime", self._load)

    def _load(self, _: ModelCard, device: str, __: int, batch_size: int | None) -> FakeRuntime:
        runtime = self.cpu if device == "cpu" else self.gpu
        self.batch_sizes[device] = batch_size
        runtime.batch_size = batch_size or 16
        return runtime


def answered(device: str) -> set[str]:
    """The devices that a row names."""
    return set(device.split("; "))


def test_a_case_answered_by_two_devices_names_both(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(2):
        make_slide(tmp_path / "in" / f"{index}.svs")
    make_field(tmp_path / "in" / "a.png")
    machine = Machine(monkeypatch, fails_at=3)  # the field, one batch of the first slide
    out = tmp_path / "out"
    events = run(options(model, out, tmp_path / "in", threads=1, batch_size=8))
    found = {case: answered(result.device) for case, result in results(events).items()}
    assert found == {"a": {"gpu"}, "0": BOTH, "1": {"cpu"}}
    assert [answered(row["device"]) for row in rows(out)] == [BOTH, {"cpu"}, {"gpu"}]
    assert answered(read_run_json((out / "run.json").read_bytes()).device) == BOTH
    (notice,) = (event for event in events if isinstance(event, Notice))
    assert "The GPU is gone. From here on cpu answers" in notice.text
    assert isinstance(events[-1], RunFinished)
    assert machine.batch_sizes == {"auto": 8, "cpu": None}  # what was chosen for the GPU


def test_answers_are_those_of_the_cpu(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide = make_slide(tmp_path / "s.svs")
    tables = []
    for name, fails_at in (("whole", None), ("lost", 2)):
        Machine(monkeypatch, fails_at)
        run(options(model, tmp_path / name, slide, batch_size=8))
        tables += [path.read_bytes() for path in (tmp_path / name).glob("cases/*/tiles.csv")]
    assert len(tables) == 2
    assert tables[0] == tables[1]


def test_a_named_gpu_ends_the_run_and_a_second_one_goes_on(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = [make_field(tmp_path / "in" / f"{index}.png", seed=index) for index in range(2)]
    slide = make_slide(tmp_path / "in" / "s.svs")
    machine = Machine(monkeypatch, fails_at=3)
    chosen = options(
        model, tmp_path / "out", *fields, slide, device="cuda", threads=1, batch_size=8
    )
    with pytest.raises(DeviceFailed):
        run(chosen)
    assert not machine.cpu.calls
    events = run(chosen)
    assert {result.device for result in results(events).values()} == {"gpu"}


def test_a_gpu_lost_before_the_run_begins(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = FakeRuntime()

    def load(_: ModelCard, device: str, *__: object) -> FakeRuntime:
        if device == "auto":
            raise DeviceFailed("The GPU is full.")
        return cpu

    monkeypatch.setattr("lungscan.classification.loading.load_runtime", load)
    events = run(options(model, tmp_path / "out", make_field(tmp_path / "f.png")))
    assert isinstance(events[0], RunStarted)
    assert events[0].device == "fake"
    assert isinstance(events[1], Notice)
    assert "The GPU is full." in events[1].text


def test_a_slide_that_goes_on_remembers_who_scored_its_first_tiles(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungscan.classification.journal.BLOCK_TILES", 8)
    chosen = options(
        model, tmp_path / "out", make_slide(tmp_path / "s.svs"), threads=1, batch_size=8
    )
    Machine(monkeypatch, fails_at=2)
    events = scan(chosen)
    for event in events:
        if isinstance(event, TilesScored) and event.done >= 24:  # 8 on the GPU, the others after
            break
    events.close()
    again = Machine(monkeypatch, fails_at=None)
    (result,) = results(run(chosen)).values()
    assert result.status is CaseStatus.OK
    assert again.gpu.tiles <= result.counts.total - 24
    assert answered(result.device) == BOTH


def test_the_thread_that_was_answered_by_the_gpu_says_so(model: Path) -> None:
    gpu, cpu = FakeRuntime(), FakeRuntime()
    gpu.device, cpu.device = "gpu", "cpu"
    gpu.fails_at, gpu.error = 2, DeviceFailed("gone")
    runtime = FallbackRuntime(lambda device, *_: cpu if device == "cpu" else gpu, "auto", 1, None)
    batch = np.zeros((1, 8, 8, 3), np.uint8)
    runtime.predict(batch)
    other = threading.Thread(target=lambda: runtime.predict(batch))
    other.start()
    other.join()
    assert runtime.device == "gpu"
    assert cpu.calls == 1
