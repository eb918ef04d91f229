"""How large a pixel is, for images that do not say."""

from __future__ import annotations

from lungscan.options import MAX_MPP_UM
from lungscan_gui.panels.typed_number import TypedNumber


class PixelSize(TypedNumber):
    """µm per level-0 pixel; 0, where it begins, is "as the file says"."""

    def __init__(self) -> None:
        super().__init__()
        self.setDecimals(4)
        self.setRange(0, MAX_MPP_UM)
        self.setSingleStep(0.25)
        self.setSpecialValueText("as the file says")
        self.setSuffix(" µm")
        self.setAccessibleName("Pixel size in µm, for images that do not say")
        self.setToolTip("µm per pixel, for images that do not say (usual: 0.25 at 40x, 0.5 at 20x)")
