"""Fixtures of the shell's tests."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import pytest

from tests.cli.fake_engine import FakeEngine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Put a fake in the place of the engine's scan."""
    fake = FakeEngine()
    module = ModuleType("lungscan.scanning.scan")
    module.scan = fake.scan  # type: ignore[attr-defined]
    module.plan = fake.plan  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lungscan.scanning.scan", module)
    monkeypatch.setattr("lungscan_cli.running.beforehand", nullcontext)  # nothing will be read
    return fake


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    """A file that exists; the fake engine never opens it."""
    path = tmp_path / "slide.svs"
    path.write_bytes(b"x")
    return path


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own LUNGSCAN_* must not change a test."""
    for name in ("DEBUG", "DEVICE", "MODEL", "OUT", "MPP", "QUIET", "JSON"):
        monkeypatch.delenv(f"LUNGSCAN_{name}", raising=False)
