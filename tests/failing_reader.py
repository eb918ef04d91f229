"""A reader process that fails at files of certain names, as libraries fail at damaged ones."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from lungscan.opening import child, local
from lungscan.opening.plan import Plan, plan_field, plan_file
from lungscan.reading import TilePixels
from lungscan.types import InputFile


class Failing:
    """A source that fails once its tiles are read."""

    def __init__(self, source: Any, stem: str) -> None:
        self._source, self._stem = source, stem

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def read_tiles(self, *arguments: Any) -> TilePixels:
        """Die or hang."""
        fail(self._stem.removeprefix("later-"))
        result: TilePixels = self._source.read_tiles(*arguments)
        return result


def fail(stem: str) -> None:
    """What the name of a file asks for."""
    if stem == "abort":
        os.abort()
    if stem == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if stem == "hang":
        time.sleep(3600)
    if stem == "hog":
        bytearray(1 << 40)


def plan(file: InputFile, *arguments: Any, **more: Any) -> Plan:
    """Fail, or plan."""
    fail(file.path.stem)
    planned = plan_file(file, *arguments, **more)
    if file.path.stem.startswith("later-"):
        object.__setattr__(planned, "source", Failing(planned.source, file.path.stem))
    return planned


opened: list[str] = []


def field(file: InputFile, *arguments: Any, **more: Any) -> Plan:
    """Fail, or plan a field; one called so finds no room beside others."""
    fail(file.path.stem)
    if file.path.stem == "crowded" and opened:
        raise MemoryError
    opened.append(file.path.stem)
    return plan_field(file, *arguments, **more)


if __name__ == "__main__":
    setattr(local, "plan_file", plan)  # noqa: B010  a module's name, not an attribute of ours
    setattr(local, "plan_field", field)  # noqa: B010
    child.main(sys.argv[1:])
