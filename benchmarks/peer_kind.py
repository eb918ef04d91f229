"""Which network all programs get."""

from __future__ import annotations

from dataclasses import dataclass

from drawing import MPP_UM

from lungscan.model.checked import find_model

SHIPPED = "lung-histology"


@dataclass(frozen=True)
class Kind:
    """What a network is but for its weights."""

    architecture: str  # as timm calls it
    size_px: int  # side of its input
    spacing_um: float  # of which its pixels are

    @property
    def words(self) -> tuple[str, str, str]:
        """As ``peer_network.py`` takes it."""
        return self.architecture, str(self.size_px), f"{self.spacing_um:.6g}"


def shipped() -> Kind:
    """The kind that LungScan ships."""
    card = find_model(SHIPPED)
    return Kind(card.architecture, card.patch_size_pixels, card.spacing_um_px)


def unscaled(architecture: str, size_px: int) -> Kind:
    """Any other; its tiles have the drawn slides' scale, so that nothing is resized."""
    return Kind(architecture, size_px, MPP_UM)
