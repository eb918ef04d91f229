"""Fit the networks of a study, several at a time where the device has room for them."""

from __future__ import annotations

import multiprocessing
import queue
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lungscan.errors import MachineError, UsageProblem
from lungscan.studies.arrays import MATERIAL_FILE, TEST, Material, kept_material
from lungscan.studies.events import NetworkEpoch, NetworkFitted, NetworkStarted
from lungscan.studies.fitting import Fitted, OnDevice, fit
from lungscan.studies.options import StudyOptions
from lungscan.studies.results import Answers, keep, kept, load_network, weights_path
from lungscan.studies.tasks import Task, Unit, tasks

FitEvent = NetworkStarted | NetworkEpoch | NetworkFitted


@dataclass(frozen=True, slots=True)
class Means:
    """With what a study is computed; none of it belongs to its results."""

    device: str = "auto"  # CUDA where there is one; cpu, cuda or cuda:1
    workers: int = 1  # processes, each with units of its own
    lanes: int = 1  # networks of one unit that take turns in a process: fills a GPU
    until: float = float("inf")  # time.time() at which to stop
    threads: int = 0  # for torch on the CPU; 0: its own choice
    graphs: bool = True  # record steps as CUDA graphs


@dataclass
class _Lane:
    task: Task
    steps: Generator[int, None, Fitted]
    stream: Any
    started: float
    epoch: int = 0


@dataclass
class _Bench:
    """The networks of one unit: those to be fitted, those that learn, those that can teach."""

    folder: Path
    options: StudyOptions
    material: Material
    pictures: OnDevice
    means: Means
    waiting: list[Task]
    lanes: list[_Lane] = field(default_factory=list)
    teachers: dict[str, nn.Module] = field(default_factory=dict)


def fit_units(
    folder: Path, options: StudyOptions, units: Sequence[Unit], means: Means
) -> Iterator[FitEvent]:
    """Fit what is not finished yet of these units; ends early when the time is over.

    Raises:
        ModelError: results of other options lie in the folder.
        UsageProblem: there is no such device.
        MachineError: there is no CUDA here, or a process of several died.
    """
    if means.workers == 1:
        device = _settle(means)
        material = _material(folder)
        pictures = OnDevice.of(material, device)
        for unit in units:
            yield from _fit_unit(folder, options, unit, means, material, pictures)
        return
    yield from _by_processes(folder, options, units, means)


def _fit_unit(
    folder: Path,
    options: StudyOptions,
    unit: Unit,
    means: Means,
    material: Material,
    pictures: OnDevice,
) -> Iterator[FitEvent]:
    every = tasks(options, unit)
    waiting = unfinished(folder, every, material.fingerprint)
    bench = _Bench(folder, options, material, pictures, means, waiting)
    while (bench.waiting or bench.lanes) and time.time() < means.until:
        while len(bench.lanes) < means.lanes and (task := _ready(bench, every)) is not None:
            bench.lanes.append(_begin(bench, task))
            yield NetworkStarted(task.name, task.epochs)
        for lane in tuple(bench.lanes):
            yield from _turn(bench, lane)


def unfinished(folder: Path, every: Sequence[Task], belongs: str) -> list[Task]:
    """The networks that have no answers yet, and teachers of these that have no weights."""
    missing = [task for task in every if kept(folder, task, belongs) is None]
    needed = {name for task in missing for name in task.needs if task.teacher}
    again = [
        task
        for task in every
        if task not in missing and task.name in needed and not weights_path(folder, task).exists()
    ]
    return [task for task in every if task in missing or task in again]


def _ready(bench: _Bench, every: Sequence[Task]) -> Task | None:
    """The next network whose teacher is there; it is taken off the list."""
    for task in bench.waiting:
        if task.teacher and not _find_teacher(bench, task, every):
            continue
        bench.waiting.remove(task)
        return task
    return None


