"""What an adapted model's card says of the adaptation, made from measured figures."""

from __future__ import annotations

from lungscan.adaptation.gains import changed
from lungscan.adaptation.records import AdaptResult, Own, Shares
from lungscan.adaptation.refitting import Draft
from lungscan.model.card import Metric, ModelCard
from lungscan.model.doubt import doubt
from lungscan.model.shares import percent
from lungscan.results.markdown_table import cell

NOT_MEASURED = "not measured"
GROUPS_UNKNOWN = (
    "No table groups.csv says which of the labelled fields are of the same patient. "
    "Near-duplicates are kept together, but a patient may still stand on both sides of the "
    "cross-validation, so it may be right less often than its figure says."
)

UNSCALED = (
    "{count} of {of} files do not say how large a pixel is and are taken whole, as if they had the "
    "model's scale. Where they have another, give the pixel size (--mpp; usual: 0.25 µm at 40x, "
    "0.5 at 20x)."
)

# Measured: docs/answers.md, "What an adapted model makes of other organs".
OTHER_ORGANS = (
    "It judges only what is stained and scanned as your fields were. Other organs in that very "
    "stain it refuses as far as the model knows them; one that it was never taught may pass for "
    "lung. Give it nothing but lung."
)
UNKNOWN = (
    "How often it is right on your tissue is not known, as no labels were given. "
    "Some 20 labelled fields of each class would tell."
)


def with_interval(metric: Metric | None) -> str:
    """A share with its interval."""
    if metric is None:
        return NOT_MEASURED
    if metric.low is None or metric.high is None:
        return percent(metric.value)
    return f"{percent(metric.value)} (95 % CI {100 * metric.low:.1f} to {percent(metric.high)})"


def gain_rows(result: AdaptResult) -> list[tuple[str, str, str]]:
    """What was measured of the own fields, and of original data: its name, before, adapted."""
    pairs = [("Your fields", result.before, result.after)]
    if result.original_before is not None and result.original_after is not None:
        pairs.append(("Original data", result.original_before, result.original_after))
    return [row for name, before, after in pairs for row in _gains(name, before, after)]


def _gains(name: str, before: Shares, after: Shares) -> list[tuple[str, str, str]]:
    if not after.fields:
        return [(name, "slides only", "slides only")]
    rows = [(f"{name}, answered", percent(before.answered), percent(after.answered))]
    if after.right is not None:
        text = [
            ("right", before.right, after.right),
            ("right among answered", before.right_answered, after.right_answered),
        ]
        rows += [(f"{name}, {w}", with_interval(b), with_interval(a)) for w, b, a in text]
    return rows


def reserves(result: AdaptResult) -> tuple[str, ...]:
    """What whoever made the model must know before it is used."""
    unknown = result.after.right is None and not result.card.adaptation.get("labelled")
    doubts = (OTHER_ORGANS, UNKNOWN if unknown else "", doubt(result.card))
    return tuple(filter(None, doubts))


def facts(
    source: ModelCard,
    own: Own,
    shares: tuple[Shares, Shares],
    original: tuple[Shares, Shares] | None,
) -> tuple[tuple[str, str], ...]:
    """What reports show of an adapted model, before what is known of its source."""
    before, after = shares
    facts = [("Adapted", adapted_to(source, own))]
    if after.fields:
        facts.append(
            (
                "Own fields answered",
                f"{percent(after.answered)} (before {percent(before.answered)})",
            )
        )
    facts.append(("Accuracy, own fields", accuracy(before, after, own)))
    if after.right_answered is not None:
        facts.append(("Accuracy of the answered, own", with_interval(after.right_answered)))
    facts.append(("Original data", original_text(original)))
    facts += [(f"{name}, before it was adapted", value) for name, value in source.facts]
    return tuple(facts)


def adapted_to(source: ModelCard, own: Own) -> str:
    """From what, and to how many pictures."""
    labels = len(own.labelled)
    classes = len({file.label for file in own.labelled})
    how = f"{labels} of them labelled, in {classes} classes" if labels else "without labels"
    how += f", {len(own.reviewed)} by review" if own.reviewed else ""
    return (
        f"from {source.name} {source.version} ({source.sha256[:12]}) to {counted(own)} of "
        f"{own.folder}, {how}"
    )


