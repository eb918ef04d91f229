"""The modalities that a card may name; all else of them stands in ``lungscan.modalities``."""

HE, CT = "he-histology", "chest-ct"
DEFAULT = HE  # of cards that name none
SCALED = {HE: True, CT: False}  # whether pixels have a scale that decides on tiles
