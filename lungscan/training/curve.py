"""Accuracy against coverage as a drawing that a README shows: SVG, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from lungscan.model.shares import percent

WIDTH, HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 24, 30, 44
_STEPS = 5  # between the rules of each axis
_BLUE, _INK, _RULE = "#0072B2", "#333333", "#dddddd"

Point = tuple[float, float, float, float]  # share answered, accuracy, its interval


def draw_coverage(points: Sequence[Point]) -> str:
    """The curve with its 95 % band, and what is right when 95 % are answered.

    Args:
        points: by rising share, two at least.
    """
    least = points[0][0]
    floor = math.floor(20 * min(low for _, _, low, _ in points)) / 20
    floor = min(floor, 0.95)

    def place(share: float, value: float) -> str:
        x = _LEFT + (share - least) / (1 - least) * (WIDTH - _LEFT - _RIGHT)
        y = HEIGHT - _BOTTOM - (value - floor) / (1 - floor) * (HEIGHT - _TOP - _BOTTOM)
        return f"{x:.1f},{y:.1f}"

    band = [place(share, high) for share, _, _, high in points]
    band += [place(share, low) for share, _, low, _ in reversed(points)]
    line = [place(share, accuracy) for share, accuracy, _, _ in points]
    share, accuracy, low, high = min(points, key=lambda point: abs(point[0] - 0.95))
    x, y = place(share, accuracy).split(",")
    right, limits = percent(accuracy), f"{100 * low:.1f} to {100 * high:.1f}"
    text = f"{percent(share, 0)} answered: {right} right ({limits})"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="11" '
        f'fill="{_INK}" role="img">',
        "<title>Accuracy against coverage</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *_ticks(least, floor, place),
        f'<polygon points="{" ".join(band)}" fill="{_BLUE}" fill-opacity="0.15"/>',
        f'<polyline points="{" ".join(line)}" fill="none" stroke="{_BLUE}" stroke-width="1.8"/>',
        f'<circle cx="{x}" cy="{y}" r="3.5" fill="{_BLUE}"/>',
        f'<text x="{_LEFT}" y="18" font-size="12">{text}</text>',
        f'<text x="{(WIDTH + _LEFT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        "Share of fields answered, the most certain first</text>",
        f'<text transform="translate(14 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
        "Right among the answered</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _ticks(least: float, floor: float, place: Callable[[float, float], str]) -> list[str]:
    parts = []
    for step in range(_STEPS + 1):
        value = floor + step * (1 - floor) / _STEPS
        (x, y), (end, _) = place(least, value).split(","), place(1, value).split(",")
        parts.append(f'<path d="M{x} {y}H{end}" stroke="{_RULE}"/>')
        parts.append(
            f'<text x="{_LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end">'
            f"{100 * value:.4g} %</text>"
        )
        share = least + step * (1 - least) / _STEPS
        x, y = place(share, floor).split(",")
        parts.append(
            f'<text x="{x}" y="{float(y) + 16:.1f}" text-anchor="middle">{100 * share:.3g} %</text>'
        )
    return parts
