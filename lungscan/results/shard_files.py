"""The files by which the shards of one run know of each other, in ``.lungscan-shards``.

``plan.json`` says which case is whose; the first shard writes it, and it holds until the tables of
all are written. ``3.done.json`` says that the third shard has finished all its cases.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lungscan.layout import SHARDS
from lungscan.results.atomic_files import machine_error, write_atomic
from lungscan.results.case_json import DamagedRecord, dump_record, load_record
from lungscan.results.checksums import Sums
from lungscan.results.run_json import RunSummary

PLAN = "plan.json"

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """Who does what. The columns have one entry per ``run.case_keys``, skipped files last."""

    shards: int
    owners: tuple[int, ...]  # numbers of shards, from 1
    case_ids: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]  # of each case's files, relative
    few_fields: bool  # whether fields get files of their own
    run: RunSummary  # model, settings and order; nothing of how it ended
    listed: Pairs  # checksums of records that an earlier run left: (name, SHA-256)
    schema_version: int = 1


@dataclass(frozen=True, slots=True)
class ShardDone:
    """A shard that has finished its cases."""

    records: Pairs  # checksums of those that it wrote or took over: (name, SHA-256)
    versions: Pairs  # of the libraries there
    schema_version: int = 1


def shards_folder(out: Path) -> Path:
    """Where the shards of the run in ``out`` keep their files."""
    return out / SHARDS


def read_plan(out: Path) -> ShardPlan | None:
    """The plan of the shards that share ``out``; None when there is none.

    Raises DamagedRecord; MachineError when the disk does not hand it out.
    """
    path = shards_folder(out) / PLAN
    try:
        return load_record(ShardPlan, path.read_bytes(), PLAN)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise machine_error(error, path) from error


def make_plan(out: Path, plan: ShardPlan) -> ShardPlan:
    """Write the plan unless another shard has just done so; returns the one that holds.

    Raises MachineError, DamagedRecord.
    """
    path = shards_folder(out) / PLAN
    draft = path.with_name(f".plan-{secrets.token_hex(6)}.tmp")
    text = dump_record(plan)
    write_atomic(draft, text)
    try:
        os.link(draft, path)  # fails where one is, which a rename would not
    except FileExistsError:
        pass
    except OSError:  # a disk without hard links
        if not path.exists():
            write_atomic(path, text)
    finally:
        with suppress(OSError):
            draft.unlink()
    return read_plan(out) or plan


def write_done(out: Path, number: int, done: ShardDone) -> None:
    """Note that a shard has finished. Raises MachineError."""
    write_atomic(_done_path(out, number), dump_record(done))


def withdraw_done(out: Path, number: int) -> None:
    """Take that back, because the shard begins again. Raises MachineError."""
    path = _done_path(out, number)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise machine_error(error, path) from error


def finished_shards(out: Path, shards: int) -> tuple[int, ...]:
    """The numbers of the shards that have finished."""
    return tuple(n for n in range(1, shards + 1) if _done_path(out, n).exists())


def records_of_shards(out: Path, shards: int) -> Sums:
    """What the finished shards know of their records' checksums, by name; see ``record_name``."""
    sums: Sums = {}
    for number in range(1, shards + 1):
        if done := _read_done(out, number):
            sums |= done.records
    return sums


def draft_summary(out: Path, plan: ShardPlan) -> RunSummary:
    """What the plan and the finished shards know of the run beyond its cases."""
    found: dict[str, dict[str, None]] = {}
    for number in range(1, plan.shards + 1):
        if done := _read_done(out, number):
            for name, version in done.versions:
                found.setdefault(name, {})[version] = None
    versions = tuple((name, "; ".join(values)) for name, values in found.items())
    return replace(plan.run, versions=versions or plan.run.versions)


def forget_shards(out: Path) -> None:
    """Remove what shards left, once the tables of all are written. Raises MachineError."""
    folder = shards_folder(out)
    try:
        for path in (folder / PLAN, *folder.glob("*.done.json"), *folder.glob("*.lock*")):
            path.unlink(missing_ok=True)
        for path in (*folder.glob(".plan-*.tmp"), *folder.glob(".lungscan-*.tmp")):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # it is not there, or holds something else
            folder.rmdir()
    except OSError as error:
        raise machine_error(error, folder) from error


def _done_path(out: Path, number: int) -> Path:
    return shards_folder(out) / f"{number}.done.json"


def _read_done(out: Path, number: int) -> ShardDone | None:
    path = _done_path(out, number)
    try:
        return load_record(ShardDone, path.read_bytes(), path.name)
    except (FileNotFoundError, DamagedRecord):
        return None
    except OSError as error:
        raise machine_error(error, path) from error
