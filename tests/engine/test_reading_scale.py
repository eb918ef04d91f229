"""The scale comes from the file, the objective or the user, in that order; never from a guess."""

import pytest
from hypothesis import given
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
        ("0.50", "0.52", None, None, 0.51, FILE, ()),
        ("0.50", "0.60", None, None, 0.55, FILE, ("mpp_xy_differ",)),
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
