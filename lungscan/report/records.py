"""The records below an output folder, and which of them are of one run.

A folder may hold cases of several runs: other images, or other settings. Each run's tables are of
its own cases alone, and so are those that are written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from lungscan.errors import NothingToDo
from lungscan.layout import CASES, RECORD, RUN
from lungscan.results.case_json import DamagedRecord, from_json
from lungscan.results.checksums import Sums, record_differs
from lungscan.results.run_json import RunSummary, read_run_json, summarise
from lungscan.results.shard_files import ShardPlan, draft_summary
from lungscan.types import CaseResult

SHOWN = 3  # names of cases in a sentence


@dataclass(frozen=True, slots=True)
class OneRun:
    """The cases of one run, by the paths of their records."""

    summary: RunSummary
    paths: tuple[Path, ...]  # in the order of the run; those that cannot be read are among them
    others: tuple[Path, ...]  # of other runs, or of other settings

    def notices(self) -> tuple[str, ...]:
        """A sentence about the others, if there are any."""
        if not self.others:
            return ()
        names = [path.parent.name for path in self.others]
        shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        return (
            f"Left out of the tables, because they are of another run or of other settings: "
            f"{len(names):,} of {len(names) + len(self.paths):,} cases ({shown}). Give each run a "
            "folder of its own (--out).",
        )


def one_run(out: Path, plan: ShardPlan | None, listed: Sums) -> OneRun:
    """The run whose tables belong into ``out``.

    It is that of the ``plan``, while shards are to finish. Else it is that of ``run.json``, if the
    list of checksums, ``listed``, names that: then the last run came to its end. Else a run was
    stopped, and its newest case tells: all cases of the same model and settings count.
    Raises NothingToDo without cases; DamagedRecord when none of the run can be read.
    """
    earlier, ended = read_run(out, listed)
    known = draft_summary(out, plan) if plan else earlier if ended else None
    run = known or earlier
    paths = found_cases(out, run)
    keys = frozenset(known.case_keys if known else (path.parent.name for path in paths))
    own = [path for path in paths if path.parent.name in keys]
    if known and not plan and len(own) == len(keys) == known.cases:
        summary = known
    else:
        read = {path: case for path in own for case in map(_light, readable([path], [], listed))}
        newest = sorted(read.values(), key=lambda case: case.finished_utc)[-1:]
        made = {_made(one) for one in ([known] if known else newest)}
        own = [path for path in own if path not in read or _made(read[path]) in made]
        summary = summary_of((read[path] for path in own if path in read), run)
    counted = frozenset(own)
    return OneRun(summary, tuple(own), tuple(path for path in paths if path not in counted))


def in_no_table(out: Path) -> frozenset[str]:
    """Keys of cases below ``out`` that are of other runs than ``run.json``."""
    run, _ = read_run(out, {})
    own = frozenset(run.case_keys if run else ())
    found = frozenset(path.parent.name for path in out.glob(f"{CASES}/*/{RECORD}"))
    return found - own if run else frozenset()


def read_run(out: Path, listed: Sums) -> tuple[RunSummary | None, bool]:
    """What ``run.json`` says, and whether ``listed`` names it as it is.

    None when there is none or it is damaged, as the cases hold all.
    """
    try:
        data = (out / RUN).read_bytes()
        return read_run_json(data), listed.get(RUN) == sha256(data).hexdigest()
    except (FileNotFoundError, DamagedRecord):
        return None, False


def found_cases(out: Path, run: RunSummary | None) -> list[Path]:
    """Every ``case.json``, in the order of the run; those it does not name come last, by name.

    Raises NothingToDo when there is none.
    """
    order = {key: index for index, key in enumerate(run.case_keys if run else ())}
    found = list(out.glob(f"{CASES}/*/{RECORD}"))
    if not found:
        raise NothingToDo(f"{out} holds no cases/*/case.json; choose the folder that a run wrote.")
    return sorted(found, key=lambda p: (order.get(p.parent.name, len(order)), p.parent.name))


def readable(paths: Iterable[Path], damaged: list[str], listed: Sums) -> Iterator[CaseResult]:
    """The cases that can be read; for each of the others a sentence is added to ``damaged``.

    ``listed`` is the run's list of checksums.
    """
    for path in paths:
        key = path.parent.name
        try:
            data = path.read_bytes()
            result = from_json(data)
        except DamagedRecord as error:
            damaged.append(f"{key}: {error}")
        except OSError as error:
            damaged.append(f"{key}: {error.strerror or error}.")
        else:
            if result.key != key:  # a forged key could point out of the folder
                damaged.append(f"{key}: the record belongs to {result.key!r}.")
            elif record_differs(path.parents[2], key, data, listed):
                damaged.append(f"{key}: the record was changed; classify the case again.")
            else:
                yield result


def summary_of(results: Iterable[CaseResult], run: RunSummary | None) -> RunSummary:
    """The run as its cases tell it, with what only an earlier ``run.json`` knows.

    Raises DamagedRecord without cases.
    """
    summary = summarise(results)
    if run is None:
        return summary
    versions = run.versions if _made(run) == _made(summary) else ()
    return replace(
        summary, versions=versions, pdf=run.pdf, heatmap=run.heatmap, geojson=run.geojson
    )


def _made(of: CaseResult | RunSummary) -> tuple[str, str]:
    """With what it was made: the model and the settings."""
    return of.model.sha256, of.settings_hash


def _light(result: CaseResult) -> CaseResult:
    """What a summary needs of a case."""
    return replace(result, files=(), scores=(), pictures=(), explained=None)
