"""The modalities that there are."""

from __future__ import annotations

from lungscan.modalities.ct.entry import CHEST_CT
from lungscan.modalities.histology.entry import HISTOLOGY
from lungscan.modalities.modality import Modality
from lungscan.model.modality_names import DEFAULT

MODALITIES = {entry.name: entry for entry in (HISTOLOGY, CHEST_CT)}


def modality_of(name: str | None) -> Modality:
    """The modality that a card or a result names; None: the default.

    Raises:
        ValueError: there is no such modality.
    """
    found = MODALITIES.get(DEFAULT if name is None else name)
    if found is None:
        raise ValueError(f"modality is one of {', '.join(MODALITIES)}, not {name!r}")
    return found
