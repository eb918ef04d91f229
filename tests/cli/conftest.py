"""Fixtures of the shell's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

import lungscan
from tests.cli.fake_engine import FakeEngine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Put a fake in the place of the engine's scan."""
    fake = FakeEngine()
    monkeypatch.setattr(lungscan, "scan", fake.scan)
    monkeypatch.setattr(lungscan, "plan", fake.plan)
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
