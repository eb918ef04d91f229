"""H&E as an entry of the table of modalities."""

from __future__ import annotations

from lungscan.modalities.histology.quality import judge, measure_quality
from lungscan.modalities.modality import Modality, Words
from lungscan.model.modality_names import HE, SCALED
from lungscan.types import NoResult

HISTOLOGY = Modality(
    name=HE,
    kinds=frozenset({"slide", "field"}),
    measure=measure_quality,
    judge=judge,
    unlike=None,
    foreign=NoResult.NOT_LUNG,
    little=NoResult.LITTLE_TISSUE,
    tumour_by="area",
    by_suspicion=False,
    scaled=SCALED[HE],
    background=(255, 255, 255),
    maps=True,
    slices=False,
    ignored_flags=frozenset(),
    words=Words(
        judged="H&E-stained tissue under a microscope",
        kicker="Lung tissue classification",
        tile="tile",
        tiles="tiles",
        share="Share",
        foreign="unlike lung H&E",
        blank="blank",
        clear="Tiles with the clearest class",
        deciding="Tiles that speak for the answer",
        others="Most uncertain tiles",
        against="Tumour tiles, and the most uncertain",
        foreign_share="{share} of what was seen does not look like lung H&E. If it is lung, its "
        "stain or scanner may be new to the model, which can be adapted (lungscan adapt).",
        elsewhere="another stain or scanner",
        elsewhere_share="{share} of the tissue is of another stain or scanner than {known}, "
        "further off than this model can judge; {advice}.",
        little="Too little H&E-stained tissue was found to judge.",
        unread="{share} of the picture could not be searched for tissue.",
        damaged="The file is damaged or cut short: copy or export it again.",
        large="A field image without a scale is taken as one field at the model's scale: its "
        "shorter side is resized to the network's input (several squares cover a long "
        "picture). With a scale it is tiled.",
        calibrated="Confidence is calibrated for single fields; that of a whole slide is the "
        "mean over its deciding tiles and has not been validated.",
        rule="",
    ),
)
