"""What was given together, by the model that judges it: a run of the engine for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from lungscan.inputs import discover
from lungscan.layout import case_folder
from lungscan.modalities.table import modality_of
from lungscan.model.checked import list_models
from lungscan.options import ScanOptions
from lungscan.types import CaseInput, CaseResult, CaseStatus
from lungscan_web.jobs.messages import Filed, FoundCase, Task
from lungscan_web.jobs.models import AUTO, resolved


@dataclass(frozen=True, slots=True)
class Part:
    """One run of a job, and its cases by the engine's keys."""

    number: int  # from 1
    options: ScanOptions
    cases: dict[str, FoundCase]  # as the page knows them

    def page_key(self, key: str) -> str:
        """The key of a case in the whole job; runs do not know of each other's."""
        return self.cases[key].key if key in self.cases else _page_key(key, self.number)


def parts_of(task: Task) -> tuple[list[Part], tuple[CaseInput, ...]]:
    """The runs of a job, and all cases that were found.

    Without a chosen model series go to the model of CT, all else to that of H&E. What one model
    judges alone is one run over what was given, as the shell would do it.
    """
    cases = discover(task.paths).cases
    by_kinds: dict[frozenset[str], str] = {}
    groups: dict[str, list[CaseInput]] = {}
    for case in cases:
        kinds = frozenset(file.kind for file in case.files)
        if kinds not in by_kinds:
            by_kinds[kinds] = resolved(task.model, kinds)
        groups.setdefault(by_kinds[kinds], []).append(case)
    if len(groups) < 2:
        model = next(iter(groups), resolved(task.model, ()))
        return [part_of(task, task.paths, model, 1, cases)], cases
    parts: list[Part] = []
    for model, mine in sorted(groups.items(), key=lambda item: item[0] != resolved(AUTO, ())):
        paths = _paths(task.paths, mine, cases, first=not parts)
        found = discover(paths).cases
        parts.append(part_of(task, paths, model, len(parts) + 1, found))
    return parts, cases


def part_of(
    task: Task, paths: tuple[Path, ...], model: str, number: int, cases: tuple[CaseInput, ...]
) -> Part:
    """Run ``number``, from 1, over these paths, where ``cases`` are found."""
    out = task.out if number == 1 else task.out.with_name(f"{task.out.name}-{number}")
    options = ScanOptions(paths, out, model=model, mpp=task.mpp, pdf="cases")
    found = {
        case.key: FoundCase(
            _page_key(case.key, number),
            case.case_id,
            case.files[0].kind,
            case.files,
            Filed(case_folder(out, case.key), model),
        )
        for case in cases
    }
    return Part(number, options, found)


def again(task: Task, cases: list[FoundCase], model: str, number: int) -> Part:
    """One more run over single pictures, under the keys that they have."""
    paths = tuple(case.files[0].path for case in cases)
    return _named(part_of(task, paths, model, number, discover(paths).cases), cases)


def joined(task: Task, part: Part, cases: list[FoundCase]) -> Part:
    """A run with some single pictures more, under the keys that all have."""
    paths = (*part.options.paths, *(case.files[0].path for case in cases))
    whole = part_of(task, paths, part.options.model, part.number, discover(paths).cases)
    return _named(whole, [*part.cases.values(), *cases])


def _named(part: Part, cases: list[FoundCase]) -> Part:
    """With the page's own record of each case."""
    known = {case.files[0].path: case for case in cases}
    return replace(part, cases={key: known[c.files[0].path] for key, c in part.cases.items()})


def other_model(task: Task, result: CaseResult) -> str | None:
    """The model to ask about a single picture that the first one would not judge.

    A picture does not say whether it is tissue or a slice of CT. Where nobody chose a model and
    the first one finds nothing of its kind, the shipped one of another kind is asked.
    """
    if task.model != AUTO or result.status is not CaseStatus.NO_RESULT:
        return None
    if {file.kind for file in result.files} != {"field"} or not is_foreign(result):
        return None
    return _other_model(result.model.modality)


@cache
def _other_model(asked: str | None) -> str | None:
    """The first shipped model of another modality that judges single pictures."""
    own = modality_of(asked)
    others = ((card.name, modality_of(card.modality)) for card in list_models())
    return next((name for name, it in others if it is not own and "field" in it.kinds), None)


def is_foreign(result: CaseResult) -> bool:
    """Whether the model found nothing of its kind."""
    own = modality_of(result.model.modality)
    reason = result.prediction.reason if result.prediction else None
    return reason in {own.foreign, own.little}


def _paths(
    given: tuple[Path, ...], mine: list[CaseInput], cases: tuple[CaseInput, ...], *, first: bool
) -> tuple[Path, ...]:
    """Where the run of ``mine`` looks: what was given, or its files where others lie among them.

    What holds no case, such as a folder of texts, is for the first run to speak of.
    """
    paths: list[Path] = []
    for path in given:
        here = [case for case in cases if case.files[0].path.is_relative_to(path)]
        own = [case for case in here if case in mine]
        if (own and len(own) == len(here)) or (first and not here):
            paths.append(path)
        else:
            paths += [found for case in own for found in _apart(case, mine, cases)]
    return tuple(dict.fromkeys(paths))


def _apart(
    case: CaseInput, mine: list[CaseInput], cases: tuple[CaseInput, ...]
) -> tuple[Path, ...]:
    """The folder of a case, by which people know a series, unless others' cases lie in it."""
    folder = case.files[0].path.parent
    if all(other in mine for other in cases if other.files[0].path.is_relative_to(folder)):
        return (folder,)
    return tuple(dict.fromkeys(part for file in case.files for part in (file.path, *file.parts)))


def _page_key(key: str, number: int) -> str:
    return key if number == 1 else f"{key}-{number}"
