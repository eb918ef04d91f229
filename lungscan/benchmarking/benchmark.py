"""A whole benchmark: load, seek each best batch, then rounds over all."""

from __future__ import annotations

from collections.abc import Generator

from lungscan.benchmarking.machine import describe, gpu_devices, has_torch
from lungscan.benchmarking.records import (
    Benchmark,
    BenchmarkEvent,
    BenchmarkFinished,
    BenchmarkOptions,
    Machine,
    RoundDone,
    Seeking,
    Subject,
)
from lungscan.benchmarking.subjects import RANDOM, candidates, networks_of
from lungscan.benchmarking.timing import rounds, seek
from lungscan.errors import UsageProblem
from lungscan.results.provenance import utc_now
from lungscan.workers import available_threads

NO_GPU = "There is no GPU here that LungScan can use, so only the CPU was measured."
NO_TORCH = "torch and timm are not installed, so only OpenVINO was measured."
BUSY = 0.25  # of the cores; more running processes than this disturb the figures


def benchmark(options: BenchmarkOptions) -> Generator[BenchmarkEvent, None, None]:
    """Measure every runtime, device and precision of what ``options`` name, side by side.

    Raises:
        UsageProblem: nothing was named, a name twice, or timm does not know a network.
        ModelError, MachineError: see ``candidates``.
    """
    _require_sense(options)
    threads = options.threads or available_threads()
    gpus = gpu_devices()
    machine = describe(threads, tuple(name for _, name in gpus))
    found = list(candidates(options))
    _require_different([candidate.subject for candidate in found])
    networks = [network for one in found for network in networks_of(one, threads, gpus)]
    contenders = []
    for done, network in enumerate(networks):
        yield Seeking(network.variant, done, len(networks))
        contenders.append(seek(network, options.batches, options.seconds))
    for number in rounds(contenders, options.rounds, options.seconds):
        yield RoundDone(number, options.rounds)
    subjects = tuple(candidate.subject for candidate in found)
    rows = tuple(contender.measured() for contender in contenders)
    notes = notes_on(machine, subjects)
    yield BenchmarkFinished(Benchmark(utc_now(), machine, options, subjects, rows, notes))


def _require_sense(options: BenchmarkOptions) -> None:
    if not options.models and not options.networks:
        raise UsageProblem("Name a model or, with --network, a network of timm's.")
    if options.rounds < 1 or not options.batches or min(options.batches) < 1:
        raise UsageProblem("A benchmark needs one round and one batch size at least.")


def _require_different(subjects: list[Subject]) -> None:
    names = [subject.name for subject in subjects]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageProblem(f"{twice} was named twice; nobody could tell the rows apart.")


def notes_on(machine: Machine, subjects: tuple[Subject, ...]) -> tuple[str, ...]:
    """What to know when reading the figures."""
    notes = [
        "Only the network is timed, uint8 tiles in and probabilities and features out, in the very "
        "runtimes that a scan uses; latency is that of one tile at a time, throughput that of the "
        "best batch, handed over by as many callers as are answered side by side.",
    ]
    if not has_torch():
        notes.append(NO_TORCH)
    elif not machine.gpus:
        notes.append(NO_GPU)
    if any(subject.accuracy_note == RANDOM for subject in subjects):
        notes.append(
            "Networks with random weights show speed and size alone; their size on disk is that of "
            "their parameters in fp16."
        )
    if machine.load is not None and machine.load > BUSY * machine.cores:
        notes.append(
            f"Other work ran on this machine (load {machine.load:.1f} before the start): times are "
            "too long, and only ratios within the table can be trusted."
        )
    return tuple(notes)
