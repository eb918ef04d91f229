"""Benchmarks: the search for the best batch on a false clock, and the shape of what comes out."""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the small model needs torch")
pytest.importorskip("timm", reason="the small model needs timm")
pytest.importorskip("nncf", reason="the int8 model needs NNCF")

from lungscan.benchmarking import benchmark as run
from lungscan.benchmarking import machine, timing
from lungscan.benchmarking.benchmark import NO_GPU, NO_TORCH, benchmark
from lungscan.benchmarking.machine import describe, gpu_devices
from lungscan.benchmarking.records import (
    Benchmark,
    BenchmarkFinished,
    BenchmarkOptions,
    RoundDone,
    Seeking,
    Variant,
)
from lungscan.benchmarking.speed_tables import CSV_COLUMNS, markdown, write_benchmark
from lungscan.benchmarking.subjects import accuracy_of, candidates, networks_of
from lungscan.benchmarking.timing import rounds, seek
from lungscan.benchmarking.variants import RuntimeNetwork
from lungscan.errors import MachineError, ModelError, UsageProblem
from lungscan.model.card import FILES, Metric
from lungscan.model.graph import count_parameters
from lungscan.runtimes.openvino import OpenVinoRuntime
from lungscan.runtimes.torch import LANES, TorchRuntime
from lungscan.types import RgbBatch
from tests.models import FakeRuntime
from tests.small_model import SIDE, draw_tiles, small_int8, small_model

QUICK = BenchmarkOptions(px=SIDE, threads=1, rounds=2, seconds=0.001, batches=(1, 2))


class Clock:
    """A clock that only its networks move."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class FakeNetwork:
    """Fastest at batch 8 with two of four streams; each call moves the clock."""

    threads = 4
    streams = (4, 2, 1)

    def __init__(self, clock: Clock, name: str = "fake", log: list[str] | None = None) -> None:
        self.variant = Variant(name, "fake", "CPU", "fp32")
        self._clock, self._log = clock, [] if log is None else log

    def single(self) -> Callable[[], object]:
        def call() -> None:
            self._log.append(self.variant.subject)
            self._clock.now += 0.004

        return call

    def many(self, batch: int, streams: int) -> Callable[[int], object]:
        rate = 1000 - 50 * abs(batch - 8) - 100 * abs(streams - 2)

        def call(count: int) -> None:
            self._clock.now += count * batch / rate

        return call


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that timing reads."""
    clock = Clock()
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    return clock


def test_the_best_batch_and_streams_are_found(clock: Clock) -> None:
    found = seek(FakeNetwork(clock), (1, 2, 4, 8, 16), 0.1)
    assert (found.batch, found.streams) == (8, 2)
    found.turn(0.1)
    measured = found.measured()
    assert measured.images_per_s.median == pytest.approx(1000)
    assert measured.latency_ms.median == pytest.approx(4.0)
    assert measured.latency_ms.repeats >= timing.LEAST_CALLS


def test_the_search_ends_when_larger_batches_bring_nothing(clock: Clock) -> None:
    tried: list[int] = []

    class Noted(FakeNetwork):
        def many(self, batch: int, streams: int) -> Callable[[int], object]:
            tried.append(batch)
            return super().many(batch, streams)

    assert seek(Noted(clock), (7, 8, 9, 10, 11, 12, 13), 0.1).batch == 8
    assert max(tried) == 11


def test_every_second_round_goes_backwards(clock: Clock) -> None:
    log: list[str] = []
    contenders = [seek(FakeNetwork(clock, name, log), (8,), 0.01) for name in "ab"]
    log.clear()
    assert list(rounds(contenders, 3, 0.001)) == [1, 2, 3]
    assert "".join(dict.fromkeys(log)) == "ab"
    turns = [name for name, before in zip(log, ["", *log], strict=False) if name != before]
    assert turns == ["a", "b", "a", "b"]  # a b, b a, a b: neighbours of one name are one


@pytest.fixture(scope="module")
def measured() -> Benchmark:
    """The small model, its int8 form and an architecture without weights."""
    models = (str(small_model().folder), str(small_int8().folder))
    options = dataclasses.replace(QUICK, models=models, networks=("test_resnet",))
    events = list(benchmark(options))
    seeking = [event for event in events if isinstance(event, Seeking)]
    assert [event.done for event in seeking] == list(range(seeking[0].total))
    assert [event for event in events if isinstance(event, RoundDone)][-1] == RoundDone(2, 2)
    assert isinstance(events[-1], BenchmarkFinished)
    return events[-1].benchmark


