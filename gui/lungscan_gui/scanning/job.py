"""A run of the engine for the window, in a process of its own: its events, and its end."""

from __future__ import annotations

from lungscan.events import ScanEvent
from lungscan.opening.apart import Apart, Failure, Stopped
from lungscan.options import ScanOptions

__all__ = ["Failure", "JobEvent", "ScanJob", "Stopped"]

CHILD = "lungscan_gui.scanning.child"

JobEvent = ScanEvent | Failure | Stopped


class ScanJob(Apart):
    """One run; ``events`` ends with ``RunFinished``, ``Failure`` or ``Stopped``."""

    def __init__(self, options: ScanOptions) -> None:
        """Start it. Raises MachineError when the system will not."""
        super().__init__(CHILD, others="the window is")
        self.begin(options)
