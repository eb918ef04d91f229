"""The tables of all shards, written by the last of them."""

from __future__ import annotations

from pathlib import Path

from lungscan.report.write import write_tables
from lungscan.results.lock import output_lock
from lungscan.results.shard_files import (
    draft_summary,
    finished_shards,
    forget_shards,
    read_plan,
    records_of_shards,
)


def close_shards(out: Path) -> tuple[str, ...] | None:
    """Write the tables of a run whose shards have all finished, and forget the shards.

    Returns sentences about files that had to go elsewhere; None when another process has done it,
    or a shard is still to finish.

    Raises:
        OutputLocked: a shard is still at work, or another process is writing the tables.
        MachineError: a file cannot be written.
        DamagedRecord: a record cannot be read; the tables hold all the others.
    """
    with output_lock(out):
        plan = read_plan(out)
        if plan is None or len(finished_shards(out, plan.shards)) < plan.shards:
            return None
        records = dict(plan.listed) | records_of_shards(out, plan.shards)
        notices = write_tables(out, draft_summary(out, plan), records)
        forget_shards(out)
        return notices
