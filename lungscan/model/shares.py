"""How a share is written for people, everywhere alike."""

from __future__ import annotations


def percent(share: float, digits: int = 1) -> str:
    """A share of 0 to 1 in percent, such as ``57.0 %``."""
    return f"{100 * share:.{digits}f} %"
