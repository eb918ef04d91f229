"""Two models on the same fields: every changed answer, and whether the difference can be chance."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from lungscan import RESEARCH_USE
from lungscan.dataset.resampling import GroupBootstrap
from lungscan.errors import NothingToDo
from lungscan.evaluation import wording
from lungscan.evaluation.evaluate import ask_round, require_sense
from lungscan.evaluation.events import ComparisonEvent, ComparisonFinished
from lungscan.evaluation.judged import as_arrays
from lungscan.evaluation.judging import load_judge
from lungscan.evaluation.labelled import Material, load_material, require_known_classes
from lungscan.evaluation.options import DataOptions, JudgeOptions
from lungscan.evaluation.records import Change, Comparison, DataNote, FieldAnswer, Seen
from lungscan.model.card import Metric, ModelCard
from lungscan.model.checked import find_model

Answers = tuple[FieldAnswer, ...]

# Groups that a verdict needs: five that all speak for one model may still be chance, because five
# fair coins fall alike with a probability of 2 × 0.5^5, above 5 %.
LEAST_GROUPS = 6


def comparison(
    model_a: str, model_b: str, data: DataOptions, options: JudgeOptions
) -> Generator[ComparisonEvent, None, None]:
    """Judge the same fields with two models; the last event holds the comparison.

    Raises:
        LungScanError: as ``lungscan.evaluation.evaluate.evaluation``.
    """
    require_sense(options)
    cards = find_model(model_a), find_model(model_b)
    material = load_material(data)
    found = []
    for card in cards:
        require_known_classes(material.fields, card)
    for number, card in enumerate(cards, start=1):
        judge = load_judge(card, options)
        title = f"model {'AB'[number - 1]}, {card.name}"
        found.append((yield from ask_round(judge, material.fields, None, title, number, 2)))
    yield ComparisonFinished(_compared(cards, material, (found[0], found[1]), options))


def mcnemar(only_a: int, only_b: int) -> float:
    """McNemar's exact test, two-sided: could as few as the rarer of the two be a fair coin's?

    Args:
        only_a, only_b: fields that only the one and only the other model gets right.
    """
    total, rarer = only_a + only_b, min(only_a, only_b)
    ways = tail = 1  # to choose k of total, and those for all k so far
    for k in range(rarer):
        ways = ways * (total - k) // (k + 1)
        tail += ways
    return min(1.0, 2 * tail / (1 << total))


def _compared(
    cards: tuple[ModelCard, ModelCard],
    material: Material,
    answers: tuple[Answers, Answers],
    options: JudgeOptions,
) -> Comparison:
    pairs = [(a, b) for a, b in zip(*answers, strict=True) if a.judged and b.judged]
    lost = [
        a if not a.judged else b
        for a, b in zip(*answers, strict=True)
        if not (a.judged and b.judged)
    ]
    if not pairs:
        raise NothingToDo(f"None of the {len(lost):,} fields could be read: {lost[0].reason}")
    first = as_arrays([a for a, _ in pairs], cards[0].class_names)
    second = as_arrays([b for _, b in pairs], cards[1].class_names)
    bootstrap = GroupBootstrap(first.groups, options.seed, options.draws)
    gain = second.right.astype(np.float64) - first.right
    difference = bootstrap.mean("difference", gain, "accuracy of B minus accuracy of A, paired")
    only_a = int((first.right & ~second.right).sum())
    only_b = int((second.right & ~first.right).sum())
    p = mcnemar(only_a, only_b)
    data, blame = _note(cards, material)
    return Comparison(
        model_a=cards[0].stamp(),
        model_b=cards[1].stamp(),
        data=data,
        warnings=(
            *wording.warnings(data, blame, lost),
            *wording.few_groups(first, cards[0].class_names),
        ),
        notes=wording.notes(data, cards, options.draws, options.mpp),
        accuracy_a=bootstrap.mean("accuracy A", first.right),
        accuracy_b=bootstrap.mean("accuracy B", second.right),
        difference=difference,
        answered_a=bootstrap.mean("answered A", first.answered),
        answered_b=bootstrap.mean("answered B", second.answered),
        both_right=int((first.right & second.right).sum()),
        only_a_right=only_a,
        only_b_right=only_b,
        both_wrong=int((~first.right & ~second.right).sum()),
        mcnemar_p=p,
        verdict=verdict_of(difference, p, grouped=data.grouped),
        changes=tuple(_change(a, b) for a, b in pairs if _answer_of(a) != _answer_of(b)),
        skipped=tuple(answer.file for answer in lost),
        use=RESEARCH_USE,
    )


def _note(cards: tuple[ModelCard, ModelCard], material: Material) -> tuple[DataNote, ModelCard]:
    """The data's note for the model that has seen more of it, and that model."""
    worst = (Seen.YES, Seen.UNKNOWN, Seen.NO)
    notes = [(material.note(card), card) for card in cards]
    return min(notes, key=lambda pair: (worst.index(pair[0].seen), -pair[0].seen_groups))


def verdict_of(difference: Metric, p: float, *, grouped: bool) -> str:
    """Which model is the better one, if that can be told, and what to believe of it.

    Args:
        difference: accuracy of B minus that of A, with its interval over groups.
        p: of McNemar's test.
        grouped: whether groups are known.
    """
    low, high = difference.low or 0.0, difference.high or 0.0
    if difference.low is None or difference.groups < LEAST_GROUPS:
        count = f"{difference.groups} group{'' if difference.groups == 1 else 's'}"
        return (
            f"Which model is the more accurate one cannot be told from {count}: {LEAST_GROUPS} at "
            "least are needed, because pictures of one group show the same tissue. McNemar's test "
            f"(p = {p:.3g}) takes every picture for independent. Compare on more groups."
        )
    if low > 0 or high < 0:
        better = "B" if low > 0 else "A"
        found = f"model {better} is the more accurate one on tissue like this"
    else:
        found = "the difference may be chance"
    if not grouped:
        return (
            "No groups are known, so neither test nor interval allows for pictures of the same "
            f"tissue. As far as they go: {found} by the interval, and McNemar's p is {p:.3g}."
        )
    return (
        f"Believe the interval over groups: {found}. McNemar's test (p = {p:.3g}) takes every "
        "picture for independent, but pictures of one group show the same tissue: it claims more "
        "than it knows."
    )


def _answer_of(answer: FieldAnswer) -> tuple[str | None, str | None]:
    return answer.answer, answer.forced


def _change(a: FieldAnswer, b: FieldAnswer) -> Change:
    return Change(
        a.file,
        a.label,
        a.group,
        a.answer or "",
        a.confidence or 0.0,
        a.probs,
        b.answer or "",
        b.confidence or 0.0,
        b.probs,
        a.forced or "",
        b.forced or "",
    )
