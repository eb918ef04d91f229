"""What an audit says of shapes, scales and sizes: how a network will see the pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from math import ceil, gcd

from lungscan.dataset.listing import Listing
from lungscan.opening.plan import LEAST_FIELD

TITLE = "How a network will see the pictures"
STANDARD_INPUT_PX = 192  # side of the network's input in the standard recipe
LEAST_PX = ceil(STANDARD_INPUT_PX * LEAST_FIELD)

_KINDS = 4  # of shapes or scales named with their counts
_NAMES = 5  # of pictures that differ from most

Facts = list[tuple[str, str]]
Size = tuple[int, int]


def too_small(listing: Listing) -> tuple[int, ...]:
    """Rows of the pictures that a network of the standard input refuses."""
    return tuple(row for row, size in enumerate(listing.sizes or ()) if min(size) < LEAST_PX)


def shape_facts(listing: Listing) -> Facts:
    """Shapes, scales and sizes; those that differ are named, with what training makes of them."""
    sizes, scales = listing.sizes or (), listing.scales or ()
    shapes = [shape(size) for size in sizes]
    texts = [scale(mpp) for mpp in scales]
    facts = [("Shapes", _counted(shapes)), ("Scales stated", _counted(texts))]
    if odd := _unlike_most(shapes):
        facts.append(("Of another shape than most", _named(listing, odd, _size_of(sizes))))
    if odd := _unlike_most(texts):
        facts.append(("Of another scale than most", _named(listing, odd, texts)))
    if small := too_small(listing):
        why = (
            f"; below {LEAST_PX} px a side a network with an input of {STANDARD_INPUT_PX} px has "
            "nothing to judge: training leaves them out, classification refuses them"
        )
        facts.append(("Too small", _named(listing, small, _size_of(sizes)) + why))
    facts += [("Note", sentence) for sentence in _consequences(sizes, texts)]
    return facts


def shape(size: Size) -> str:
    """``square``, or the two sides in small numbers: ``2:1``, ``3:4``, else about ``1.37:1``."""
    width, height = size
    if width == height:
        return "square"
    common = gcd(width, height)
    across, down = width // common, height // common
    if max(across, down) <= 20:
        return f"{across}:{down}"
    return f"{width / height:.2f}:1" if width > height else f"1:{height / width:.2f}"


def scale(mpp_um: float | None) -> str:
    """``0.25 µm/px``, or ``none``."""
    return "none" if mpp_um is None else f"{mpp_um:.3g} µm/px"


def _consequences(sizes: Sequence[Size], scales: Sequence[str]) -> list[str]:
    found = []
    if any(width != height for width, height in sizes):
        found.append(
            "A picture that is not square becomes several squares; each picture counts once in "
            "training, however many squares it has."
        )
    stated = set(scales) - {"none"}
    if len(stated) > 1:
        found.append(
            "Pictures state different scales; each is cut so that the network sees the same µm."
        )
    if stated and "none" in scales:
        found.append(
            "Some pictures state a scale and some do not: those that do not are taken whole, at "
            "whatever scale they have. Save all with their scale, or none."
        )
    return found


def _counted(values: Sequence[str]) -> str:
    counts = Counter(values).most_common()
    texts = [f"{value} ({count:,})" for value, count in counts[:_KINDS]]
    if len(counts) > _KINDS:
        texts.append(f"{len(counts) - _KINDS:,} others")
    return ", ".join(texts)


def _unlike_most(values: Sequence[Hashable]) -> tuple[int, ...]:
    if not values:
        return ()
    ((usual, _),) = Counter(values).most_common(1)
    return tuple(row for row, value in enumerate(values) if value != usual)


def _size_of(sizes: Sequence[Size]) -> list[str]:
    return [f"{width} × {height} px" for width, height in sizes]


def _named(listing: Listing, rows: Sequence[int], about: Sequence[str]) -> str:
    texts = ", ".join(f"{listing.names[row]} ({about[row]})" for row in rows[:_NAMES])
    more = len(rows) - _NAMES
    return f"{texts} and {more:,} more" if more > 0 else texts
