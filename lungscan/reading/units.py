"""Units of length as microscopes' programs write them."""

from __future__ import annotations

from types import MappingProxyType

INCH_UM = 25_400.0
CENTIMETRE_UM = 10_000.0

# The names of OME's enumeration UnitsLength that can describe a pixel, and ImageJ's. Capitals
# count: "Mm" is a million metres. Both signs for micro are in use, and "A" for the angstrom is not.
_UM = MappingProxyType(
    {
        "nm": 1e-3,
        "Å": 1e-4,
        "\u212b": 1e-4,  # the sign ANGSTROM
        "\u00b5m": 1.0,  # the sign MICRO
        "\u03bcm": 1.0,  # the Greek letter
        "um": 1.0,
        "mm": 1e3,
        "cm": CENTIMETRE_UM,
        "m": 1e6,
        "in": INCH_UM,
    }
)
_WORDS_UM = MappingProxyType(
    {
        "nanometer": 1e-3,
        "nanometre": 1e-3,
        "micron": 1.0,
        "micrometer": 1.0,
        "micrometre": 1.0,
        "millimeter": 1e3,
        "millimetre": 1e3,
        "centimeter": CENTIMETRE_UM,
        "centimetre": CENTIMETRE_UM,
        "inch": INCH_UM,
        "inche": INCH_UM,  # of "inches"
    }
)


def unit_um(name: str) -> float | None:
    """How many µm a unit measures; None for what is no length: pixels, reference frames."""
    name = name.strip()
    return _UM.get(name) or _WORDS_UM.get(name.lower().removesuffix("s"))
