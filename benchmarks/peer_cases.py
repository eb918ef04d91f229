"""What is run: inputs, options, cores, and how often each program meets each case."""

from __future__ import annotations

from dataclasses import dataclass

LUNGSCAN, NETWORK, DECODING = "LungScan", "network alone", "decoding alone"
ALONE = (NETWORK, DECODING)  # parts of LungScan, measured as nobody could use them
WSINFER, TIATOOLBOX = "WSInfer", "TIAToolbox"
PEERS = (WSINFER, TIATOOLBOX)
SIDE = 11_200  # px: some 1,300 tissue tiles
FEW, MANY = 250, 2_500  # fields in a folder


@dataclass(frozen=True)
class Case:
    """An input as ``drawing.py`` is asked for it, and how programs are called on it."""

    title: str
    drawing: tuple[str, ...]
    options: tuple[str, ...] = ()  # of the program
    cores: int | None = None  # None: all that are allowed


@dataclass(frozen=True)
class Job:
    """A program on a case."""

    program: str
    case: str
    repeats: int


def _slide(times: int) -> tuple[str, ...]:
    return (str(round(SIDE * times**0.5)),)


HALF = ("--overlap", "0.5")
CASES = {
    "warm": Case("warming up", ("1120",)),
    "1x": Case("slide, 1x", _slide(1)),
    "4x": Case("slide, 4x", _slide(4)),
    "16x": Case("slide, 16x", _slide(16)),
    "1x bare": Case(
        "slide, 1x, no reports", _slide(1), ("--pdf", "none", "--no-heatmap", "--no-geojson")
    ),
    "1x tuned": Case("slide, 1x, --speedup", _slide(1), ("--speedup",)),
    "1x half": Case("slide, 1x, overlap 50 %", _slide(1), HALF),
    "4x half": Case("slide, 4x, overlap 50 %", _slide(4), HALF),
    "1x core": Case("slide, 1x, one core", _slide(1), cores=1),
    "4x core": Case("slide, 4x, one core", _slide(4), cores=1),
    "ready": Case("ready batches", ("1120",)),
    "ready core": Case("ready batches, one core", ("1120",), cores=1),
    "field": Case("one field", ("224", "--field")),
    "224 few": Case(f"{FEW} fields of 224 px", ("224", "--fields", str(FEW))),
    "224 many": Case(f"{MANY:,} fields of 224 px", ("224", "--fields", str(MANY))),
    "768 few": Case(f"{FEW} fields of 768 px", ("768", "--fields", str(FEW))),
    "768 many": Case(f"{MANY:,} fields of 768 px", ("768", "--fields", str(MANY))),
}

QUICK = [
    Job(LUNGSCAN, "field", 1),
    Job(LUNGSCAN, "1x", 1),
    Job(WSINFER, "1x", 1),
    Job(TIATOOLBOX, "1x", 1),
    Job(NETWORK, "ready", 1),
    Job(LUNGSCAN, "1x bare", 1),
]


def jobs_for(repeats: int, *, peers_16x: bool) -> list[Job]:
    """All cases in the order of a turn; what is compared stands close together.

    The peers meet the larger slide and the single core once: minutes each, and no goal needs more.
    """
    often = [
        (LUNGSCAN, "field"),
        (LUNGSCAN, "1x"),
        (WSINFER, "1x"),
        (TIATOOLBOX, "1x"),
        (LUNGSCAN, "1x bare"),
        (LUNGSCAN, "4x"),
        (NETWORK, "ready"),
        (DECODING, "1x"),
        (LUNGSCAN, "16x"),
        (LUNGSCAN, "1x half"),
        (LUNGSCAN, "4x half"),
        (NETWORK, "ready"),
        (LUNGSCAN, "224 few"),
        (LUNGSCAN, "224 many"),
        (LUNGSCAN, "768 few"),
        (LUNGSCAN, "768 many"),
        (DECODING, "224 few"),
        (DECODING, "768 few"),
        (NETWORK, "ready"),
    ]
    once = [
        (LUNGSCAN, "1x core"),
        (LUNGSCAN, "4x core"),
        (NETWORK, "ready core"),
        *((peer, case) for case in ("1x core", "4x") for peer in PEERS),
        (WSINFER, "1x tuned"),
    ]
    if peers_16x:
        once += [(peer, "16x") for peer in PEERS]
    return [Job(*job, repeats) for job in often] + [Job(*job, 1) for job in once]
