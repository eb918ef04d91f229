"""A box for a number with decimals, which takes a comma for a point and a point for a comma."""

from __future__ import annotations

from PyQt6.QtCore import QLocale
from PyQt6.QtGui import QValidator
from PyQt6.QtWidgets import QDoubleSpinBox


class TypedNumber(QDoubleSpinBox):
    """Shows a point, as reports and tables do.

    Qt's own knows the sign of the system alone and swallows the other: 0.25 was 2 in German.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(QLocale.c())

    def validate(self, text: str | None, at: int) -> tuple[QValidator.State, str, int]:
        """What was typed so far, with a point."""
        return super().validate((text or "").replace(",", "."), at)

    def valueFromText(self, text: str | None) -> float:  # noqa: N802  Qt's name
        """The number that was typed."""
        return super().valueFromText((text or "").replace(",", "."))
