"""What a model card says to people, made from measured figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lungscan.evaluation.wording import FEW, FEW_GROUPS, spacing, with_interval
from lungscan.modalities.table import modality_of
from lungscan.model.card import Metric, ModelCard
from lungscan.model.doubt import doubt
from lungscan.model.shares import percent
from lungscan.results.markdown_table import cell, table
from lungscan.training.classes import ClassWords, unstated

if TYPE_CHECKING:
    from lungscan.training.data import Material
    from lungscan.training.options import TrainOptions

INTENDED_USE = (
    "Research: sorting collections, comparing methods, teaching. "
    "Not for diagnosis, and not for any decision about a patient."
)
FOLD_NOTE = (
    "This is one of several folds. Its test groups took no part in its training; temperature and "
    "limits come from the other folds' answers about tissue that they had not seen."
)
CURVE_FILE = "coverage.svg"  # of a model folder, beside README.md
COVERAGES = (100, 99, 98, 95, 90, 80)  # per cent answered, of the table in README.md
# Figures by which a card was known before evaluation judged the model folder itself.
EARLIER = {"accuracy": "accuracy student", "expected calibration error": "calibration error"}


def interval(metric: Metric) -> str:
    """``94.1 % (95 % CI 90.2 to 97.0 %)``; of no pictures at all there is no figure.

    Brier score and AUC are no shares and stand as decimals.
    """
    if metric.n == 0:
        return "–"
    if any(word in metric.name for word in ("AUC", "Brier")):
        return with_interval(metric)
    if metric.low is None or metric.high is None:
        return percent(metric.value)
    return f"{percent(metric.value)} (95 % CI {100 * metric.low:.1f} to {percent(metric.high)})"


def metric_line(metric: Metric) -> str:
    """One figure as a sentence."""
    groups = "group" if metric.groups == 1 else "groups"
    return f"{metric.name}: {interval(metric)}, n = {metric.n} in {metric.groups} {groups}"


def facts(
    metrics: Sequence[Metric], options: TrainOptions, material: Material
) -> tuple[tuple[str, str], ...]:
    """The figures that a report shows."""
    by_name = {metric.name: metric for metric in metrics}
    found = {now: by_name.get(now, by_name.get(then)) for now, then in EARLIER.items()}
    test, error = found.values()
    if test is None or error is None:
        return (("Accuracy", "not measured: no groups were held out for a test"),)
    if options.folds:
        return _facts(by_name, f"Accuracy, {options.folds}-fold cross-validation", _FOLDED)
    apart = leak(material) or "none of them seen in training"
    if not len(material.split.test):
        apart = "of a held-out run, fitted by the same recipe without these groups"
    return _facts(by_name, f"Accuracy, {options.protocol} test", apart)


_FOLDED = "each judged by a fold that never saw it"


def fold_facts(metrics: Sequence[Metric], fold: str) -> tuple[tuple[str, str], ...]:
    """The figures of one fold, such as ``fold 2 of 5``."""
    by_name = {metric.name: metric for metric in metrics}
    return _facts(by_name, f"Accuracy, {fold}", "none of them seen in training")


def _facts(by_name: Mapping[str, Metric], title: str, apart: str) -> tuple[tuple[str, str], ...]:
    found = [by_name.get(now, by_name.get(then)) for now, then in EARLIER.items()]
    test, error = (metric for metric in found if metric is not None)
    classes = [metric.groups for name, metric in by_name.items() if name.startswith("recall ")]
    if min(classes, default=FEW_GROUPS) < FEW_GROUPS:
        apart += "; FEW GROUPS, so do not rely on these figures"
    return (
        (title, interval(test)),
        ("Test set", f"{test.n:,} fields in {test.groups:,} groups, {apart}"),
        ("Fields answered", interval(by_name["answered"])),
        ("Accuracy of the answered", interval(by_name["accuracy of the answered"])),
        ("Calibration error", percent(error.value)),
    )


def few(card: ModelCard) -> str:
    """That a class was judged in few groups, as the card's limits say; "" where none was."""
    return next((limit for limit in card.limits if limit.startswith(FEW)), "")


def leak(material: Material) -> str:
    """What to say of a split that leaks; "" of one that does not."""
    if not material.leaking:
        return ""
    return (
        f"LEAKING: {len(material.leaking)} groups of the same tissue stand in training and in "
        "test, so these figures say little about new patients"
    )


def of_strangers(material: Material) -> tuple[str, ...]:
    """What is not known of teachers from other runs and of the model begun from, in sentences."""
    origin = (
        f"What {material.origin} learnt, from which this model began, is known by whole data "
        "folders only: where pictures that judge here were among it, the figures say too much.",
    )
    return (origin if material.origin else ()) + tuple(
        f"What the teacher {name} learnt from is not known (no table beside its checkpoints names "
        "these pictures), so it may have seen tissue that judges here."
        for name in material.strangers
    )


def summary(options: TrainOptions, words: Sequence[ClassWords]) -> str:
    """What the model tells apart, in a sentence."""
    judged = modality_of(options.modality).words.judged.removesuffix(" under a microscope")
    return options.summary or f"{', '.join(item.name for item in words)} in {judged}."


