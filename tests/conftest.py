"""Fixtures for all tests: a tiny model and a fake network in the place of a runtime."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from lungscan.model.card import ModelCard
from lungscan.workers import available_threads
from tests.models import FakeRuntime, copy_model, tiny_model

if older := os.environ.get("ONEDNN_MAX_CPU_ISA"):
    # The tests run as an older processor. The variable limits oneDNN, from which OpenVINO and torch
    # take their kernels; what OpenVINO itself thinks that the processor can do has its own.
    os.environ.setdefault("OV_CPU_MAX_ISA", older)

if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests run side by side: torch shall not start as many threads again in each process.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

with suppress(ImportError):  # where the built program alone is tried, it is not installed
    from hypothesis import settings

    settings.register_profile("any machine", deadline=None)  # a busy one is no finding
    settings.load_profile("any machine")

MOST_WORKERS = 8  # each holds torch, OpenVINO and Qt: some 1 GB


# Trainings, browsers, builds, clusters and attacks: an edit should cost a minute, not ten. A module
# stands here when it takes more than some three seconds of a quiet processor.
SLOW = frozenset(
    {
        "cli/test_deidentify.py",
        "cli/test_demo_drawing.py",
        "cli/test_demo_pictures.py",
        "cli/test_end_to_end.py",
        "cli/test_train_folds.py",
        "engine/test_adaptation.py",
        "engine/test_cluster.py",
        "engine/test_cluster_network.py",
        "engine/test_compression.py",
        "engine/test_compression_onnx.py",
        "engine/test_compression_wsinfer.py",
        "engine/test_ct_shipped.py",
        "engine/test_dataset_similar.py",
        "engine/test_dicom_out.py",
        "engine/test_doctor.py",
        "engine/test_drive_away.py",
        "engine/test_evaluation_run.py",
        "engine/test_explaining.py",
        "engine/test_explaining_runtimes.py",
        "engine/test_files_in_motion.py",
        "engine/test_gpu_fallback.py",
        "engine/test_measuring.py",
        "engine/test_positions.py",
        "engine/test_readers.py",
        "engine/test_reading_native.py",
        "engine/test_scan_events.py",
        "engine/test_scan_machine.py",
        "engine/test_scan_names.py",
        "engine/test_sharding.py",
        "engine/test_study_parts.py",
        "engine/test_study_run.py",
        "engine/test_tiles_survey.py",
        "engine/test_watching.py",
        "gui/test_bad_input.py",
        "gui/test_beside.py",
        "gui/test_job.py",
        "gui/test_manners.py",
        "gui/test_review.py",
        "gui/test_training_page.py",
        "gui/test_window.py",
        "reliability/test_detectors.py",
        "reliability/test_sample.py",
        "test_batch.py",
        "test_benchmarks.py",
        "test_docs_code.py",
        "test_docs_site.py",
        "test_door.py",
        "test_scale.py",
    }
)
SLOW_FOLDERS = ("engine/test_training", "installers/", "web/")


# And single tests of other modules.
SLOW_TESTS = frozenset(
    {
        "test_an_answer_depends_on_its_tile_alone",
        "test_another_precision_can_be_asked_for",
        "test_demo_makes_pictures_then_classifies_its_own_folder",
        "test_fp16_is_nearer_to_fp32_than_bf16",
        "test_older_processors_repeat_the_golden_answers",
        "test_the_real_network_repeats_itself_with_other_batches_and_threads",
    }
)


def is_slow(path: Path) -> bool:
    """Whether all tests of a module are."""
    name = path.relative_to(Path(__file__).parent).as_posix()
    return name in SLOW or name.startswith(SLOW_FOLDERS)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """``pytest -m "not slow"`` does not even import what it leaves out."""
    fast = config.option.markexpr == "not slow" and collection_path.suffix == ".py"
    return True if fast and is_slow(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow ones; ``pytest -m "not slow"`` leaves them out."""
    for item in items:
        if is_slow(item.path) or getattr(item, "originalname", "") in SLOW_TESTS:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """``-n auto``: a process for each core that this one may use."""
    return min(available_threads(), MOST_WORKERS)


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
