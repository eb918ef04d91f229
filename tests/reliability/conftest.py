"""The attacks of the reliability card, in small: every commit meets a sample of each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))  # where the attacks are

from attacks.base import Bench
from attacks.model import build


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A scratch folder and a model that costs nothing."""
    work = tmp_path_factory.mktemp("reliability")
    return Bench(work, build(work / "model").folder)