def limits(
    options: TrainOptions, material: Material, words: Sequence[ClassWords]
) -> tuple[str, ...]:
    """What the model cannot know: what holds for any, and what the recipe says of its data."""
    leaking, open_question = leak(material), unstated(words)
    return (
        *((f"{leaking}.",) if leaking else ()),
        *of_strangers(material),
        *((open_question,) if open_question else ()),
        f"It knows {len(words)} classes; any other disease gets one of them or no result.",
        *options.limits,
        modality_of(options.modality).words.calibrated,
        "Other organs and metastases are not always refused.",
    )


def data_summary(options: TrainOptions, material: Material) -> str:
    """What was trained on, in a sentence."""
    parts = material.split
    others = ", ".join(foreign.name for foreign in material.foreign)
    return (
        f"{options.data_names}: {len(parts.train)} fields to train, "
        f"{len(parts.validation)} to validate, "
        f"{len(parts.test)} to test, "
        + (leak(material) or "split by group")
        + (f"; counter-examples from {others} and drawings" if others else "")
    )


def figures_note(options: TrainOptions, material: Material) -> str:
    """Whose figures a card holds."""
    if material.leaking:
        return f"**{leak(material)}.**"
    if options.folds:
        return (
            f"Every picture was judged once, by one of {options.folds} networks of this recipe "
            "whose training held its group out. The model itself was fitted on all groups, and got "
            "its temperature and limits from the answers of all folds; the folds' figures were "
            "measured with those of the other folds only." + _begun(options)
        )
    if options.leave_out:
        return (
            f"The source {options.leave_out} took no part in training or calibration: the figures "
            "are those of another source than the training's."
        )
    if len(material.split.test):
        known = (
            f" Whether {material.origin} had learnt them is not known." if material.origin else ""
        )
        return f"The test groups took no part in training or calibration.{known}"
    if options.figures_from:
        return (
            "This model was fitted on all groups but those that calibration needs. The figures are "
            "those of a held-out run, fitted by the same recipe with test groups held out from "
            "everything."
        )
    return "No groups were held out, so there are no figures."


def _begun(options: TrainOptions) -> str:
    """What the model has of a fold, as a further sentence; "" where it was fitted by itself."""
    number = options.features_of_fold
    if not number:
        return ""
    return (
        f" It began from the features that fold {number} had learnt, so its first stage saw the "
        f"training groups of that fold alone; the {options.student_fit.epochs} epochs after it saw "
        "all groups."
    )


def coverage_section(card: ModelCard) -> str:
    """How much less is wrong when the least certain fields get no answer; "" of older cards."""
    if not card.coverage:
        return ""
    heads = ("answered", "right", "wrong among the answered")
    rows = [
        (
            percent(share),
            f"{percent(accuracy)} ({100 * low:.1f} to {100 * high:.1f})",
            percent(1 - accuracy),
        )
        for share, accuracy, low, high in card.coverage
        if round(100 * share) in COVERAGES
    ]
    return f"""
## Accuracy against coverage

When only the most certain fields are answered. The points of the curve stand in `card.json`.

![Accuracy against the share of fields answered]({CURVE_FILE})

{table(heads, rows, right=heads)}
"""


def beside_section(card: ModelCard) -> str:
    """The figures of one split beside those of the folds; "" where the card has none."""
    found = [Metric(**values) for values in card.data.get("one_split", ())]
    if not found:
        return ""
    return f"""
## Beside it: one split

The same recipe judged on the test part of one split, as the first project reports its figures.

{_figures(found)}
"""


def _figures(metrics: Sequence[Metric]) -> str:
    heads = ("figure", "value", "pictures", "groups", "note")
    rows = ((cell(m.name), interval(m), str(m.n), str(m.groups), cell(m.note)) for m in metrics)
    return table(heads, rows, right=("pictures", "groups"))


def _network(card: ModelCard) -> str:
    """The architecture and where its knowledge comes from."""
    if start := card.recipe.get("start_from"):
        return f"{card.architecture}, fine-tuned from {start}"
    taught = f", distilled from {card.teacher}" if card.teacher else ""
    return f"{card.architecture}{taught}"


def model_card(card: ModelCard) -> str:
    """``README.md`` of a model folder."""
    fitted = "the answers of all folds" if card.data.get("folds") else "the validation groups"
    limits_text = "\n".join(f"- {sentence}" for sentence in card.limits)
    names = zip(card.class_names, card.display_names, strict=True)
    classes = ", ".join(f"`{name}` {shown}" for name, shown in names)
    figures = str(card.data["figures"])
    side, scale = card.patch_size_pixels, spacing(card)
    if card.spacing_note:
        scale += f" ({card.spacing_note})"
    unproven = f"**{why}**\n\n" if (why := doubt(card)) else ""
    doubtful = f"\n**{why}**\n" if (why := few(card)) else ""
    return f"""# {card.name} {card.version}

{unproven}{card.summary} **Research use only.**

| | |
|---|---|
| Classes | {cell(classes)} |
| Network | {_network(card)} |
| Input | {side} × {side} px at {scale} |
| Larger fields | {card.large_fields} |
| Data | {cell(card.data["summary"])} |
| Temperature | {card.temperature:.3f}, fitted on {fitted} |
| No result below | {card.confidence_threshold:.3f} confidence, or when most tissue is novel |
| Licence | {card.licence} |
| Seed | {card.seed} |

## Intended use

{card.intended_use}

## Figures

Intervals are 95 %, by bootstrap over groups: pictures of one group show the same tissue.
{figures} The command was `{card.command}`.
{doubtful}
{_figures(card.metrics)}
{coverage_section(card)}{beside_section(card)}
## Limits

{limits_text}
"""
