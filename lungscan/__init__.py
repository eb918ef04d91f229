"""LungScan: lung tissue classification for research use.

Importing this package loads nothing heavy: each function imports its part of the engine when it is
called. Long jobs are generators of events; the last one, called ``...Finished``, holds the result.
Leaving a generator, or setting the ``stop`` event that most of them take, ends the job; what it has
finished stays on the disk.

>>> result = lungscan.classify("slide.svs")                              # one case, nothing written
>>> for event in lungscan.scan(ScanOptions((Path("slides"),), Path("out"))): ...    # many, filed
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lungscan.door.cases import classify, plan, read_results, rebuild, reviews, scan, verify
    from lungscan.door.datasets import audit, split
    from lungscan.door.explaining import explain
    from lungscan.door.learning import adapt, study, train
    from lungscan.door.models import (
        benchmark,
        compare,
        compress,
        doctor,
        evaluate,
        export,
        models,
    )

__all__ = [
    "DISTRIBUTION",
    "RESEARCH_USE",
    "__version__",
    "adapt",
    "audit",
    "benchmark",
    "classify",
    "compare",
    "compress",
    "doctor",
    "evaluate",
    "explain",
    "export",
    "models",
    "plan",
    "read_results",
    "rebuild",
    "reviews",
    "scan",
    "split",
    "study",
    "train",
    "verify",
]

DISTRIBUTION = "lungscan-histology"  # what pip calls it: `lungscan` there is another project
__version__ = "0.1.0"
RESEARCH_USE = "Research use only. Not for use in diagnostic procedures."

_ROOMS = {
    "cases": ("classify", "plan", "read_results", "rebuild", "reviews", "scan", "verify"),
    "datasets": ("audit", "split"),
    "explaining": ("explain",),
    "learning": ("adapt", "study", "train"),
    "models": ("benchmark", "compare", "compress", "doctor", "evaluate", "export", "models"),
}
_WHERE = {name: f"{__name__}.door.{room}" for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    """A function of the door, imported when it is first asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
