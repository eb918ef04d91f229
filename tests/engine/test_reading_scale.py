"""The scale comes from the file, the objective or the user, in that order; never from a guess."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungscan.errors import NoScale
from lungscan.reading.scale import field_scale, number, slide_scale
from lungscan.types import MppSource

FILE, OBJECTIVE, USER = MppSource.FILE, MppSource.OBJECTIVE, MppSource.USER


@pytest.mark.parametrize(
    ("x", "y", "power", "user", "mpp", "source", "flags"),
    [
        ("0.5", "0.5", "20", None, 0.5, FILE, ()),
        ("0,5000", "0,5000", None, None, 0.5, FILE, ()),
        ("0.5", None, None, None, 0.5, FILE, ()),
        ("0.2526", "0.2527", None, None, 0.25265, FILE, ()),  # a square, measured
        ("0.50", "0.52", None, None, 0.26**0.5, FILE, ()),
        ("0.50", "0.60", None, None, 0.3**0.5, FILE, ("mpp_xy_differ",)),
        ("0.25", "1", None, None, 0.5, FILE, ("mpp_xy_differ",)),
        (None, None, "40", None, 0.25, OBJECTIVE, ()),
        (None, None, "20", 0.9, 0.5, OBJECTIVE, ("mpp_option_differs",)),
        ("352.8", "352.8", "20", None, 0.5, OBJECTIVE, ("mpp_absurd",)),
        ("352.8", "352.8", None, 0.25, 0.25, USER, ("mpp_absurd",)),
        ("0.01", "0.5", None, 0.25, 0.25, USER, ("mpp_absurd",)),
        (None, None, None, 0.25, 0.25, USER, ()),
        ("0.5", "0.5", "20", 0.51, 0.5, FILE, ()),
        ("0.5", "0.5", "20", 0.25, 0.5, FILE, ("mpp_option_differs",)),
        ("0", "nan", "20", None, 0.5, OBJECTIVE, ()),
        ("abc", "", "-20", 0.3, 0.3, USER, ()),
    ],
)
def test_order_and_flags_for_slides(x, y, power, user, mpp, source, flags) -> None:
    scale = slide_scale(x, y, power, user)
    assert scale.mpp_um == pytest.approx(mpp)
    assert (scale.source, scale.flags) == (source, flags)


@pytest.mark.parametrize(
    ("x", "power", "user", "code"),
    [
        (None, None, None, "E_NO_MPP"),
        ("inf", "0", None, "E_NO_MPP"),
        ("352.8", None, None, "E_BAD_MPP"),
        (None, "4000", None, "E_NO_MPP"),
        ("0.5", "20", 50.0, "E_BAD_MPP"),
    ],
)
def test_refusals_carry_the_cure(x, power, user, code) -> None:
    with pytest.raises(NoScale, match="--mpp") as caught:
        slide_scale(x, x, power, user)
    assert caught.value.code == code


@given(st.text(max_size=12))
def test_no_text_breaks_the_number(text: str) -> None:
    value = number(text)
    assert value is None or 0 < value < float("inf")


def test_fields_never_refuse_for_want_of_a_scale() -> None:
    unknown = field_scale(None, None)
    assert (unknown.mpp_um, unknown.flags) == (None, ("scale_unknown",))
    assert field_scale(None, 0.25).source is USER
    assert field_scale((0.5, 0.5), None).source is FILE
    assert field_scale((0.5, 0.5), 0.25).flags == ("mpp_option_differs",)
    assert field_scale((84.6, 84.6), None).mpp_um is None
    with pytest.raises(NoScale):
        field_scale(None, 0.0)


@pytest.mark.parametrize(
    ("x", "y", "sides"),
    [
        (0.5, 0.5, None),
        (0.2526, 0.2527, None),
        (0.4564, 0.4551, None),
        (0.25, 0.26, (0.25, 0.26)),
        (0.25, 0.5, (0.25, 0.5)),
    ],
)
def test_a_pixel_that_is_no_square_keeps_its_sides(x, y, sides) -> None:
    for scale in (field_scale((x, y), None), slide_scale(str(x), str(y), None, None)):
        assert scale.mpp_xy_um == sides
        assert (scale.x_um, scale.y_um) == (sides or (scale.mpp_um, scale.mpp_um))
        assert scale.stretch == (x / y if sides else 1)
        assert scale.mpp_um**2 == pytest.approx(x * y, rel=1e-4)  # a pixel's area


@settings(deadline=None)
@given(st.floats(0.05, 10.0))
def test_a_square_s_side_is_the_stated_number_to_the_last_bit(side: float) -> None:
    assert field_scale((side, side), None).mpp_um == side
    assert slide_scale(repr(side), repr(side), None, None).mpp_um == side


def test_the_user_s_value_is_both_sides() -> None:
    scale = field_scale(None, 0.25)
    assert (scale.x_um, scale.y_um, scale.mpp_xy_um) == (0.25, 0.25, None)
