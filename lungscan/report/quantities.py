"""Numbers with their units, as every report writes them."""

from __future__ import annotations

import math

from lungscan.types import FileResult, MppSource, SeriesInfo, SourceInfo

_MPP_SOURCES = {
    MppSource.FILE: "from the file",
    MppSource.OBJECTIVE: "from the objective power",
    MppSource.USER: "given by the user",
    MppSource.UNKNOWN: "unknown",
}


def probability(value: float | None) -> str:
    """Two decimals, never a flat 0 or 1: no model is that sure."""
    if value is None or math.isnan(value):
        return "–"
    if value >= 0.995:
        return "> 0.99"
    return "< 0.01" if value < 0.005 else f"{value:.2f}"


def percent(share: float) -> str:
    """A share as whole per cent, without rounding something to nothing."""
    if math.isnan(share):
        return "–"
    return "< 1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def area(mm2: float | None) -> str:
    """An area in mm² with a precision that fits its size."""
    if mm2 is None or math.isnan(mm2):
        return "–"
    return f"{mm2:,.1f}" if mm2 >= 100 else f"{mm2:.2f}" if mm2 >= 0.1 else f"{mm2:.3f}"


def pixel_size(file: FileResult) -> str:
    """``0.2525 µm, from the file``, ``0.25 × 0.5 µm, ...`` (no square) or ``scale unknown``."""
    scale = file.info.scale
    if scale.mpp_um is None:
        return "scale unknown"
    if file.info.series is not None:
        return f"{scale.mpp_um / 1000:.3g} mm, {_MPP_SOURCES[scale.source]}"
    sides = " × ".join(f"{side:.4g}" for side in scale.mpp_xy_um or (scale.mpp_um,))
    return f"{sides} µm, {_MPP_SOURCES[scale.source]}"


def size_of(info: SourceInfo) -> str:
    """``512 × 512 px`` of a picture, or of a slice of a series."""
    if info.series is not None:
        return f"{info.series.side_px:,} × {info.series.side_px:,} px"
    return f"{info.width:,} × {info.height:,} px"


def slices_of(series: SeriesInfo) -> str:
    """``24, 1.25 mm apart``."""
    if series.spacing_mm is None:
        return f"{series.slices:,}"
    return f"{series.slices:,}, {series.spacing_mm:g} mm apart"


def window_of(series: SeriesInfo) -> str:
    """``level -500, width 1500 HU``."""
    level, width = series.window
    return f"level {level:g}, width {width:g} HU"


def place_of(info: SourceInfo, x: int, y: int) -> str:
    """Where a tile lies: its corner, or its number among the slices and the place of that."""
    series = info.series
    if series is None:
        return f"x {x:,}, y {y:,}"
    index = series.index_at(x, y)
    where = f", {series.positions_mm[index]:.1f} mm" if series.positions_mm else ""
    return f"{index + 1:,} of {series.slices:,}{where}"


def objective(file: FileResult) -> str:
    """``40x``, or a dash."""
    power = file.info.objective_power
    return "–" if power is None else f"{power:g}x"


def moment(iso: str) -> str:
    """``2026-03-04 10:15 UTC`` from an ISO 8601 time in UTC."""
    return f"{iso[:10]} {iso[11:16]} UTC" if len(iso) >= 16 else iso


def duration(seconds: float) -> str:
    """``850 ms``, ``12.3 s``, ``4 min 05 s`` or ``2 h 10 min``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left:02} min" if hours else f"{minutes} min {rest:02} s"
