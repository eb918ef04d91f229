"""Does a picture's colour profile say that its numbers mean other colours than they seem to?

LungScan shows the network the stored numbers, as it was trained, whatever profile comes with them.
Where the profile is that of a scanner or a wide gamut, colours differ from what a viewer that
heeds it shows, and a flag says so. Nearly every camera's profile is sRGB under one of a dozen
names, so names are not compared: a few colours are converted, and moved ones count.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

IGNORED = "icc_profile_ignored"

# Variants of sRGB move these colours by 7 levels at the most (0 the usual one, 3 its primaries with
# a plain gamma of 2.2, 7 the perceptual v4 profile); a gamma of 1.8 by 19, the primaries of
# Display P3 by 23, Adobe RGB by 31, an Aperio AT2's own profile by 82.
_MOVED = 8  # of 255 grey levels
# Glass, eosin pale and strong, haematoxylin pale and strong, red cells; no darker ones, where
# profiles of one colour space differ by their treatment of black.
_COLOURS = (
    (243, 241, 243), (246, 222, 234), (226, 158, 190), (190, 90, 150),
    (150, 120, 180), (96, 62, 132), (200, 60, 80), (128, 128, 128),
)  # fmt: skip


@lru_cache(maxsize=8)
def is_foreign_bytes(profile: bytes) -> bool:
    """As ``is_foreign``, of a profile as it is stored; one that cannot be read changes nothing."""
    try:
        return is_foreign(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (OSError, ImageCms.PyCMSError):
        return False


def is_foreign(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether the colours of tissue mean something else under ``profile`` than under sRGB."""
    mode = {"RGB": "RGB", "GRAY": "L"}.get(profile.profile.xcolor_space.strip())
    if mode is None:
        return True  # of inks, or of colours by appearance
    stored = Image.fromarray(np.array([_COLOURS], np.uint8)).convert(mode)
    try:
        shown = ImageCms.profileToProfile(
            stored, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except ImageCms.PyCMSError:
        return False
    if shown is None:
        return False
    moved = np.asarray(shown, np.int16) - np.asarray(stored.convert("RGB"), np.int16)
    return int(np.abs(moved).max()) > _MOVED