def counted(own: Own) -> str:
    """Fields and slides, in words."""
    fields, slides = len(own.fields), len(own.slides)
    parts = [f"{fields} fields"] * bool(fields) + [f"{slides} slides"] * bool(slides)
    return " and ".join(parts)


def accuracy(before: Shares, after: Shares, own: Own) -> str:
    """How often it is right on the own fields, as far as anyone knows."""
    if after.right is None:
        return f"{NOT_MEASURED}: {unmeasured(own, after) or 'no labels were given'}"
    was = percent(before.right.value) if before.right else NOT_MEASURED
    found = "" if own.grouped else " of near-duplicates, patients unknown"
    return (
        f"{with_interval(after.right)}, cross-validated over {after.groups} groups{found} "
        f"(before {was})"
    )


def unmeasured(own: Own, after: Shares) -> str:
    """Why nobody knows what labels did for the model; "" where it was measured, or without any."""
    if not own.labelled or after.right is not None:
        return ""
    if own.labelled_fields:
        return "none of the labelled fields could be judged"
    return "labelled slides taught it; how often it is right on them was not measured"


def original_text(original: tuple[Shares, Shares] | None) -> str:
    """What the adaptation gained or lost where the model comes from."""
    if original is None:
        return "what it gained or lost there was not measured"
    before, after = original
    gained = changed(before.right, after.right)
    word = "gained" if gained > 0 else "lost"
    note = after.right.note if after.right else ""
    return (
        f"{word} {abs(gained):.1f} points on {after.fields} fields: {with_interval(after.right)} "
        f"(before {with_interval(before.right)}); answered {percent(after.answered)} "
        f"(before {percent(before.answered)})" + (f"; {note}" if note else "")
    )


def limits(own: Own, card: ModelCard) -> tuple[str, ...]:
    """What nobody can know of an adapted model, and who it is for."""
    absent = sorted(set(card.class_names) - {file.label for file in own.labelled})
    named = [card.display_names[card.class_names.index(name)] for name in absent]
    facts = [
        f"It was adapted to the stain and scanner of {own.folder}: for pictures of any other "
        "laboratory take the model that it was made from.",
        OTHER_ORGANS,
    ]
    if own.labelled and absent:
        facts.append(
            f"No field of {' or '.join(named)} was among the labelled ones, so how well it tells "
            "that class is not known here."
        )
    if own.reviewed:
        facts.append(
            f"{len(own.reviewed)} labels are reviews of a model's answers: the reviewer saw the "
            "answer first, which makes agreement likelier than a blind label would."
        )
    if own.labelled_fields and not own.grouped:
        facts.append(GROUPS_UNKNOWN)
    if own.labelled and not own.labelled_fields:
        facts.append(
            "Labelled slides taught it; how often it is right on them was not measured, for fields "
            "alone can be judged."
        )
    if not own.labelled:
        facts.append("How often it is right on these fields is not known: they bore no labels.")
    return tuple(facts)


def readme(card: ModelCard, source: ModelCard, own: Own, made: Draft, text: str) -> str:
    """``README.md`` of an adapted model; ``text`` is the source's."""
    rows = "\n".join(f"| {cell(name)} | {cell(value)} |" for name, value in card.facts)
    limited = "\n".join(f"- {sentence}" for sentence in limits(own, card))
    foreign, far = (100 * made.limits[1] / made.limits[0] - 100).round().astype(int)
    return f"""# {card.name} {card.version}

{card.summary} Adapted {adapted_to(source, own)}. **Research use only.**

| | |
|---|---|
{rows}

The early layers' statistics were matched to the own squares with a weight of {made.share:.2f}. The
limits of novelty were widened by {foreign} % (resembles counter-examples) and {far} % (distance).
The least confidence is {card.confidence_threshold:.3f}. The command was
`{card.adaptation["command"]}`.

## Limits of the adaptation

{limited}

## The model that it was made from

What follows was measured before the adaptation.

{text}"""
