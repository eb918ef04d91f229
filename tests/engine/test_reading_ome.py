"""OME-XML is read as XML: the Image whose pixels are read, its Pixels and its units."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungscan.reading.slides import ome as ome_reader
from lungscan.reading.slides.ome import ome_mpp

SIZE = (600, 400)
NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def ome(*images: str, namespace: str = NAMESPACE, root: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{namespace}" {root}>'
        + "".join(f'<Image ID="Image:{i}">{text}</Image>' for i, text in enumerate(images))
        + "</OME>"
    )


def pixels(mpp: float, size: tuple[int, int] = SIZE, inner: str = "") -> str:
    return (
        f'<Pixels SizeX="{size[0]}" SizeY="{size[1]}" PhysicalSizeX="{mpp}" PhysicalSizeY="{mpp}">'
        f"{inner}</Pixels>"
    )


def block(ifd: int | None = None, planes: int | None = None, uuid: str = "") -> str:
    counted = "" if ifd is None else f'IFD="{ifd}"'
    counted += "" if planes is None else f' PlaneCount="{planes}"'
    inner = f'<UUID FileName="x.ome.tif">{uuid}</UUID>' if uuid else ""
    return f"<TiffData {counted}>{inner}</TiffData>"


def sized(attributes: str) -> str:
    return ome(f'<Pixels SizeX="600" SizeY="400" {attributes}/>')


def read(text: str | bytes, page: int = 0) -> tuple[float, float] | None:
    return ome_mpp(text if isinstance(text, bytes) else text.encode(), page, SIZE)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('PhysicalSizeX="0.5" PhysicalSizeY="0.5"', 0.5),
        ("PhysicalSizeX='0.5' PhysicalSizeY='0.5'", 0.5),
        ('PhysicalSizeX="5.0E-1"\nPhysicalSizeY="5.0e-1"', 0.5),
        ('PhysicalSizeX = "0.5"\n\tPhysicalSizeY\n=\n"0.5"', 0.5),
        ('PhysicalSizeX="0.5"', 0.5),
        ('PhysicalSizeX="0.5" PhysicalSizeXUnit="µm" PhysicalSizeY="0.5"', 0.5),
        ('PhysicalSizeX="0.5" PhysicalSizeXUnit="\u03bcm" PhysicalSizeY="0.5"', 0.5),
        ('PhysicalSizeX="0.5" PhysicalSizeXUnit="&#xB5;m" PhysicalSizeY="0.5"', 0.5),
        ('PhysicalSizeX="0.5" PhysicalSizeXUnit="&#181;m" PhysicalSizeY="0.5"', 0.5),
        ('PhysicalSizeX="0.5" PhysicalSizeXUnit="um" PhysicalSizeY="0.5"', 0.5),
        *(
            (
                f'PhysicalSizeXUnit="{unit}"\nPhysicalSizeX="{value}" Type="uint8"\n'
                f'PhysicalSizeYUnit="{unit}" SizeC="3" PhysicalSizeY="{value}"',
                0.5,
            )
            for unit, value in (
                ("nm", "500"),
                ("mm", "0.0005"),
                ("cm", "0.00005"),
                ("m", "5e-7"),
                ("\u00c5", "5000"),
                ("in", "1.968503937007874e-05"),
            )
        ),
        ('PhysicalSizeX="1.0"\nPhysicalSizeXUnit="pixel" PhysicalSizeY="1.0"', None),
        ('PhysicalSizeX="1.0" SizeC="3" PhysicalSizeXUnit="pixel" PhysicalSizeY="1.0"', None),
        (
            'PhysicalSizeX="1" PhysicalSizeXUnit="reference frame" '
            'PhysicalSizeY="1" PhysicalSizeYUnit="reference frame"',
            None,
        ),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="Mm" PhysicalSizeY="1"', None),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="" PhysicalSizeY="1"', None),
        ('PhysicalSizeX="0" PhysicalSizeY="0"', None),
        ('PhysicalSizeX="-0.5" PhysicalSizeY="0.5"', None),
        ('PhysicalSizeX="1.2.3" PhysicalSizeY="x"', None),
        ('PhysicalSizeX="NaN" PhysicalSizeY="INF"', None),
        ("", None),
    ],
)
def test_attributes_and_units(attributes: str, expected: float | None) -> None:
    found = read(sized(attributes))
    assert found == (None if expected is None else pytest.approx((expected, expected), rel=1e-12))


def test_x_and_y_are_kept_apart() -> None:
    found = read(sized('PhysicalSizeY="500" PhysicalSizeYUnit="nm" PhysicalSizeX="0.25"'))
    assert found == (0.25, 0.5)


MACRO = pixels(16.0, (300, 200))


@pytest.mark.parametrize(
    ("text", "page", "expected"),
    [
        (ome(pixels(0.5), MACRO), 0, 0.5),
        (ome(MACRO, pixels(0.5)), 0, 0.5),
        (ome(MACRO, pixels(0.5), pixels(2.0)), 0, 0.5),
        # Two of one size: the page tells.
        (ome(pixels(2.0, inner=block(1)), pixels(0.5, inner=block(0))), 0, 0.5),
        (ome(pixels(2.0, inner=block(1)), pixels(0.5, inner=block(0))), 1, 2.0),
        (ome(pixels(2.0, inner=block(0, 3)), pixels(0.5, inner=block(3))), 2, 2.0),
        (ome(pixels(2.0, inner=block(0, 3)), pixels(0.5, inner=block(3))), 3, 0.5),
        (ome(pixels(2.0, inner=block()), pixels(0.5, inner=block(4))), 4, 0.5),
        (ome(pixels(0.5, inner=block()), pixels(2.0, inner=block(4))), 0, 0.5),
        (ome(pixels(2.0, inner=block(5) + block(6)), pixels(0.5, inner=block(7))), 6, 2.0),
        # Nothing is said of this page, or of a picture of its size.
        (ome(pixels(2.0, inner=block(5))), 0, None),
        (ome(MACRO), 0, None),
        (ome(), 0, None),
    ],
)
def test_the_image_whose_pixels_are_read(text: str, page: int, expected: float | None) -> None:
    assert read(text, page) == (None if expected is None else (expected, expected))


def test_an_image_in_another_file_is_not_this_one() -> None:
    text = ome(
        pixels(2.0, inner=block(0, uuid="urn:uuid:other")),
        pixels(0.5, inner=block(0, uuid="urn:uuid:this")),
        root='UUID="urn:uuid:this"',
    )
    assert read(text) == (0.5, 0.5)


def test_a_companion_file_says_the_scale_and_is_not_here() -> None:
    text = (
        f'<OME xmlns="{NAMESPACE}" UUID="urn:uuid:a"><BinaryOnly '
        'MetadataFile="x.companion.ome" UUID="urn:uuid:b"/></OME>'
    )
    assert read(text) is None


@pytest.mark.parametrize(
    "namespace",
    [
        "http://www.openmicroscopy.org/XMLschemas/OME/FC/ome.xsd",
        "http://www.openmicroscopy.org/Schemas/OME/2008-09",
        "http://www.openmicroscopy.org/Schemas/OME/2015-01",
        NAMESPACE,
    ],
)
def test_every_version_of_the_schema(namespace: str) -> None:
    assert read(ome(pixels(0.5), namespace=namespace)) == (0.5, 0.5)


def test_prefixes_and_the_first_version() -> None:
    prefixed = (
        f'<ome:OME xmlns:ome="{NAMESPACE}"><ome:Image ID="Image:0"><ome:Pixels SizeX="600" '
        'SizeY="400" PhysicalSizeX="0.5" PhysicalSizeY="0.5"/></ome:Image></ome:OME>'
    )
    assert read(prefixed) == (0.5, 0.5)
    first = (
        '<OME xmlns="http://www.openmicroscopy.org/XMLschemas/OME/FC/ome.xsd"><Image '
        'PixelSizeX="0.5" PixelSizeY="0.5"><Pixels SizeX="600" SizeY="400"/></Image></OME>'
    )
    assert read(first) == (0.5, 0.5)


def test_notes_that_look_like_pixels_are_passed_over() -> None:
    note = (
        "<StructuredAnnotations><XMLAnnotation><Value><Image><Pixels "
        'PhysicalSizeX="9" PhysicalSizeY="9"/></Image></Value></XMLAnnotation>'
        '</StructuredAnnotations><!-- <Pixels PhysicalSizeX="8" PhysicalSizeY="8"/> -->'
    )
    text = ome(pixels(0.5)).replace("<Image", note + "<Image", 1)
    assert read(text) == (0.5, 0.5)


def test_encodings() -> None:
    attributes = 'PhysicalSizeX="0.5" PhysicalSizeXUnit="µm" PhysicalSizeY="0.5"'
    text = sized(attributes)
    assert read(text.encode()) == (0.5, 0.5)
    assert read(b"\xef\xbb\xbf" + text.encode()) == (0.5, 0.5)
    assert read(text.replace("UTF-8", "ISO-8859-1").encode("latin-1")) == (0.5, 0.5)
    assert read(text.encode("latin-1")) == (0.5, 0.5)  # says UTF-8 and is not
    assert read(text.replace("UTF-8", "windows-1252").encode("cp1252")) == (0.5, 0.5)
    assert read(text.encode("utf-16")) is None
    # Declared otherwise than written, as .NET's StringWriter does.
    assert read(text.replace("UTF-8", "utf-16").encode()) == (0.5, 0.5)
    assert read(text.replace("UTF-8", "US-ASCII").encode()) == (0.5, 0.5)
    assert read(text.replace("UTF-8", "x-unknown").encode()) == (0.5, 0.5)


def test_what_stands_around_the_document_does_no_harm() -> None:
    text = sized('PhysicalSizeX="0.5" PhysicalSizeY="0.5"').encode()
    assert read(b"\n  " + text) == (0.5, 0.5)
    assert read(text + b"\0SharpTIFF") == (0.5, 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<",
        "plain words",
        "<OME><Image></OME>",
        ome(pixels(0.5))[:-9],
        "<a:OME><Image/></a:OME>",
        ome(pixels(0.5, inner='<TiffData IFD="x"/>')),
        ome(pixels(0.5, inner=f'<TiffData IFD="{"9" * 5000}"/>')),
        "<OME>" * 100_000,
        "<Aperio MPP='0.5'/>",
        "<OME><TiffData><UUID>x</UUID></TiffData></OME>",
    ],
)
def test_broken_text_states_nothing(text: str) -> None:
    assert read(text) is None


def test_documents_that_would_swell_are_refused() -> None:
    lines = ['<!ENTITY a "0.5">']
    lines += [
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    bomb = f"<!DOCTYPE OME [{''.join(lines)}]>" + sized('Name="&i;" PhysicalSizeX="0.5"')[38:]
    outside = '<!DOCTYPE OME SYSTEM "file:///etc/hostname">' + sized('PhysicalSizeX="0.5"')[38:]
    entity = (
        '<!DOCTYPE OME [<!ENTITY x SYSTEM "file:///etc/hostname">]><OME><Image>&x;</Image></OME>'
    )
    for text in (bomb, outside, entity):
        with pytest.raises(ome_reader.Refused):  # before anything is expanded or fetched
            ome_reader.parsed(text.encode(), None)
        assert read(text) is None
    assert read(sized('PhysicalSizeX="0.5"')[38:]) == (0.5, 0.5)  # the same without a DOCTYPE


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_bytes_break_the_reader(noise: bytes, at: int) -> None:
    text = ome(pixels(0.5)).encode()
    found = read(text[:at] + noise + text[at:])
    assert found is None or all(side > 0 for side in found)
