"""What this machine computes with, and how fast: asked in a process of its own, before any run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lungscan.opening.apart import Apart, Failure
from lungscan_gui import engine

MODULE = "lungscan_gui.scanning.machine_child"
STOP_S = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """Which model on which device; ``threads`` None: every core."""

    model: str
    device: str
    threads: int | None


@dataclass(frozen=True, slots=True)
class Machine:
    """What will be used."""

    device: str  # for people
    seconds_cm2: float  # of the network alone, for a square centimetre of tissue

    @property
    def text(self) -> str:
        """One line."""
        # An estimate: no decimals, and its unit is not left behind at the end of a line.
        seconds = round(self.seconds_cm2)
        time = f"{seconds} s" if 1 <= seconds < 60 else engine.duration(self.seconds_cm2)
        time = time.replace(" ", "\u00a0")
        return f"Computes on {self.device}: about {time} for a square centimetre of tissue."


class MachineJob(Apart):
    """Asks; its only event is a ``Machine`` or a ``Failure``."""

    def __init__(self, question: Question) -> None:
        """Start the process. Raises MachineError when the system will not."""
        super().__init__(MODULE, others="the window is", stop_s=STOP_S, what="look at this machine")
        self.begin(question)

    def events(self) -> Iterator[Machine | Failure]:
        """The answer."""
        yield from super().events()
