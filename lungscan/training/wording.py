"""What a model card says to people, made from measured figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lungscan.cards import Metric, ModelCard

if TYPE_CHECKING:
    from lungscan.training.material import Material
    from lungscan.training.options import TrainOptions

INTENDED_USE = (
    "Research on H&E-stained lung tissue: sorting collections, comparing methods, teaching. "
    "Not for diagnosis, and not for any decision about a patient."
)
LARGE_FIELDS = (
    "A field image without a scale is taken as one field at the model's scale: its shorter side "
    "is resized to the network's input (several squares cover a long picture). With a scale it is "
    "tiled."
)
NAMES = {
    "lung_aca": "Adenocarcinoma",
    "lung_n": "Benign lung",
    "lung_scc": "Squamous cell carcinoma",
}
# Okabe and Ito's palette, told apart by people with any common colour blindness.
COLORS = {"lung_aca": "#D55E00", "lung_n": "#009E73", "lung_scc": "#0072B2"}
OTHERS = ("#E69F00", "#56B4E9", "#CC79A7", "#F0E442", "#000000")
BENIGN_WORDS = {"n", "normal", "benign", "healthy"}


def display_name(name: str) -> str:
    """A class's name for people."""
    return NAMES.get(name, name.replace("_", " ").capitalize())


def color(index: int, name: str) -> str:
    """A class's colour, ``#rrggbb``."""
    return COLORS.get(name, OTHERS[index % len(OTHERS)])


def is_tumour(name: str) -> bool:
    """Whether a class is tumour: all are, but those whose name says otherwise."""
    return not BENIGN_WORDS & set(name.lower().replace("-", "_").split("_"))


def percent(value: float) -> str:
    """A share as people write it."""
    return f"{100 * value:.1f} %"


def interval(metric: Metric) -> str:
    """``94.1 % (95 % CI 90.2 to 97.0 %)``; of no pictures at all there is no figure."""
    if metric.n == 0:
        return "–"
    if metric.low is None or metric.high is None:
        return percent(metric.value)
    return f"{percent(metric.value)} (95 % CI {100 * metric.low:.1f} to {percent(metric.high)})"


def metric_line(metric: Metric) -> str:
    """One figure as a sentence."""
    return f"{metric.name}: {interval(metric)}, n = {metric.n} in {metric.groups} groups"


def facts(
    metrics: list[Metric], options: TrainOptions, material: Material
) -> tuple[tuple[str, str], ...]:
    """The figures that a report shows."""
    by_name = {metric.name: metric for metric in metrics}
    if "accuracy student" not in by_name:
        return (("Accuracy", "not measured: no groups were held out for a test"),)
    test = by_name["accuracy student"]
    apart = leak(material) or "none of them seen in training"
    if not len(material.split.test):
        apart = "of a twin model, fitted by the same recipe without these groups"
    return (
        (f"Accuracy, {options.protocol} test", interval(test)),
        ("Test set", f"{test.n} fields in {test.groups} groups, {apart}"),
        ("Fields answered", interval(by_name["answered"])),
        ("Accuracy of the answered", interval(by_name["accuracy of the answered"])),
        ("Calibration error", percent(by_name["calibration error"].value)),
    )


def leak(material: Material) -> str:
    """What to say of a split that leaks; "" of one that does not."""
    if not material.leaking:
        return ""
    return (
        f"LEAKING: {len(material.leaking)} groups of the same tissue stand in training and in "
        "test, so these figures say little about new patients"
    )


def summary(options: TrainOptions, names: Sequence[str]) -> str:
    """What the model tells apart, in a sentence."""
    return options.summary or f"{', '.join(display_name(n) for n in names)} in H&E-stained tissue."


def limits(options: TrainOptions, material: Material) -> tuple[str, ...]:
    """What the model cannot know: what holds for any, and what the recipe says of its data."""
    names = material.samples.class_names
    leaking = leak(material)
    return (
        *((f"{leaking}.",) if leaking else ()),
        f"It knows {len(names)} kinds of tissue; any other disease gets one of them or no result.",
        *options.limits,
        "Confidence is calibrated for single fields; that of a whole slide is the mean over its "
        "deciding tiles and has not been validated.",
        "Other organs and metastases are not always refused.",
    )


def data_summary(options: TrainOptions, material: Material) -> str:
    """What was trained on, in a sentence."""
    parts = material.split
    others = ", ".join(foreign.name for foreign in material.foreign)
    return (
        f"{options.data}: {len(parts.train)} fields to train, {len(parts.validation)} to validate, "
        f"{len(parts.test)} to test, "
        + (leak(material) or "split by group")
        + (f"; counter-examples from {others} and drawings" if others else "")
    )


def figures_note(options: TrainOptions, material: Material) -> str:
    """Whose figures a card holds."""
    if material.leaking:
        return f"**{leak(material)}.**"
    if len(material.split.test):
        return "The test groups took no part in training or calibration."
    if options.figures_from:
        return (
            "This model was fitted on all groups but those that calibration needs. The figures are "
            "those of a twin, fitted by the same recipe with test groups held out from everything."
        )
    return "No groups were held out, so there are no figures."


def model_card(card: ModelCard) -> str:
    """``README.md`` of a model folder."""
    rows = "\n".join(
        f"| {m.name} | {interval(m)} | {m.n} | {m.groups} | {m.note} |" for m in card.metrics
    )
    limits_text = "\n".join(f"- {sentence}" for sentence in card.limits)
    names = zip(card.class_names, card.display_names, strict=True)
    classes = ", ".join(f"`{name}` {shown}" for name, shown in names)
    figures = str(card.data["figures"])
    side, spacing = card.patch_size_pixels, f"{card.spacing_um_px:.3g} µm/px"
    if card.spacing_note:
        spacing += f" ({card.spacing_note})"
    return f"""# {card.name} {card.version}

{card.summary} **Research use only.**

| | |
|---|---|
| Classes | {classes} |
| Network | {card.architecture}, distilled from {card.teacher} |
| Input | {side} × {side} px at {spacing} |
| Larger fields | {card.large_fields} |
| Data | {card.data["summary"]} |
| Temperature | {card.temperature:.3f}, fitted on the validation groups |
| No result below | {card.confidence_threshold:.3f} confidence, or when most tissue is novel |
| Licence | {card.licence} |
| Seed | {card.seed} |

## Intended use

{card.intended_use}

## Figures

Intervals are 95 %, by bootstrap over groups: pictures of one group show the same tissue.
{figures} The command was `{card.command}`.

| figure | value | pictures | groups | note |
|---|---|---:|---:|---|
{rows}

## Limits

{limits_text}
"""
