"""What cannot be adapted to, or from: said in a sentence before anything is written."""

from __future__ import annotations

from collections import Counter

from lungscan.adaptation.gains import changed
from lungscan.adaptation.records import Own, Shares
from lungscan.adaptation.refitting import Draft
from lungscan.errors import ModelError, UsageProblem
from lungscan.inputs import show
from lungscan.model.card import INT8, ModelCard
from lungscan.model.shares import percent

LEAST_FILES = 20  # fields; a slide counts as ten
SLIDE_COUNTS = 10
LEAST_SQUARES = 20  # of tissue: a field taken whole is one
LEAST_LABELLED = 8  # of each class that has any
LEAST_GROUPS = 3  # of each class
RESEMBLANCE = 0.8  # to counter-examples, before: other laboratories' lung 0.3 to 0.6, organs 0.9
UNLIKE = 0.10  # of the squares that may still look foreign once the stain is matched
EMPTY = 0.5  # of the files that may hold no stained tissue


def require_source(card: ModelCard) -> None:
    """Raises ModelError for a model that cannot be adapted."""
    if card.precision == INT8:
        raise ModelError(
            f"{card.name} is an int8 model, whose layers cannot be adapted. Adapt the model that "
            "it was made from, and compress that."
        )


def require_own(own: Own, card: ModelCard) -> None:
    """Raises UsageProblem for too few pictures, pictures without tissue, or one class."""
    found = len(own.files) + len(own.empty)
    if own.empty and len(own.empty) > EMPTY * found:
        raise UsageProblem(
            f"{len(own.empty)} of {found} pictures show no H&E-stained tissue (the first is "
            f"{show(own.empty[0])}), so there is nothing to adapt to. Give fields of stained lung."
        )
    weight = len(own.fields) + SLIDE_COUNTS * len(own.slides)
    if weight < LEAST_FILES or len(own.tiles) < LEAST_SQUARES:
        raise UsageProblem(
            f"{own.folder} has {len(own.fields)} fields and {len(own.slides)} slides with "
            f"{len(own.tiles)} squares of tissue that can be used"
            + (f" ({len(own.skipped)} files cannot: {own.skipped[0][1]})" if own.skipped else "")
            + f"; at least {LEAST_FILES} fields or two slides with {LEAST_SQUARES} squares are "
            "needed, about 100 fields are better. Give more."
        )
    if own.labelled:
        _require_labels(own, card)


def _require_labels(own: Own, card: ModelCard) -> None:
    counts = Counter(file.label for file in own.labelled)
    if len(counts) < 2:
        (only,) = counts
        raise UsageProblem(
            f"All {counts[only]} labelled fields are of one class ({show(only)}): with labels at "
            f"least two of {', '.join(card.class_names)} are needed. Add fields of another, or "
            "give the same fields in no class folder, without labels."
        )
    for label, count in sorted(counts.items()):
        groups = {file.group for file in own.labelled if file.label == label}
        if count < LEAST_LABELLED or len(groups) < LEAST_GROUPS:
            raise UsageProblem(
                f"Class {show(label)} has {count} labelled fields in {len(groups)} groups; at "
                f"least {LEAST_LABELLED} in {LEAST_GROUPS} groups are needed, some 20 are better."
            )


def require_no_organ(resemblance: float, own: Own) -> None:
    """Raises UsageProblem when the tissue is taken for another organ before anything is matched.

    Matching brings the colours of any tissue to those of lung, and much of what told it apart goes.
    """
    if resemblance > RESEMBLANCE:
        raise UsageProblem(
            f"The tissue of {own.folder} resembles the organs that this model was taught to refuse "
            f"by {percent(resemblance, 0)} on average (lung of another laboratory stays below "
            f"{percent(RESEMBLANCE, 0)}): another organ, or a wrong scale (--mpp). Nothing was "
            "written."
        )


def require_lung(made: Draft, own: Own) -> None:
    """Raises UsageProblem when the tissue looks foreign even in the stain that is known."""
    if made.novel > UNLIKE:
        raise UsageProblem(
            f"With its stain matched, {percent(made.novel, 0)} of the tissue of {own.folder} still "
            f"does not look like lung (an adapted model allows {percent(UNLIKE, 0)}): another "
            "organ, another stain than H&E, or a wrong scale (--mpp). Nothing was written."
        )


def require_gain(before: Shares, after: Shares, own: Own) -> None:
    """Raises UsageProblem when the model does worse on the own fields than before."""
    lost = -changed(before.right, after.right)
    if lost > 0:
        raise UsageProblem(
            f"Adapted, the model would be right in {lost:.1f} points fewer of the labelled fields "
            f"of {own.folder} than before (cross-validated), so nothing was written. Use it as it "
            "is, or give more fields."
        )
    if after.right is None and after.fields and after.answered < before.answered:
        raise UsageProblem(
            f"Adapted, the model would answer fewer fields of {own.folder} than before "
            f"({percent(after.answered)} instead of {percent(before.answered)}), so nothing "
            "was written. Use it as it is."
        )
