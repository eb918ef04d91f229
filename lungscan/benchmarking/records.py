"""Options of a benchmark, its events, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BenchmarkOptions:
    """All that ``lungscan benchmark`` can be set to."""

    models: tuple[str, ...] = ()  # shipped models' names, or model folders
    networks: tuple[str, ...] = ()  # timm's names; measured with random weights
    px: int = 192  # side of the input of ``networks``
    threads: int | None = None  # None: every core this process may use
    rounds: int = 7  # repeats, in each of which every network gets its turn
    seconds: float = 0.5  # of each turn, and of each try while the best batch is sought
    batches: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured."""

    processor: str
    threads: int  # those the networks could use
    cores: int  # those this process may use
    memory_gb: float | None
    gpus: tuple[str, ...]
    system: str
    versions: tuple[tuple[str, str], ...]
    load: float | None  # runnable processes in the minute before; None where nobody counts them


@dataclass(frozen=True, slots=True)
class Subject:
    """A network whose speed is measured."""

    name: str
    architecture: str  # timm's name
    input_px: int
    parameters: int  # batch normalisation folded into the convolutions
    weights_mb: float  # on disk; of random weights what they would take in fp16
    folder_mb: float | None  # all files that the model needs; None where there is no folder
    accuracy: float | None  # as the card has it
    accuracy_note: str  # where from; "random weights" where there is none to have
    precision: str  # as stored


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to compute a subject."""

    subject: str
    runtime: str  # OpenVINO, torch
    device: str  # CPU, or the GPU's name
    precision: str  # fp32, bf16, fp16, int8


@dataclass(frozen=True, slots=True)
class Spread:
    """A measured quantity over its repeats."""

    median: float
    p5: float
    p95: float
    repeats: int


@dataclass(frozen=True, slots=True)
class Measured:
    """How fast one variant is."""

    variant: Variant
    latency_ms: Spread  # of one tile at a time, over all calls
    images_per_s: Spread  # at the best batch and streams, over the rounds
    batch: int
    streams: int
    threads: int | None  # None on a GPU


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All figures, with what they were measured on."""

    utc: str
    machine: Machine
    options: BenchmarkOptions
    subjects: tuple[Subject, ...]
    rows: tuple[Measured, ...]
    notes: tuple[str, ...]

    def subject_of(self, row: Measured) -> Subject:
        """The subject that a row belongs to."""
        return next(s for s in self.subjects if s.name == row.variant.subject)


@dataclass(frozen=True, slots=True)
class Seeking:
    """The best batch of a variant is sought; ``done`` of ``total`` variants are ready."""

    variant: Variant
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class RoundDone:
    """Every variant has had its turn."""

    done: int
    rounds: int


@dataclass(frozen=True, slots=True)
class BenchmarkFinished:
    """The last event."""

    benchmark: Benchmark


BenchmarkEvent = Seeking | RoundDone | BenchmarkFinished
