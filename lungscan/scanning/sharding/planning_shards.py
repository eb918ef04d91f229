"""The plan that all shards of a run keep to, made by the first of them."""

from __future__ import annotations

from lungscan import __version__
from lungscan.errors import UsageProblem
from lungscan.model.card import ModelCard
from lungscan.options import ScanOptions, Shard
from lungscan.report.write import FEW_FIELDS
from lungscan.results.checksums import known_sums
from lungscan.results.provenance import library_versions, settings_of
from lungscan.results.run_json import RunSummary
from lungscan.results.shard_files import ShardPlan, make_plan, read_plan
from lungscan.scanning.sharding.cutting import cut
from lungscan.types import CaseInput, Inputs


def agreed_plan(options: ScanOptions, shard: Shard, card: ModelCard, inputs: Inputs) -> ShardPlan:
    """The plan that holds in the output folder; made from ``inputs`` if there is none yet.

    Raises:
        UsageProblem: the shards there were cut for another number, model or other settings.
        MachineError, DamagedRecord: it cannot be read or written.
    """
    plan = read_plan(options.out) or make_plan(
        options.out, _new_plan(options, shard.of, card, inputs)
    )
    _require_same(options, shard, card, plan)
    if not {case.key for case in inputs.cases} & set(plan.run.case_keys) and plan.run.case_keys:
        raise _other("images")
    return plan


def bytes_of(case: CaseInput) -> int:
    """Bytes of all files of a case."""
    return sum(file.bytes_found for file in case.files)


def _new_plan(options: ScanOptions, shards: int, card: ModelCard, inputs: Inputs) -> ShardPlan:
    cases, skipped = inputs.cases, inputs.skipped
    sizes = [bytes_of(case) for case in cases] + [0] * len(skipped)
    fields = sum(file.kind == "field" for case in cases for file in case.files)
    return ShardPlan(
        shards=shards,
        owners=cut(sizes, shards),
        case_ids=tuple([case.case_id for case in cases] + [file.relative_path for file in skipped]),
        paths=tuple(
            [tuple(file.relative_path for file in case.files) for case in cases]
            + [(file.relative_path,) for file in skipped]
        ),
        few_fields=fields <= FEW_FIELDS,
        run=_empty_run(options, card, inputs),
        listed=tuple(known_sums(options.out).items()),
    )


def _empty_run(options: ScanOptions, card: ModelCard, inputs: Inputs) -> RunSummary:
    settings, settings_hash = settings_of(options, card)
    keys = [case.key for case in inputs.cases] + [file.key for file in inputs.skipped]
    return RunSummary(
        model=card.stamp(),
        lungscan_version=__version__,
        versions=library_versions(),
        settings=settings,
        settings_hash=settings_hash,
        device="",
        started_utc="",
        finished_utc="",
        seconds=0.0,
        ok=0,
        no_result=0,
        partial=0,
        failed=0,
        skipped=0,
        tiles=0,
        case_keys=tuple(keys),
        pdf=options.pdf,
        heatmap=options.heatmap,
        geojson=options.geojson,
    )


def _require_same(options: ScanOptions, shard: Shard, card: ModelCard, plan: ShardPlan) -> None:
    """Raises UsageProblem unless this process was started for the run that was planned."""
    if plan.shards != shard.of:
        raise _other(f"numbers: {plan.shards} shards, not {shard.of}")
    mine = _empty_run(options, card, Inputs((), ()))
    for what, value in _common_settings(mine).items():
        if value != _common_settings(plan.run)[what]:
            raise _other(what)


def _common_settings(run: RunSummary) -> dict[str, object]:
    """What all shards of a run must have in common."""
    return {
        "model": run.model.sha256,
        "version of LungScan": run.lungscan_version,
        "settings": run.settings_hash,
        "choice of --pdf, --heatmap or --geojson": (run.pdf, run.heatmap, run.geojson),
    }


def _other(what: str) -> UsageProblem:
    return UsageProblem(
        f"The output folder holds an unfinished run whose shards were cut for other {what}. Start "
        "the shards as before; or finish that run by the same command without --shard; or choose "
        "another --out folder."
    )