def test_every_runtime_and_precision_is_measured(measured: Benchmark) -> None:
    found = {(r.variant.subject, r.variant.runtime, r.variant.precision) for r in measured.rows}
    openvino = {(n, "OpenVINO", "fp32") for n in ("small", "test_resnet")}
    assert openvino | {("small-int8", "OpenVINO", "int8")} <= found
    assert {("small", "torch", "fp32"), ("test_resnet", "torch", "fp32")} <= found
    assert not any(name == "small-int8" and runtime == "torch" for name, runtime, _ in found)
    assert len(found) == len(measured.rows)


def test_figures_have_their_spread(measured: Benchmark) -> None:
    for row in measured.rows:
        for spread in (row.latency_ms, row.images_per_s):
            assert 0 < spread.p5 <= spread.median <= spread.p95
        assert row.images_per_s.repeats == 2
        assert row.batch in (1, 2)
        assert row.streams == row.threads == 1


def test_subjects_say_what_they_are(measured: Benchmark) -> None:
    small, int8, resnet = measured.subjects
    folder = small_model().folder
    assert small.parameters == int8.parameters == count_parameters(folder) > 90_000
    assert small.folder_mb == sum((folder / n).stat().st_size for n in ("card.json", *FILES)) / 1e6
    assert int8.weights_mb < small.weights_mb
    assert small.accuracy == 0.9
    assert "95 % CI 80.0 to 95.0 %" in small.accuracy_note
    assert int8.accuracy == 0.9
    assert int8.accuracy_note.endswith("before int8, which lost 0.00 points on 30 others")
    assert (resnet.accuracy, resnet.accuracy_note) == (None, "random weights")
    assert resnet.weights_mb == pytest.approx(2 * resnet.parameters / 1e6)


def test_the_machine_and_the_limits_are_reported(measured: Benchmark) -> None:
    assert measured.machine.threads == 1
    assert measured.machine.processor
    assert dict(measured.machine.versions).keys() >= {"openvino", "torch"}
    assert (NO_GPU in measured.notes) == (not measured.machine.gpus)
    assert any("random weights" in note for note in measured.notes)


