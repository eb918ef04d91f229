"""Which slices of a series belong together, and in which order they lie.

File names and instance numbers order nothing: slices are sorted by where they lie along their
normal (DICOM PS3.3, C.7.6.2.1.1). What does not belong to the stack is left out and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lungscan.errors import Code, UnreadableFile
from lungscan.reading.ct.headers import Slice

AXIAL = 0.8  # of the normal's length along the body's axis: within 37 degrees; tilted gantries too
_SAME_MM = 0.01  # closer slices lie in the same place
_UNEVEN = 0.05  # of the usual distance
_PLANES = ("sagittal", "coronal", "axial")  # by the patient's axis that the normal follows

# What is left out, as flags say it.
LOCALIZERS, OTHER_PLANES = "localizers_left_out", "other_planes_left_out"
OTHER_SIZES, DUPLICATES = "other_sizes_left_out", "duplicates_left_out"
UNREADABLE = "slices_unreadable"
MISSING, UNEVEN, UNKNOWN = "slices_missing", "spacing_uneven", "positions_unknown"


@dataclass(frozen=True)
class Stack:
    """The slices of a series that lie over each other, along their normal."""

    slices: tuple[Slice, ...]
    positions_mm: tuple[float, ...] | None  # along the normal, rising; None: nobody says
    spacing_mm: float | None  # the usual distance
    left_out: tuple[tuple[str, int], ...]  # what, and how many
    flags: tuple[str, ...]


def stack_of(slices: Sequence[Slice], unreadable: int = 0) -> Stack:
    """Select and order the slices of a series.

    Args:
        slices: all that its files hold, in any order.
        unreadable: how many files could not be read.

    Raises:
        UnreadableFile: none shows the axial plane (E_PLANE).
    """
    left_out: Counter[str] = Counter({UNREADABLE: unreadable} if unreadable else {})
    kept = _without(slices, lambda one: not one.localizer, left_out, LOCALIZERS)
    axial = _without(kept, _is_axial, left_out, OTHER_PLANES)
    if not axial:
        raise _no_axial(kept)
    known = [one for one in axial if one.position_mm and one.orientation]
    if len(known) == len(axial):  # one tilt, or places along the normal mean nothing
        axial = _commonest(axial, _direction, left_out, OTHER_PLANES)
    axial = _commonest(axial, lambda one: (one.rows, one.columns), left_out, OTHER_SIZES)
    if len(known) < len(kept) and not all(one.position_mm and one.orientation for one in axial):
        return _by_number(axial, left_out)
    return _by_place(axial, left_out)


def _without(
    slices: Sequence[Slice], keep: Callable[[Slice], bool], left_out: Counter[str], what: str
) -> list[Slice]:
    kept = [one for one in slices if keep(one)]
    if len(kept) < len(slices):
        left_out[what] += len(slices) - len(kept)
    return kept


def _commonest(
    slices: Sequence[Slice],
    key: Callable[[Slice], tuple[float, ...]],
    left_out: Counter[str],
    what: str,
) -> list[Slice]:
    """Those with the commonest value; of equally common ones the first."""
    ((value, _),) = Counter(map(key, slices)).most_common(1)
    return _without(slices, lambda one: key(one) == value, left_out, what)


def _normal(one: Slice) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    if one.orientation is None:
        return None
    normal = np.cross(one.orientation[:3], one.orientation[3:])
    length = float(np.linalg.norm(normal))
    return normal / length if length > 0.5 else None


def _direction(one: Slice) -> tuple[float, ...]:
    return tuple(round(value, 2) + 0.0 for value in one.orientation or ())


def _is_axial(one: Slice) -> bool:
    """Whether it lies across the body; a slice that does not say counts as such."""
    normal = _normal(one)
    return normal is None or abs(float(normal[2])) >= AXIAL


def _no_axial(slices: Sequence[Slice]) -> UnreadableFile:
    if not slices:
        return UnreadableFile(
            "The series holds localizers only (overviews by which slices are planned). Choose the "
            "series of axial slices.",
            code=Code.PLANE,
        )
    normal = _normal(slices[0])
    plane = _PLANES[int(np.abs(normal).argmax())] if normal is not None else "another"
    plane = "an oblique" if plane == "axial" else f"the {plane}"
    return UnreadableFile(
        f"The series shows {plane} plane; this model judges axial slices. Choose the axial series.",
        code=Code.PLANE,
    )


def _by_number(slices: Sequence[Slice], left_out: Counter[str]) -> Stack:
    """In the scanner's order, where some slice does not say where it lies."""
    slices = _without_copies(slices, left_out)
    ordered = sorted(slices, key=lambda one: (one.number, one.path.name, one.frame or 0))
    flags = (UNKNOWN,) if len(ordered) > 1 else ()
    return Stack(tuple(ordered), None, None, tuple(left_out.items()), (*left_out, *flags))


def _by_place(slices: Sequence[Slice], left_out: Counter[str]) -> Stack:
    slices = _without_copies(slices, left_out)
    normal = _normal(slices[0])
    if normal is None:  # an orientation without a direction
        return _by_number(slices, left_out)
    along = {one: float(np.dot(one.position_mm or (0, 0, 0), normal)) for one in slices}
    if len(slices) > 1 and max(along.values()) - min(along.values()) < _SAME_MM:
        return _by_number(slices, left_out)  # one place for all says nothing
    ordered = sorted(slices, key=lambda one: (along[one], one.number, one.path.name))
    stack: list[Slice] = []
    for one in ordered:
        if stack and along[one] - along[stack[-1]] < _SAME_MM:
            left_out[DUPLICATES] += 1
        else:
            stack.append(one)
    positions = tuple(round(along[one], 3) for one in stack)
    spacing, flags = _distances(positions)
    return Stack(tuple(stack), positions, spacing, tuple(left_out.items()), (*left_out, *flags))


def _without_copies(slices: Sequence[Slice], left_out: Counter[str]) -> list[Slice]:
    """One of each instance, the first by its name."""
    seen: dict[str, Slice] = {}
    for one in slices:
        seen.setdefault(one.uid, one)
    if len(seen) < len(slices):
        left_out[DUPLICATES] += len(slices) - len(seen)
    return list(seen.values())


def _distances(positions: Sequence[float]) -> tuple[float | None, tuple[str, ...]]:
    """The usual distance of neighbours, and what is wrong with the others."""
    if len(positions) < 2:
        return None, ()
    steps = np.diff(positions)
    usual = float(np.median(steps))
    flags = []
    if (np.rint(steps / usual) >= 2).any():
        flags.append(MISSING)
    if (np.abs(steps - usual) > max(_UNEVEN * usual, 2 * _SAME_MM)).any():
        flags.append(UNEVEN)
    return round(usual, 3), tuple(flags)
