"""What a run asks of whoever opens its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lungscan.errors import CaseError
from lungscan.opening.plan import Plan
from lungscan.reading import TilePixels
from lungscan.types import InputFile

FEW_TILES = 16  # a field with more is read batch by batch


@dataclass(frozen=True)
class OpenedField:
    """A planned field; ``pixels`` are those of all its tiles when they are few."""

    plan: Plan
    pixels: TilePixels | None


class Readers(Protocol):
    """Opens images. May be called from several threads at once.

    The plans' sources stay open until ``plan.source.close()``.
    """

    def begin(self, file: InputFile) -> None:
        """Begin to plan a file, with a picture, while its caller does something else.

        The next ``plan`` of that file takes the result; nobody need ever ask for it.
        """

    def stop(self) -> None:
        """End what is being read, because nobody wants it any more; whoever waits gets an error.

        Only child processes can be ended so.
        """

    def plan(self, file: InputFile, *, picture: bool, digest: str | None = None) -> Plan:
        """Open, hash and plan one file; see ``lungscan.opening.plan.plan_file``.

        ``Plan.before`` tells how the file looked then, for ``lungscan.inputs.in_motion``.

        Raises:
            CaseError: the file cannot be classified, or reading it crashed (E_CRASH), hung
                (E_TIMEOUT) or took too much memory (E_MEMORY).
        """

    def fields(self, files: Sequence[InputFile], *, picture: bool) -> list[OpenedField | CaseError]:
        """Open a handful of field images, in order; a bad one costs only itself."""

    def are_slides(self, files: Sequence[InputFile]) -> tuple[bool, ...]:
        """Whether each file holds a slide, whatever its name says; False where nobody can tell."""
