"""A run of the engine for the window, in a process of its own: its events, and its end."""

from __future__ import annotations

from lungscan.errors import MachineError
from lungscan.events import ScanEvent
from lungscan.opening.apart import Apart, Failure, Stopped
from lungscan.options import ScanOptions
from lungscan_gui.spare import Spare

__all__ = ["Failure", "JobEvent", "Jobs", "ScanJob", "Stopped"]

CHILD = "lungscan_gui.scanning.child"
# What a process that was asked to stop may take. What it has scored is on the disk, but for the
# last 128 tiles: a killed run loses them, and goes on from there.
STOP_S = 0.9

JobEvent = ScanEvent | Failure | Stopped


class ScanJob(Apart):
    """One run; ``events`` ends with ``RunFinished``, ``Failure`` or ``Stopped``."""

    def __init__(self, options: ScanOptions | None = None) -> None:
        """Start it; without options it waits for ``begin``.

        Raises:
            MachineError: the system will not start a process.
        """
        super().__init__(CHILD, others="the window is", stop_s=STOP_S)
        if options is not None:
            self.begin(options)


class Jobs:
    """Starts runs. A process that was prepared has its libraries loaded, so a run begins at once.

    May be used by several threads.
    """

    def __init__(self) -> None:
        self._spare = Spare(ScanJob, MachineError)  # the run will say what is the matter

    @property
    def spare(self) -> ScanJob | None:
        """The process that waits."""
        return self._spare.waiting

    def prepare(self) -> None:
        """Have a process ready for the next run; does not wait for it."""
        self._spare.prepare_beside("prepare-run")

    def start(self, options: ScanOptions) -> ScanJob:
        """Start a run. Raises MachineError when the system will start no process."""
        spare = self._spare.take()
        if spare is not None and spare.alive:
            spare.begin(options)
            return spare
        if spare is not None:  # the system has ended it
            spare.close()
        return ScanJob(options)

    def close(self) -> None:
        """End the process that waits."""
        self._spare.close()
