"""What `lungscan doctor` finds out, with runtimes that answer as they are told."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lungscan import __version__
from lungscan import self_check as doctor
from lungscan.errors import MachineError, ModelError
from lungscan.model.folder import Golden
from lungscan.runtimes.kernels import best_precision, cpu_precisions
from lungscan.self_check import FP32_TOLERANCE, NEAR_TIE, REDUCED_TOLERANCE, Check, compare
from lungscan.types import FloatArray, RgbBatch

SIDE = 32
PROBS = np.array([[0.9, 0.1], [0.2, 0.8], [0.51, 0.49]], np.float32)


class FakeRuntime:
    """Answers with what it was given, whatever it is shown."""

    device = "fake CPU"
    batch_size = 4

    def __init__(self, probs: FloatArray) -> None:
        self.probs = probs

    def predict(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        return np.resize(self.probs, (len(batch), 2)), np.zeros((len(batch), 3), np.float32)


def golden() -> Golden:
    fields = np.random.default_rng(5).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    return Golden(fields, PROBS)


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A model folder that holds golden fields and nothing else, as the only shipped model."""
    np.savez(tmp_path / "golden.npz", fields=golden().fields, probs=PROBS)
    card = SimpleNamespace(
        name="tiny",
        version="1.0",
        precision="fp16",
        official=True,
        folder=tmp_path,
        patch_size_pixels=224,
        spacing_um_px=0.5,
    )
    monkeypatch.setattr(doctor, "list_models", lambda: (card,))
    monkeypatch.setattr(doctor, "SPEED_SECONDS", 0.001)
    monkeypatch.setattr(doctor, "gpu_checks", list)
    return card


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_the_same_answers_are_no_fault() -> None:
    assert compare(FakeRuntime(PROBS), golden(), FP32_TOLERANCE) == ""


@pytest.mark.parametrize("wrong", [0.06, np.nan])
def test_answers_that_differ_are_a_fault(wrong: float) -> None:
    changed = PROBS.copy()
    changed[0] += np.array([-wrong, wrong], np.float32)
    assert "answers differ" in compare(FakeRuntime(changed), golden(), REDUCED_TOLERANCE)


def test_only_a_near_tie_may_change_its_class() -> None:
    tie = PROBS.copy()
    tie[2] = tie[2, ::-1]
    assert compare(FakeRuntime(tie), golden(), 2 * NEAR_TIE) == ""
    flipped = PROBS.copy()
    flipped[1] = flipped[1, ::-1]
    assert compare(FakeRuntime(flipped), golden(), 1.0) == "1 golden fields change their class"


@pytest.mark.usefixtures("card")
def test_a_healthy_machine_gets_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "load_runtime", lambda *_: FakeRuntime(PROBS))
    checks = by_name(list(doctor.examine()))
    assert {check.state for name, check in checks.items() if name != "Free disk here"} == {"ok"}
    assert checks["Model tiny"].detail == "1.0, all files unchanged, official"
    able, best = cpu_precisions(), best_precision()
    assert checks["Processor"].detail.endswith(
        f"OpenVINO computes in {', '.join(able)} on it, and models answer in {best}"
    )
    assert "repeats the golden answers" in checks["tiny on cpu"].detail
    for stage in ("reading", "decoding", "quality", "network"):
        rate = int(checks[f"Speed: {stage}"].detail.split()[0])
        assert rate > 0, stage


@pytest.mark.usefixtures("card")
def test_the_kernels_of_this_processor_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = FakeRuntime(PROBS)
    runtime.kernels = ("brgconv_avx2_1x1_f32", "jit_avx2_dw_f32")  # type: ignore[attr-defined]
    monkeypatch.setattr(doctor, "load_runtime", lambda *_: runtime)
    monkeypatch.setattr(doctor, "speed_checks", lambda _: iter(()))
    check = by_name(list(doctor.examine()))["tiny on cpu"]
    assert check.kernels == runtime.kernels  # type: ignore[attr-defined]
    assert check.detail == "fake CPU: repeats the golden answers", "the names are for programs"


@pytest.mark.usefixtures("card")
def test_a_device_that_fails_is_one_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: object, device: str = "auto") -> FakeRuntime:
        if device != "cpu-fp32":
            raise MachineError("No such device.")
        return FakeRuntime(PROBS)

    monkeypatch.setattr(doctor, "load_runtime", load)
    checks = by_name(list(doctor.examine()))
    assert checks["tiny on cpu-fp32"].state == "ok"
    assert checks["tiny on cpu"] == Check("tiny on cpu", "failed", "No such device.")
    assert checks["Speed: network"] == Check("Speed: network", "failed", "No such device.")


def test_a_changed_model_is_reported_and_ends_the_examination(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def changed() -> tuple[()]:
        raise ModelError("The weights were changed.")

    monkeypatch.setattr(doctor, "list_models", changed)
    assert list(doctor.examine())[-1] == Check("Models", "failed", "The weights were changed.")
    monkeypatch.setattr(doctor, "list_models", tuple)
    assert list(doctor.examine())[-1].state == "failed"


@pytest.mark.parametrize(
    ("installed", "state", "words"),
    [
        ({"lungscan-histology": __version__}, "", ""),
        ({"lungscan-histology": __version__, "lungscan": "0.1.6"}, "warning", "may have been"),
        ({"lungscan-histology": "9.9", "lungscan": "0.1.6"}, "failed", "have been replaced"),
        ({"lungscan": "0.1.0"}, "failed", "have been replaced"),
    ],
)
def test_a_namesake_that_is_installed_too_is_named_with_the_cure(
    card: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    installed: dict[str, str],
    state: str,
    words: str,
) -> None:
    def version(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "load_runtime", lambda *_: FakeRuntime(PROBS))
    found = by_name(list(doctor.examine())).get("Installation")
    assert (found.state if found else "") == state
    if found:
        assert words in found.detail
        assert f"`lungscan` {installed['lungscan']}" in found.detail
        assert "pip uninstall lungscan lungscan-histology" in found.detail


def test_a_reader_process_that_does_not_start_fails_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert doctor.reader_check() == Check("Reader process", "ok", "starts, and opens an image")
    monkeypatch.setattr("lungscan.opening.launch.CHILD", "tests.idle_reader")
    found = doctor.reader_check()
    assert found.state == "failed"
    assert "did not start" in found.detail


def test_what_an_extra_would_bring_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    absent = {check.name: check for check in doctor.library_checks()}
    assert absent["pydicom"].state == absent["torch"].state == "ok"
    assert "chest CT in DICOM" in absent["pydicom"].detail
    monkeypatch.setattr(doctor, "find_spec", lambda name: name)
    assert [check.name for check in doctor.library_checks()] == ["Libraries"]
