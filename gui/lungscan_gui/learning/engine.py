"""All that the pages that make models take from inside the engine; no other module here does.

Runs in a page's process, never in the window's: torch is loaded here.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import lungscan
from lungscan.door.jobs import (
    AdaptJob,
    AuditFinished,
    AuditOptions,
    EvaluateFinished,
    EvaluateOptions,
    TrainFinished,
    TrainJob,
)
from lungscan.training.events import (
    EpochFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    TrainEvent,
)
from lungscan_gui.learning.tasks import (
    AdaptModel,
    DataSeen,
    Finding,
    Judged,
    JudgeModel,
    LookAtData,
    ModelMade,
    Step,
    Table,
    Task,
    TrainModel,
)

if TYPE_CHECKING:
    from lungscan.dataset.audit import Audit
    from lungscan.dataset.splits import SplitRow
    from lungscan.evaluation.records import Evaluation
    from lungscan.training.options import TrainOptions

__all__ = ["EpochFinished", "RunStarted", "StageFinished", "StageStarted", "TrainEvent", "done"]

SPLIT = Path("training") / "split.csv"  # in a model folder
FIRST_FEW = 5
STEPS = {
    "reading": "Looking at pictures",
    "trying": "Trying likely pairs",
    "comparing": "Comparing pairs",
}
LearnEvent = Step | Finding | TrainEvent | DataSeen | ModelMade | Judged


def done(task: Task) -> Generator[LearnEvent, None, None]:
    """Do a task, and tell how it goes. Raises LungScanError."""
    match task:
        case LookAtData():
            return _seen(task)
        case TrainModel():
            return _trained(task)
        case JudgeModel():
            return _judged(task)
        case AdaptModel():
            return _adapted(task)


# Audit and split --------------------------------------------------------------------------------


def _seen(task: LookAtData) -> Generator[LearnEvent, None, None]:
    from lungscan.dataset.audit_content import class_rows, headline_facts
    from lungscan.dataset.splits import SHARES, split_by_group, split_rows

    yield Step("Reading the folder", 0, 0)
    found = yield from _audited(AuditOptions(task.folder))
    listing = found.listing
    groups = found.similar.groups if listing.groups is None else listing.groups
    deal = split_by_group(listing.samples(groups), SHARES, 0)
    rows = split_rows(listing, groups, deal)
    yield DataSeen(
        (
            Table("Classes", ("Class", "Pictures", "Tissues"), tuple(class_rows(found))),
            _split_table(rows),
            Table("Audit", ("", ""), tuple(headline_facts(found))),
        ),
        tuple(_warnings(found)),
        len(listing.class_names),
    )


def _audited(options: AuditOptions) -> Generator[LearnEvent, None, Audit]:
    """Tell how far the audit is; returns it."""
    for event in lungscan.audit(options):
        if isinstance(event, AuditFinished):
            return event.audit
        yield Step(STEPS[event.step], event.done, event.total)
    raise RuntimeError("the audit ended without saying so")


def _split_table(rows: tuple[SplitRow, ...]) -> Table:
    """Pictures and groups of each part, class by class."""
    from lungscan.dataset.splits import PARTS
    from lungscan.inputs import show

    cells = [(row.label, row.part, row.group) for row in rows]
    pictures = Counter((label, part) for label, part, _ in cells)
    groups = Counter((label, part) for label, part, _ in set(cells))
    split_rows = tuple(
        (show(label), *(_count(pictures[label, p], groups[label, p]) for p in PARTS))
        for label in sorted({label for label, *_ in cells})
    )
    return Table("Split by groups", ("Class", *(part.capitalize() for part in PARTS)), split_rows)


def _count(pictures: int, groups: int) -> str:
    return f"{pictures:,} in {groups:,} group{'' if groups == 1 else 's'}"


def _warnings(found: Audit) -> Iterator[str]:
    """What should be looked at before training: broken pictures, and labels that differ."""
    from lungscan.inputs import show

    names = found.listing.names
    for item in [item for item in found.listing.skipped if item.broken][:FIRST_FEW]:
        yield f"{show(item.name)} cannot be read: {item.reason}"
    for title, pairs in (
        ("One tissue with two labels", found.crossing),
        ("One tissue in two given groups", found.unexpected),
    ):
        for pair in pairs[:FIRST_FEW]:
            yield f"{title}: {show(names[pair.first])} and {show(names[pair.second])}"
        if len(pairs) > FIRST_FEW:
            yield f"{title}: {len(pairs) - FIRST_FEW:,} more pairs"


# Training ---------------------------------------------------------------------------------------


def _trained(task: TrainModel) -> Generator[LearnEvent, None, None]:
    from lungscan.model.checked import read_card
    from lungscan.model.doubt import doubt

    job = TrainJob(_options(task), task.folder, task.out, (), _command(task))
    for event in lungscan.train(job):
        if isinstance(event, TrainFinished):
            card = read_card(task.out)
            yield ModelMade(task.out, card.name, doubt(card))
        else:
            yield event


def _options(task: TrainModel) -> TrainOptions:
    from lungscan.training.options import TrainOptions, changed, load_options

    if task.recipe is not None:
        return changed(load_options(task.recipe), task.changes)
    return changed(TrainOptions(name=task.folder.name, pretrained=True), task.changes)


def _command(task: TrainModel) -> str:
    """The same training on the command line, as it may stand in a card: no folder is named."""
    words = ["lungscan", "train", task.folder.name, "--out", task.out.name]
    if task.recipe is not None:
        words += ["--recipe", task.recipe.name]
    words += [word for change in task.changes for word in ("--set", change)]
    return shlex.join(words)


# Adaptation -------------------------------------------------------------------------------------


def _adapted(task: AdaptModel) -> Generator[LearnEvent, None, None]:
    from lungscan.adaptation import records, wording
    from lungscan.model.doubt import doubt

    options = records.AdaptOptions(
        task.fields, task.mpp, command=_adapt_command(task), reviews=task.reviews
    )
    for event in lungscan.adapt(AdaptJob(task.model, options, task.out)):
        match event:
            case records.Step():
                yield Step(event.text, 0, 0)
            case records.Found():
                yield Finding(event.text)
            case records.Adapted():
                result = event.result
                rows = tuple(wording.gain_rows(result))
                gain = Table("What it gained", ("", "Before", "Adapted"), rows)
                doubted, notes = doubt(result.card), wording.reserves(result)
                yield ModelMade(task.out, result.card.name, doubted, (gain,), notes)


def _adapt_command(task: AdaptModel) -> str:
    """The same adaptation on the command line, as it may stand in a card: no folder is named."""
    words = ["lungscan", "adapt", Path(task.model).name, task.fields.name, "--out", task.out.name]
    words += [] if task.mpp is None else ["--mpp", f"{task.mpp:g}"]
    words += [] if task.reviews is None else ["--reviews", task.reviews.name]
    return shlex.join(words)


# Evaluation -------------------------------------------------------------------------------------


def _judged(task: JudgeModel) -> Generator[LearnEvent, None, None]:
    from lungscan.evaluation.events import JudgingStarted
    from lungscan.evaluation.options import DataOptions, JudgeOptions

    split = task.model / SPLIT
    data = DataOptions(task.folder, split if split.is_file() else None)
    out, total = task.model / "evaluation", 0
    for event in lungscan.evaluate(EvaluateOptions(str(task.model), data, JudgeOptions(), out)):
        if isinstance(event, EvaluateFinished):
            found = event.evaluation
            yield Judged(_figures(found), found.warnings, out)
        elif isinstance(event, JudgingStarted):
            total = event.fields
        else:
            yield Step("Judging fields", event.done, total)


def _figures(found: Evaluation) -> tuple[Table, ...]:
    rows = tuple((m.name, f"{m.value:.3f}", interval(m.low, m.high)) for m in found.metrics)
    names = found.model.display_names
    matrix = tuple(
        (name, *(f"{int(count):,}" for count in row))
        for name, row in zip(names, found.confusion.forced, strict=True)
    )
    return (
        Table("Figures", ("", "Value", "95 % interval"), rows),
        Table("Confusion", ("Truth", *names), matrix),
    )


def interval(low: float | None, high: float | None) -> str:
    """``0.912 to 0.961``; "" where there is none."""
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
