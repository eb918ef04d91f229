"""A task of the training page in a process of its own: torch is never loaded beside the window."""

from __future__ import annotations

from lungscan_gui.learning.tasks import Task
from lungscan_gui.scanning.job import ChildJob

CHILD = "lungscan_gui.learning.child"
STOP_S = 5.0  # a finished epoch is on the disk: nothing is lost by an end at once
WORDS = {"LookAtData": "audit", "TrainModel": "training", "JudgeModel": "evaluation"}


class LearnJob(ChildJob):
    """A task; its events end, or the last one is ``Failure`` or ``Stopped``."""

    def __init__(self, task: Task) -> None:
        """Start the process. Raises MachineError when the system will not."""
        super().__init__(task, CHILD, WORDS[type(task).__name__], STOP_S)
