"""Which groups of a data folder a model has seen, as far as its card tells."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from lungscan.model.card import ModelCard


@dataclass(frozen=True, slots=True)
class Identity:
    """By which a model's card knows a data folder; "" when unknown."""

    contents_sha256: str = ""  # over the pictures alone
    data_sha256: str = ""  # over names, labels, groups and bytes: in older cards the only one


def adapted_to(card: ModelCard, identity: Identity) -> bool:
    """Whether the model was adapted to this very folder."""
    ours, theirs = identity.contents_sha256, card.adaptation.get("contents_sha256")
    return bool(ours and ours == theirs)


def seen_groups(
    card: ModelCard,
    identity: Identity,
    groups: Collection[str],
    spared: frozenset[str] | None = None,
) -> frozenset[str] | None:
    """Those of a folder's groups that the model did not hold out; None: the card names other data.

    Args:
        card: of the model.
        identity: of the folder, which the card may know as its data, as one of several sources or
            as the fields that the model was adapted to.
        groups: of the folder, as its own table names them.
        spared: the groups that count as not seen, as the card names them; None: those held out.
    """
    if adapted_to(card, identity):
        return frozenset(groups)
    prefix = ""
    if not _is_named(card, identity):
        source = _source_of(card, identity)
        if not source:
            return None
        prefix = f"{source}/"
    kept = card.held_out if spared is None else spared
    return frozenset(group for group in groups if f"{prefix}{group}" not in kept)


def held_out_groups(
    card: ModelCard, identity: Callable[[], Identity], groups: Collection[str]
) -> frozenset[str]:
    """Those of a folder's groups that the model held out, as far as its card vouches for them.

    Of a folder that the card does not know, groups of the same name count.

    Args:
        identity: finds out what the folder is, which opens every picture; asked where it matters.
    """
    if not card.held_out:
        return frozenset()
    seen = seen_groups(card, identity(), groups)
    return card.held_out.intersection(groups) if seen is None else frozenset(groups) - seen


def none_held_out(card: ModelCard) -> str:
    """What is said of fields of which the model is not known to have held out any."""
    return (
        f"{card.name} is not known to have held out any of these fields, so most of them may be "
        "what it learnt from"
    )


def _is_named(card: ModelCard, identity: Identity) -> bool:
    pairs = (
        (identity.contents_sha256, card.data.get("contents_sha256")),
        (identity.data_sha256, card.data.get("sha256")),
    )
    return any(ours and ours == theirs for ours, theirs in pairs)


def _source_of(card: ModelCard, identity: Identity) -> str:
    """The name of the source, of several that the model learnt from, which this folder is."""
    ours = identity.contents_sha256
    sources = card.data.get("sources", {})
    return next((name for name, sha256 in sources.items() if ours and sha256 == ours), "")
