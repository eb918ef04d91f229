"""How large is a pixel? From the file, else the objective, else the user; never guessed."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from lungscan.errors import Code, NoScale
from lungscan.options import MAX_MPP_UM, MIN_MPP_UM
from lungscan.types import MppSource, Scale

_TOLERANCE = 0.05  # 5 %: more than any scanner's calibration moves
_SQUARE = 0.01  # sides that differ by less were measured so: the pixel counts as a square

_CURE = "Give the pixel size (--mpp; usual: 0.25 µm for a 40x objective, 0.5 for 20x)."


def number(text: str | None) -> float | None:
    """Read a positive, finite number with a decimal point or comma; None when it is not one."""
    try:
        value = float((text or "").strip().replace(",", ".", 1))
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def slide_scale(
    mpp_x: str | None, mpp_y: str | None, power: str | None, user: float | None
) -> Scale:
    """Settle the scale of a slide from its metadata and the user's ``--mpp``.

    The order is file, objective (10 µm divided by its power), user: ``--mpp`` is for images that
    do not say, and one value for a whole folder must not overrule scanners that measured theirs.
    Where it differs from the file by over 5 %, the flag ``mpp_option_differs`` says so.

    Raises:
        NoScale: nothing usable is known (E_NO_MPP), or only something absurd (E_BAD_MPP).
    """
    given = _checked_user(user)
    x, y = number(mpp_x), number(mpp_y)
    stated = [value for value in (x, y) if value is not None]
    absurd = [value for value in stated if not plausible(value)]
    flags: tuple[str, ...] = ("mpp_absurd",) if absurd else ()
    if stated and not absurd:
        return _compared(_from_file(stated[0], stated[-1], flags), given)
    objective = number(power)
    if objective is not None and plausible(10 / objective):
        return _compared(Scale(10 / objective, MppSource.OBJECTIVE, flags), given)
    if given is not None:
        return Scale(given, MppSource.USER, flags)
    if absurd:
        raise NoScale(
            f"This slide says that a pixel measures {absurd[0]:g} µm, which cannot be. {_CURE}",
            code=Code.BAD_MPP,
        )
    raise NoScale(f"This slide does not say how large a pixel is. {_CURE}")


def field_scale(tiff_mpp: tuple[float, float] | None, user: float | None) -> Scale:
    """Settle the scale of a field image.

    ``tiff_mpp`` is µm per pixel (x, y) that a TIFF states, else None; an absurd one is flagged.

    Raises:
        NoScale: the user's value is absurd (E_BAD_MPP).
    """
    given = _checked_user(user)
    if tiff_mpp is not None and all(plausible(v) for v in tiff_mpp):
        return _compared(_from_file(*tiff_mpp, ()), given)
    absurd = ("mpp_absurd",) if tiff_mpp is not None else ()
    if given is not None:
        return Scale(given, MppSource.USER, absurd)
    return Scale(None, MppSource.UNKNOWN, (*absurd, "scale_unknown"))


def _from_file(x: float, y: float, flags: tuple[str, ...]) -> Scale:
    """The scale of a file whose pixels measure ``x`` by ``y`` µm."""
    if _differ(x, y):
        flags += ("mpp_xy_differ",)
    if _differ(x, y, _SQUARE):
        return Scale(sqrt(x * y), MppSource.FILE, flags, (x, y))
    return Scale((x + y) / 2, MppSource.FILE, flags)


def _checked_user(value: float | None) -> float | None:
    if value is not None and not plausible(value):
        raise NoScale(
            f"A pixel size of {value:g} µm (--mpp) is outside {MIN_MPP_UM} to {MAX_MPP_UM:g} µm. "
            f"{_CURE}",
            code=Code.BAD_MPP,
        )
    return value


def _compared(scale: Scale, given: float | None) -> Scale:
    if given is None or scale.mpp_um is None or not _differ(scale.mpp_um, given):
        return scale
    return replace(scale, flags=(*scale.flags, "mpp_option_differs"))


def plausible(mpp_um: float) -> bool:
    """Whether a pixel under a microscope can measure so much."""
    return MIN_MPP_UM <= mpp_um <= MAX_MPP_UM


def _differ(first: float, second: float, tolerance: float = _TOLERANCE) -> bool:
    return abs(first - second) > tolerance * max(first, second)
