"""One shard of a run: its cases, its lock, its books, and the tables if it is the last."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from lungscan.classification.case_record import RunContext, failed_case
from lungscan.errors import OutputLocked, UnreadableFile
from lungscan.events import RunFinished
from lungscan.layout import record_name
from lungscan.model.card import ModelCard
from lungscan.opening.retrying import AWAY
from lungscan.options import ScanOptions, Shard
from lungscan.results.lock import ShardLock, shard_lock
from lungscan.results.provenance import library_versions, utc_now
from lungscan.results.run_json import summarise
from lungscan.results.shard_files import (
    ShardDone,
    ShardPlan,
    finished_shards,
    withdraw_done,
    write_done,
)
from lungscan.results.store import RunStore
from lungscan.scanning.ledger import Ledger, Written
from lungscan.scanning.part import Part
from lungscan.scanning.sharding.closing import close_shards
from lungscan.scanning.sharding.planning_shards import agreed_plan
from lungscan.types import CaseInput, CaseResult, Inputs

TRIES, PAUSE_S = 60, 0.5  # for the tables, while another shard is about to write them


class ShardPart(Part):
    """The cases of one shard. What the plan does not know is left for the next run."""

    def __init__(self, options: ScanOptions, shard: Shard, card: ModelCard, found: Inputs) -> None:
        super().__init__(options, found)
        self.shard, self._card, self._found = shard, card, found
        self._held = ExitStack()
        self._lock: ShardLock | None = None
        self.plan: ShardPlan | None = None
        self.unplanned = 0  # cases that came after the plan
        self.vanished: tuple[CaseInput, ...] = ()  # cases of this shard that are there no more

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold this shard of the folder, and find out which cases are its own."""
        with self._held:
            self._lock = self._held.enter_context(shard_lock(self.options.out, self.shard.number))
            self._take(agreed_plan(self.options, self.shard, self._card, self._found))
            withdraw_done(self.options.out, self.shard.number)
            yield

    def release(self) -> None:
        """Let the lock go, so that whoever is the last can write the tables."""
        self._held.close()

    def require(self) -> None:
        """Raises OutputLocked when another process has taken the place of this one."""
        if self._lock is not None:
            self._lock.require()

    def prepare(self, store: RunStore) -> None:
        """What the others may be writing is left alone."""
        if self.plan is not None:
            store.listed = dict(self.plan.listed)
        self.hide_names(store)

    def ledger(self, run: RunContext, store: RunStore) -> Ledger:
        """The books of this shard."""
        return ShardLedger(run, store, self)

    def _take(self, plan: ShardPlan) -> None:
        columns = zip(plan.run.case_keys, plan.owners, plan.case_ids, plan.paths, strict=True)
        mine = {
            key: (name, paths) for key, owner, name, paths in columns if owner == self.shard.number
        }
        known = set(plan.run.case_keys)
        cases = tuple(case for case in self._found.cases if case.key in mine)
        skipped = tuple(file for file in self._found.skipped if file.key in mine)
        present = {case.key for case in cases} | {file.key for file in skipped}
        self.inputs = Inputs(cases, skipped, self._found.hidden)
        self.unplanned = sum(case.key not in known for case in self._found.cases)
        self.vanished = tuple(
            CaseInput(key, name, ()) for key, (name, _) in mine.items() if key not in present
        )
        self.lost_paths = {key: paths for key, (_, paths) in mine.items() if key not in present}
        self.plan = plan


class ShardLedger(Ledger):
    """The books of one shard. It writes no table, but that of all once it is the last."""

    def __init__(self, run: RunContext, store: RunStore, part: ShardPart) -> None:
        super().__init__(part.options, run, store, part.inputs)
        self._part = part
        if part.plan is not None:
            self._few_fields = part.plan.few_fields  # of the whole run
        self._broken_off = False

    def write(self, result: CaseResult, *, resumed: bool = False) -> Written:
        """See ``Ledger.write``. Raises OutputLocked as well: another took this shard's place."""
        self._part.require()
        return super().write(result, resumed=resumed)

    def fill(self) -> None:
        """The drive went away: the shard is not finished."""
        self._broken_off = True

    def close(self) -> RunFinished:
        """Note that the shard is finished, and write the tables of all if it was the last."""
        if not self._broken_off:
            for case in self._part.vanished:
                self._record_lost(case)
        finished = self._counts()
        self.notices = self.notices_of_cases()
        if not self._broken_off:
            records = {name: self._records[name] for name in self._own_names()}
            done = ShardDone(tuple(records.items()), library_versions())
            write_done(self._store.out, self._part.shard.number, done)
            self._part.release()
            self.notices += self._notices_of_all()
        return finished

    def _own_names(self) -> list[str]:
        return [name for key in self._results if (name := record_name(key)) in self._records]

    def _record_lost(self, case: CaseInput) -> None:
        gone = UnreadableFile(
            f"{case.case_id} is no longer there: it was moved or deleted after the run began, or "
            "its drive went away. Check the drive and run again.",
            code=AWAY,
        )
        result = failed_case(case, self._run, gone, utc_now(), 0.0)
        paths = self._part.lost_paths[case.key]
        self.record(self.write(replace(result, relative_paths=paths)))

    def _counts(self) -> RunFinished:
        """How the cases of this shard ended."""
        seconds, out = time.perf_counter() - self._clock, self._store.out
        if not self._results:
            return RunFinished(0, 0, 0, 0, 0, 0, seconds, out)
        done = summarise(self._results.values())
        return RunFinished(
            done.ok,
            done.no_result,
            done.partial,
            done.failed,
            done.skipped,
            done.tiles,
            seconds,
            out,
        )

    def _notices_of_all(self) -> tuple[str, ...]:
        """What is to be said of the other shards; writes the tables if none is still at work."""
        shard, out = self._part.shard, self._store.out
        notices: list[str] = []
        if self._part.unplanned:
            late = f"{self._part.unplanned:,} case" + "s" * (self._part.unplanned > 1)
            notices.append(
                f"Left for the next run, because they came after the shards were cut: {late}. "
                "Start all shards again when these are finished."
            )
        for _ in range(TRIES):
            waiting = shard.of - len(finished_shards(out, shard.of))
            if waiting > 0:
                notices.append(
                    f"Shard {shard} is finished, {waiting:,} still to come. The last one writes "
                    "the tables of all."
                )
                return tuple(notices)
            try:
                closed = close_shards(out)
            except OutputLocked:  # another one is at it, or about to let go of its lock
                time.sleep(PAUSE_S)
                continue
            if closed is not None:
                notices += ["All shards are finished; this one wrote the tables of all."]
                notices += closed
            return tuple(notices)
        notices.append(f"Another process is still writing to {out}. See `lungscan report`.")
        return tuple(notices)
