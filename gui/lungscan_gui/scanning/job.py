"""A run of the engine for the window, in a process of its own: its events, and its end."""

from __future__ import annotations

from lungscan.events import ScanEvent
from lungscan.opening.apart import Apart, Failure, Stopped
from lungscan.options import ScanOptions

__all__ = ["Failure", "JobEvent", "ScanJob", "Stopped"]

CHILD = "lungscan_gui.scanning.child"
# What a process that was asked to stop may take. What it has scored is on the disk, but for the
# last 128 tiles: a killed run loses them, and goes on from there.
STOP_S = 0.9

JobEvent = ScanEvent | Failure | Stopped


class ScanJob(Apart):
    """One run; ``events`` ends with ``RunFinished``, ``Failure`` or ``Stopped``."""

    def __init__(self, options: ScanOptions) -> None:
        """Start it. Raises MachineError when the system will not."""
        super().__init__(CHILD, others="the window is", stop_s=STOP_S)
        self.begin(options)
