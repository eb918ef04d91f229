"""What a compression says to people."""

from __future__ import annotations

import math

from lungscan.compression.records import Agreement, Bounds
from lungscan.model.card import ModelCard
from lungscan.model.shares import percent
from lungscan.results.markdown_table import table

NOT_NOW = "measured before int8"


def change(agreement: Agreement) -> str:
    """What became of the accuracy, in half a sentence."""
    points = -100 * agreement.lost
    if agreement.became_wrong == agreement.became_right:
        return f"accuracy unchanged at {percent(agreement.accuracy_after)}"
    word = "up" if points > 0 else "down"
    return f"accuracy {word} {abs(points):.2f} points to {percent(agreement.accuracy_after)}"


def all_changes(agreement: Agreement) -> str:
    """What became of accuracy and refusals."""
    refusals = f"{agreement.refusals_changed} of {agreement.tiles} refusals changed"
    more = agreement.foreign_answered_after - agreement.foreign_answered_before
    let_in = f", {more} more of {agreement.foreign} counter-examples answered" if more > 0 else ""
    return f"{change(agreement)}, {refusals}{let_in}{_where(agreement)}"


def _where(agreement: Agreement) -> str:
    """What computed the int8 model: each processor rounds its sums in its own way."""
    return f" ({agreement.device})" if agreement.device else ""


def fact(agreement: Agreement, warned: str) -> str:
    """For the card's facts; ``warned`` is the caution, "" when there is none."""
    text = (
        f"{change(agreement)} on {agreement.tiles} validation fields{_where(agreement)}; the "
        f"figures above were {NOT_NOW}"
    )
    return f"{text}. {warned}" if warned else text


def caution(agreement: Agreement, bounds: Bounds, most_lost: float) -> str:
    """What the bound is worth when the fields are too few for it; "" when they are enough.

    Args:
        most_lost: what cannot be excluded, see ``judging.most_lost``.
    """
    if most_lost <= bounds.accuracy:
        return ""
    count = agreement.looked_at
    text = (
        f"CAUTION: {count:,} field{'' if count == 1 else 's'} in {agreement.groups:,} group"
        f"{'' if agreement.groups == 1 else 's'} cannot show that int8 loses no more than "
        f"{100 * bounds.accuracy:g} points of accuracy; on other fields it may lose up to "
        f"{100 * most_lost:.1f} (95 % limit)."
    )
    least = math.ceil(math.log(0.05) / math.log1p(-bounds.accuracy)) if bounds.accuracy else 0
    return f"{text} Judge it on {least:,} fields or more." if least > count else text


def readme(source: ModelCard, card: ModelCard, sizes: tuple[int, int], text: str) -> str:
    """``README.md`` of an int8 model.

    Args:
        sizes: bytes on disk before and after.
        text: the source's own ``README.md``.
    """
    made, agreement = card.compression, Agreement(**card.compression["agreement"])
    foreign = agreement.foreign
    rows = (
        (
            "Accuracy",
            percent(agreement.accuracy_before, 2),
            percent(agreement.accuracy_after, 2),
        ),
        (
            "Answered",
            percent(agreement.answered_before, 2),
            percent(agreement.answered_after, 2),
        ),
        (
            "Counter-examples answered",
            f"{agreement.foreign_answered_before} of {foreign}",
            f"{agreement.foreign_answered_after} of {foreign}",
        ),
        ("Size on disk", *(f"{size / 1e6:.1f} MB" for size in sizes)),
    )
    figures = table(("", "before, fp32", "int8"), rows, right=("before, fp32", "int8"))
    warned = f"**{made['caution']}**\n\n" if made.get("caution") else ""
    loss, refusals = made["bounds"]["accuracy"], made["bounds"]["refusals"]
    return f"""# {card.name} {card.version}

{source.name} (SHA-256 `{source.sha256}`) in int8, for OpenVINO. **Research use only.**

{warned}Quantized after training by NNCF {made["nncf"]}, {made["method"]},
with {made["calibration_tiles"]} pictures to calibrate on. Judged on {agreement.tiles} validation
fields in {agreement.groups} groups on {agreement.device}:

{figures}

Answers that became wrong: {agreement.became_wrong}; that became right: {agreement.became_right};
refusals that changed: {agreement.refusals_changed}. Allowed were a loss of {100 * loss:g} points of
accuracy and {percent(refusals)} changed refusals. Temperature and limits are those of the
source.

What follows describes the model that this one was made from; its figures were {NOT_NOW}.

{text.partition(chr(10))[2].strip()}
"""
