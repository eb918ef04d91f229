"""A task of these pages in a process of its own: torch is never loaded beside the window."""

from __future__ import annotations

from lungscan.opening.apart import Apart
from lungscan_gui.learning.tasks import Task

CHILD = "lungscan_gui.learning.child"
STOP_S = 5.0  # a finished epoch is on the disk: nothing is lost by an end at once
WORDS = {
    "LookAtData": "audit",
    "TrainModel": "training",
    "JudgeModel": "evaluation",
    "AdaptModel": "adaptation",
}


class LearnJob(Apart):
    """A task; its events end, or the last one is ``Failure`` or ``Stopped``."""

    def __init__(self, task: Task) -> None:
        """Start the process. Raises MachineError when the system will not."""
        what = WORDS[type(task).__name__]
        super().__init__(CHILD, others="the window is", stop_s=STOP_S, what=what)
        self.begin(task)
