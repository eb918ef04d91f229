"""Fixtures for all tests: a tiny model and a fake network in the place of a runtime."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lungscan.model.card import ModelCard
from tests.models import FakeRuntime, copy_model, tiny_model

if older := os.environ.get("ONEDNN_MAX_CPU_ISA"):
    # The tests run as an older processor. The variable limits oneDNN, from which OpenVINO and torch
    # take their kernels; what OpenVINO itself thinks that the processor can do has its own.
    os.environ.setdefault("OV_CPU_MAX_ISA", older)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model that only a fake runtime can answer for."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tiny_model(folder)
    return folder


@pytest.fixture(scope="session")
def real_model(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    """The shipped network, set to answer always."""
    return copy_model(tmp_path_factory.mktemp("model") / "real")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRuntime:
    """The runtime that ``scan`` will load."""
    runtime = FakeRuntime()

    def load(card: ModelCard, device: str, threads: int, batch_size: int | None) -> FakeRuntime:
        runtime.batch_size = batch_size or 16
        return runtime

    monkeypatch.setattr("lungscan.classification.loading.load_runtime", load)
    return runtime