def _find_teacher(bench: _Bench, task: Task, every: Sequence[Task]) -> bool:
    learning = {other.name for other in bench.waiting} | {lane.task.name for lane in bench.lanes}
    for name in task.needs:
        if name in bench.teachers:
            return True
        found = next((other for other in every if other.name == name), None)
        if found is not None and name not in learning:
            outputs = len(bench.material.class_names) + 1
            network = load_network(bench.folder, found, outputs)
            network = network.to(bench.pictures.device)
            bench.teachers[name] = network.to(memory_format=torch.channels_last)
            return True
    return False


def _begin(bench: _Bench, task: Task) -> _Lane:
    teacher = next((bench.teachers[n] for n in task.needs if n in bench.teachers), None)
    device = bench.pictures.device
    stream: Any = None
    if device.type == "cuda":
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    if stream is not None:
        torch.cuda.synchronize(device)
    graphs = bench.means.graphs
    steps = fit(task, bench.options, bench.material, bench.pictures, teacher, graphs=graphs)
    return _Lane(task, steps, stream, time.perf_counter())


def _turn(bench: _Bench, lane: _Lane) -> Iterator[FitEvent]:
    """One step of one network."""
    task, fitted = lane.task, None
    with torch.cuda.stream(lane.stream) if lane.stream is not None else nullcontext():
        try:
            epoch = next(lane.steps)
        except StopIteration as done:
            fitted, epoch = done.value, task.epochs
    if epoch > lane.epoch:
        lane.epoch = epoch
        yield NetworkEpoch(task.name, epoch, task.epochs)
    if fitted is None:
        return
    bench.lanes.remove(lane)
    if task.role != "distilled":
        bench.teachers[task.name] = fitted.network
    seconds = time.perf_counter() - lane.started
    losses = np.array(fitted.losses, np.float32)
    answers = Answers(fitted.logits, losses, seconds, _device_name(bench.pictures.device))
    keep(bench.folder, task, fitted.network, answers, bench.material.fingerprint)
    yield NetworkFitted(task.name, _accuracy(bench.material, task, answers), seconds)


def _accuracy(material: Material, task: Task, answers: Answers) -> float | None:
    rows = material.rows(task.unit.name, TEST)
    if not len(rows):
        return None
    predicted = answers.logits[rows, : len(material.class_names)].argmax(1)
    return float((predicted == material.labels[rows]).mean())


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _material(folder: Path) -> Material:
    material = kept_material(folder / MATERIAL_FILE)
    if material is None:
        raise MachineError(f"{folder.name} holds no {MATERIAL_FILE} to learn from.")
    return material


def _settle(means: Means) -> torch.device:
    if means.threads:
        torch.set_num_threads(means.threads)
    name = means.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageProblem(f"There is no device {name}. Say auto, cpu, cuda or cuda:1.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MachineError("No CUDA device can be used here. Run the study with --device cpu.")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    return device


_events: Any = None  # the queue of a worker process


def _join(events: Any, means: Means) -> None:
    global _events  # noqa: PLW0603 - the only way into a process of a pool
    _events = events
    _settle(means)


def _work(folder: Path, options: StudyOptions, unit: Unit, means: Means) -> None:
    material = _material(folder)
    pictures = OnDevice.of(material, _settle(means))
    for event in _fit_unit(folder, options, unit, means, material, pictures):
        if not isinstance(event, NetworkEpoch):
            _events.put(event)


def _by_processes(
    folder: Path, options: StudyOptions, units: Sequence[Unit], means: Means
) -> Iterator[FitEvent]:
    context = multiprocessing.get_context("spawn")
    events: Any = context.Queue()
    with ProcessPoolExecutor(means.workers, context, _join, (events, means)) as pool:
        running: list[Future[None]] = [
            pool.submit(_work, folder, options, unit, means) for unit in units
        ]
        try:
            while True:
                ended = all(future.done() for future in running)
                try:
                    while True:
                        yield events.get(timeout=0.2)
                except queue.Empty:
                    if ended:
                        break
        finally:
            for future in running:
                future.cancel()
        for future in running:
            future.result()
