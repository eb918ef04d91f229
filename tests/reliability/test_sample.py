"""A small sample of each attack; ``benchmarks/reliability.py --full`` runs all of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest
from attacks import (
    bombs,
    ct,
    disk,
    faults,
    kills,
    malformed,
    models,
    names,
    page,
    privacy,
    readers,
    single,
)
from attacks.base import Bench, Line

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def check(lines: Sequence[Line]) -> None:
    """All counts are 0; a line that this system cannot run is skipped with its reason."""
    for line in lines:
        if line.not_run:
            pytest.skip(line.not_run)
        assert line.met, f"{line.name}: {line.bad}; {line.detail}"


def test_damaged_files_end_in_rows(bench: Bench) -> None:
    check(malformed.attack(bench, count=120))


def test_killed_runs_go_on_to_the_same_end(bench: Bench) -> None:
    check(kills.attack(bench, kills=3, slides=2, fields=6))


def test_a_failing_write_loses_nothing(bench: Bench) -> None:
    check(faults.attack(bench, step=9))


def test_a_disk_really_full(bench: Bench) -> None:
    check(disk.attack(bench, fields=6))


def test_hostile_file_names(bench: Bench) -> None:
    check(names.attack(bench, count=24))


def test_hostile_model_folders(bench: Bench) -> None:
    check(models.attack(bench, every=9))


def test_hostile_ct_series(bench: Bench) -> None:
    check(ct.attack(bench, slices=30))


def test_planted_identifiers_are_nowhere(bench: Bench) -> None:
    check(privacy.attack(bench))


def test_decompression_bombs(bench: Bench) -> None:
    check(bombs.attack(bench, every=6))


def test_one_damaged_tile_costs_one_tile(bench: Bench) -> None:
    check(single.one_tile(bench))


def test_a_loop_of_links_gives_one_row(bench: Bench) -> None:
    check(single.link_loop(bench))


def test_nothing_outside_is_called(bench: Bench) -> None:
    check(single.network(bench))


def test_a_reader_that_stops_or_dies_costs_its_file(bench: Bench) -> None:
    check(readers.attack(bench, ("stopped", "aborted")))


def test_hostile_requests_and_files_leave_the_page_as_it_was(bench: Bench) -> None:
    pytest.importorskip("uvicorn", reason="the page needs the extra `web`")
    check(page.attack(bench, every=8))
