"""`lungscan benchmark`, over a benchmark that yields what it is told to."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from lungscan.benchmarking.records import (
    Benchmark,
    BenchmarkEvent,
    BenchmarkFinished,
    BenchmarkOptions,
    Machine,
    Measured,
    RoundDone,
    Seeking,
    Spread,
    Subject,
    Variant,
)
from lungscan.errors import ModelError
from lungscan_cli.main import main

Captured = pytest.CaptureFixture[str]

VARIANT = Variant("tiny", "OpenVINO", "CPU", "bf16")
FOUND = Benchmark(
    "2026-01-01T00:00:00+00:00",
    Machine("A CPU", 2, 4, 16.0, (), "Linux x86_64, Python 3.11", (("openvino", "2026.4"),), 0.1),
    BenchmarkOptions(("tiny",), rounds=3),
    (Subject("tiny", "ghostnet_050", 64, 1_300_000, 2.6, 3.1, 0.94, "test, 375 fields", "fp16"),),
    (Measured(VARIANT, Spread(2.5, 2.25, 4.0, 90), Spread(512.4, 500.0, 520.0, 3), 16, 2, 2),),
    ("There is no GPU here.",),
)


class FakeBenchmark:
    """Stands in for the engine's ``benchmark``; keeps what it was called with."""

    def __init__(self) -> None:
        self.options: BenchmarkOptions | None = None
        self.raises: BaseException | None = None
        self.closed = False

    def __call__(self, options: BenchmarkOptions) -> Generator[BenchmarkEvent, None, None]:
        self.options = options
        try:
            yield Seeking(VARIANT, 0, 1)
            if self.raises is not None:
                raise self.raises
            yield RoundDone(1, 3)
            yield BenchmarkFinished(FOUND)
        finally:
            self.closed = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeBenchmark:
    """Put a fake in the place of the engine's benchmark."""
    fake = FakeBenchmark()
    monkeypatch.setattr("lungscan.benchmarking.benchmark.benchmark", fake)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return fake


def test_without_a_name_the_shipped_model_is_measured(
    fake: FakeBenchmark, capsys: Captured
) -> None:
    assert main(["benchmark"]) == 0
    assert fake.options == BenchmarkOptions(("lung-histology",))
    assert fake.closed
    shown = capsys.readouterr()
    assert "A CPU, 2 of 4 cores used, 16 GB of memory, no GPU" in shown.out
    lines = shown.out.splitlines()
    assert "ghostnet_050, 64 px, 1.30 M parameters, 3.1 MB on disk" in lines
    assert "Accuracy in the card: 94.0 %, test, 375 fields" in lines
    speed = next(line for line in lines if "bf16" in line)
    for cell in ("OpenVINO, CPU", "2.50 (2.25 to 4.00)", "512", "16 × 2"):
        assert cell in speed
    assert "There is no GPU here." in shown.out
    assert "Seeking the best batch, 1 of 1: tiny, OpenVINO, CPU, bf16" in shown.err
    assert "Round 1 of 3 done" in shown.err


def test_a_network_alone_needs_no_model(fake: FakeBenchmark) -> None:
    line = "benchmark --network a --network b --px 160 --rounds 3 --seconds 0.1 --threads 1"
    assert main(line.split()) == 0
    assert fake.options == BenchmarkOptions((), ("a", "b"), 160, 1, 3, 0.1)


def test_files_are_written_beside_the_table(fake: FakeBenchmark, capsys: Captured) -> None:
    assert main(["benchmark", "tiny", "--out", "speed.csv", "-o", "speed.md", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert "tiny,ghostnet_050,OpenVINO,CPU,bf16,64," in Path("speed.csv").read_text("utf-8")
    assert "| tiny | ghostnet_050 | 64 px |" in Path("speed.md").read_text("utf-8")


def test_a_wrong_suffix_is_refused_before_anything_is_measured(
    fake: FakeBenchmark, capsys: Captured
) -> None:
    assert main(["benchmark", "--out", "speed.xlsx"]) == 2
    assert fake.options is None
    assert "speed.xlsx" in capsys.readouterr().err


@pytest.mark.usefixtures("fake")
def test_json_is_one_object_on_stdout(capsys: Captured) -> None:
    assert main(["benchmark", "tiny", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["rows"][0]["images_per_s"]["median"] == 512.4
    assert data["machine"]["processor"] == "A CPU"


def test_stopping_closes_the_benchmark(fake: FakeBenchmark, capsys: Captured) -> None:
    fake.raises = KeyboardInterrupt()
    assert main(["benchmark", "--out", "speed.csv"]) == 130
    assert fake.closed
    assert not Path("speed.csv").exists()
    assert "Stopped" in capsys.readouterr().err


def test_an_error_of_the_engine_is_one_sentence(fake: FakeBenchmark, capsys: Captured) -> None:
    fake.raises = ModelError("There is no such model.")
    assert main(["benchmark", "x"]) == 4
    assert capsys.readouterr().err.endswith("Error: There is no such model.\n")


@pytest.mark.parametrize("line", ["--rounds 0", "--seconds 0", "--px 8", "--threads 0"])
def test_wrong_usage_ends_with_2(fake: FakeBenchmark, line: str) -> None:
    assert main(["benchmark", *line.split()]) == 2
    assert fake.options is None
