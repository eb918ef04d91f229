"""What several tests of the engine begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungscan.options import ScanOptions
from tests.engine.scanning import options
from tests.engine.watching import Clock
from tests.models import FakeRuntime


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of a watch."""
    made = Clock()
    monkeypatch.setattr("lungscan.scanning.watching.watch.time", made)
    return made


@pytest.fixture
def chosen(model: Path, fake: FakeRuntime, tmp_path: Path) -> ScanOptions:
    """A watch of the empty folder ``in``."""
    (tmp_path / "in").mkdir()
    return options(model, tmp_path / "out", tmp_path / "in", watch=True)
