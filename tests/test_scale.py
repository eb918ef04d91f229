"""The simulation of many workers: its ends are known; nothing is timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(HERE)  # the scripts import each other by name
    import scale

    return scale


def test_one_worker_takes_the_sum(scale: Any) -> None:
    costs = scale.Costs(slide_s=36, start_s=0, driver_s=0, tables_s=0, storage_bytes_s=1e12)
    sizes = np.full(100, 1e9)
    assert scale.shards(sizes, 1, costs).hours == pytest.approx(1.0)
    assert scale.cluster(sizes, 1, costs).hours == pytest.approx(1.0)
    assert scale.cluster(sizes, 10, costs).hours == pytest.approx(0.1)


def test_storage_limits_when_it_is_slower_than_the_workers(scale: Any) -> None:
    sizes = scale.draw_sizes(2_000, scale.Costs())
    costs = scale.Costs(storage_bytes_s=1e8)
    outcome = scale.shards(sizes, 100, costs)
    assert outcome.limit == "storage"
    assert outcome.hours >= sizes.sum() / 1e8 / 3600
    assert scale.shards(sizes, 1, scale.Costs()).limit == "workers"


def test_a_driver_that_takes_longer_than_the_workers_limits(scale: Any) -> None:
    costs = scale.Costs(slide_s=0.1, driver_s=0.1, tables_s=0.0, storage_bytes_s=1e15)
    outcome = scale.cluster(scale.draw_sizes(2_000, costs), 100, costs)
    assert outcome.limit == "driver"
    assert outcome.hours == pytest.approx(2_000 * 0.1 / 3600, rel=0.05)


def test_cutting_by_count_is_never_better(scale: Any) -> None:
    costs = scale.Costs()
    sizes = scale.draw_sizes(500, costs)
    by_bytes = scale.shards(sizes, 20, costs)
    by_count = scale.shards(sizes, 20, costs, by_count=True)
    assert by_bytes.hours < by_count.hours
    assert by_bytes.idle < by_count.idle


def test_the_table_has_a_line_for_everything(scale: Any) -> None:
    lines = scale.table([10, 20], [1, 2], scale.Costs()).splitlines()
    assert len(lines) == 2 + 2 * 2 * 3
