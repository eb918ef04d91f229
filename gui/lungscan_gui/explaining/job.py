"""One tile explained, in a process of its own: the network is never loaded beside the window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lungscan.opening.apart import Apart, Failure, Stopped
from lungscan.options import Explain
from lungscan.types import Explanation

CHILD = "lungscan_gui.explaining.child"
STOP_S = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """Which tile of which image, and by which model."""

    path: Path
    box: tuple[int, int, int, int] | None  # level-0 pixels; None: a field as it was seen, whole
    model: str  # name or folder
    method: Explain
    mpp: float | None
    device: str


class ExplainJob(Apart):
    """Asks; its only event is an ``Explanation`` or a ``Failure``."""

    def __init__(self, question: Question) -> None:
        """Start the process. Raises MachineError when the system will not."""
        super().__init__(CHILD, others="the window is", stop_s=STOP_S, what="explanation")
        self.begin(question)

    def events(self) -> Iterator[Explanation | Failure | Stopped]:
        """The answer."""
        yield from super().events()
