"""Chest CT as an entry of the table of modalities."""

from __future__ import annotations

from lungscan.modalities.ct.lungs import judge, measure, unlike
from lungscan.modalities.modality import Modality, Words
from lungscan.model.modality_names import CT, SCALED
from lungscan.types import NoResult

CHEST_CT = Modality(
    name=CT,
    kinds=frozenset({"series", "field"}),
    measure=measure,
    judge=judge,
    unlike=unlike,
    foreign=NoResult.NOT_CHEST_CT,
    little=NoResult.NO_LUNG,
    tumour_by="neighbours",
    by_suspicion=True,
    scaled=SCALED[CT],
    background=(0, 0, 0),
    maps=False,
    slices=True,
    ignored_flags=frozenset(
        {"grey", "scale_unknown", "resized", "mpp_absurd", "mpp_option_differs"}
    ),
    words=Words(
        judged="axial slices of chest CT",
        kicker="Chest CT classification",
        tile="slice",
        tiles="slices",
        share="Share of lung",
        foreign="unlike axial chest CT",
        blank="without lung",
        clear="Most suspicious slices",
        deciding="Most suspicious slices",
        others="Least suspicious slices",
        against="Least suspicious slices",
        foreign_share="{share} of what was seen does not look like axial slices of chest CT.",
        elsewhere="another scanner or grey window",
        elsewhere_share="{share} of the lung looks as if of another scanner or grey window than "
        "{known}, further off than this model can judge.",
        little="No lung was found in any slice.",
        unread="{share} of the files could not be read.",
        damaged="The series is damaged, cut short or compressed in a way that is not known here: "
        "copy or export it again.",
        large="A slice is shown whole, whatever its size; one that is no square stands on a black "
        "square.",
        calibrated="Confidence is calibrated for single slices; that of a series is the mean over "
        "its deciding slices, at most the share of single slices that the model named rightly, and "
        "has not been validated.",
        rule="Tumour is answered where three neighbouring slices together name it: a nodule of a "
        "centimetre shows in several, a false alarm mostly in one, and among hundreds of slices "
        "one is always the worst.",
    ),
)
