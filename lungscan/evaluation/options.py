"""What ``lungscan evaluate`` and ``lungscan compare`` can be set to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lungscan.options import ClassifierOptions

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How fields are judged and how figures are drawn from the answers."""

    mpp: float | None = None  # µm per pixel, for fields that do not say
    device: str = "auto"
    threads: int | None = None  # None: every core this process may use
    robustness: bool = False  # judge changed copies of every field too
    seed: int = 0  # of the bootstrap
    draws: int = 2000  # of the bootstrap

    def classifier(self, model: str) -> ClassifierOptions:
        """How ``model`` judges: as ``lungscan classify`` would. Raises UsageProblem.

        Labelled data are one's own, so no child process stands between.
        """
        return ClassifierOptions(
            model=model,
            mpp=self.mpp,
            device=self.device,
            threads=self.threads,
            unproven=True,  # how good it is is the question
            isolate=False,
        )


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which fields are judged."""

    data: Path  # a folder with one sub-folder per class
    split: Path | None = None  # CSV file,label,group,part; None: the whole folder
    part: str = "test"
    groups: Path | None = None  # CSV file,group; replaces what folder and split file say