def test_files_in_three_formats(measured: Benchmark, tmp_path: Path) -> None:
    for suffix in ("json", "csv", "md"):
        write_benchmark(measured, tmp_path / f"speed.{suffix}")
    data = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    assert len(data["rows"]) == len(measured.rows)
    with (tmp_path / "speed.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert float(rows[0]["latency_ms"]) == pytest.approx(measured.rows[0].latency_ms.median, 1e-2)
    text = (tmp_path / "speed.md").read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4 + len(measured.subjects) + len(measured.rows)
    assert {line.count("|") for line in table} == {7}
    assert "Research use only" in text


def test_a_format_that_cannot_be_written_is_refused(measured: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"\.json, \.csv or \.md"):
        write_benchmark(measured, tmp_path / "speed.xlsx")


def test_a_busy_machine_is_reported(measured: Benchmark) -> None:
    quiet = dataclasses.replace(measured.machine, load=0.0, cores=4)
    busy = dataclasses.replace(quiet, load=3.0)
    assert not any("Other work" in note for note in run.notes_on(quiet, measured.subjects))
    assert any("load 3.0" in note for note in run.notes_on(busy, measured.subjects))
    unknown = dataclasses.replace(quiet, load=None, memory_gb=None)
    text = markdown(dataclasses.replace(measured, machine=unknown))
    assert "GB of memory" not in text


def test_without_torch_openvino_alone_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (machine, run, sys.modules["lungscan.benchmarking.subjects"]):
        monkeypatch.setattr(module, "has_torch", lambda: False)
    options = dataclasses.replace(QUICK, models=(str(small_model().folder),))
    (candidate,) = candidates(options)
    assert {n.variant.runtime for n in networks_of(candidate, 1, ())} == {"OpenVINO"}
    assert gpu_devices() == ()
    assert NO_TORCH in run.notes_on(describe(1, ()), (candidate.subject,))
    with pytest.raises(MachineError, match=r"lungscan-histology\[train\]"):
        list(candidates(dataclasses.replace(QUICK, networks=("test_resnet",))))


def test_each_gpu_gets_the_precisions_that_lungscan_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert gpu_devices() == (("cuda:0", "a GPU"),)
    (candidate,) = candidates(dataclasses.replace(QUICK, models=(str(small_model().folder),)))
    made = list(networks_of(candidate, 1, gpu_devices()))[-3:]
    assert [(n.variant.device, n.variant.precision) for n in made] == [
        ("a GPU", precision) for precision in ("fp32", "bf16", "fp16")
    ]
    assert {(n.threads, n.streams) for n in made} == {(None, (LANES,))}


def test_what_is_timed_is_what_a_scan_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call goes through ``predict`` of the runtimes themselves, from several threads."""
    asked: list[tuple[str, int, str]] = []
    for kind in (OpenVinoRuntime, TorchRuntime):

        def noted(
            self: Any, batch: RgbBatch, kind: type = kind, predict: Any = kind.predict
        ) -> object:
            asked.append((kind.__name__, len(batch), threading.current_thread().name))
            return predict(self, batch)

        monkeypatch.setattr(kind, "predict", noted)
    (candidate,) = candidates(dataclasses.replace(QUICK, models=(str(small_model().folder),)))
    for network in networks_of(candidate, 2, ()):
        assert network.streams == (2,)
        asked.clear()
        network.single()()
        network.many(3, 2)(8)
        (name,) = {name for name, _, _ in asked}
        assert name == f"{'Torch' if network.variant.runtime == 'torch' else 'OpenVino'}Runtime"
        assert sorted(size for _, size, _ in asked) == [1, *[3] * 8]
        assert all("ThreadPool" in thread for _, size, thread in asked if size == 3)


def test_a_gpu_that_goes_on_with_smaller_batches_has_no_speed_for_large_ones() -> None:
    fake = FakeRuntime(batch_size=4)  # it was to take eight
    network = RuntimeNetwork(Variant("x", "torch", "a GPU", "fp16"), lambda _: fake, None, 2, SIDE)
    with pytest.raises(MachineError, match="no memory left for batches of 8"):
        network.many(8, 2)(1)


def test_reduced_precision_of_torch_is_really_reduced() -> None:
    (candidate,) = candidates(dataclasses.replace(QUICK, models=(str(small_model().folder),)))
    tiles = draw_tiles(5, 1).pixels
    exact, rounded = (
        TorchRuntime(copy.deepcopy(candidate.torch), "torch-cpu", 1, 1, precision).predict(tiles)
        for precision in ("fp32", "bf16")
    )
    assert not (exact[1] == rounded[1]).all()
    np.testing.assert_allclose(exact[0], rounded[0], atol=0.1)


@pytest.mark.parametrize(
    ("options", "error", "hint"),
    [
        (BenchmarkOptions(), UsageProblem, "Name a model"),
        (BenchmarkOptions(("no-such-model",)), ModelError, "no-such-model"),
        (BenchmarkOptions(networks=("no_such_net",), px=64), UsageProblem, "no_such_net"),
        (BenchmarkOptions(networks=("test_maxvit",), px=64), UsageProblem, "64 px"),
        (BenchmarkOptions(("lung-histology",), rounds=0), UsageProblem, "one round"),
    ],
)
def test_what_cannot_be_measured_is_named(
    options: BenchmarkOptions, error: type[Exception], hint: str
) -> None:
    with pytest.raises(error, match=hint):
        list(benchmark(options))


def test_a_name_given_twice_is_refused() -> None:
    options = dataclasses.replace(QUICK, networks=("test_resnet", "test_resnet"))
    with pytest.raises(UsageProblem, match="named twice"):
        list(benchmark(options))


def test_the_accuracy_is_the_card_s() -> None:
    bare = dataclasses.replace(small_model(), metrics=())
    assert accuracy_of(bare) == (None, "no accuracy in the card")
    alone = dataclasses.replace(bare, metrics=(Metric("accuracy", 0.5, None, None, 9, 9),))
    assert accuracy_of(alone) == (0.5, "test, 9 fields")
