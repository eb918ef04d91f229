"""Planted patient data: what stands in the files must stand in no output, log or leftover."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pypdf
import tifffile
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from attacks.base import Bench, Line, execute, rows
from tests.drawing import draw_he, truncate, write_svs

NEON = (8, 250, 4)  # of the label and macro pictures; nothing else here is of this colour
_NEAR = 40  # what JPEG makes of it
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{64,}={0,2}")
_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\n?endstream", re.DOTALL)
_BAD = ("found in an output or log", "label or macro pictures found", "runs that failed")


@dataclass
class Planted:
    """Identifiers by where they stand; each is a word that occurs nowhere else."""

    words: dict[str, str] = field(default_factory=dict)

    def word(self, place: str) -> str:
        """Make an identifier for a place."""
        self.words[place] = f"Zq{len(self.words):02d}Patient{len(self.words) * 7919 % 9973:04d}"
        return self.words[place]


def attack(bench: Bench) -> list[Line]:
    """Classify files full of identifiers, with every report, and search all that is left.

    Then again with identifiers in the names of files, folders and cases as well, which only
    ``--deidentify`` hides.
    """
    with bench.folder("privacy") as folder:
        planted = Planted()
        _plant(folder / "in", planted)
        inside = _judged("planted patient identifiers", bench, folder / "in", folder, planted)
    return [inside, in_names(bench, "--deidentify")]


def in_names(bench: Bench, *more: str) -> Line:
    """Identifiers inside the files and in all names; ``more`` are options."""
    with bench.folder("privacy-names") as folder:
        planted = Planted()
        _plant(folder / "in", planted)
        manifest = _name(folder, planted)
        (given,) = (folder / "in").iterdir()
        name, options = "planted identifiers, in names too", ("--cases", manifest, *more)
        return _judged(name, bench, given, folder, planted, *options)


def _judged(
    name: str, bench: Bench, given: Path, work: Path, planted: Planted, *more: object
) -> Line:
    """Classify all in ``given`` and search outputs, logs and temporary files."""
    bad = dict.fromkeys(_BAD, 0)
    home, out = work / "home", work / "out"
    for part in ("tmp", "cache"):
        (home / part).mkdir(parents=True)
    env = {
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "LUNGSCAN_DEBUG": "1",
    }
    command = bench.command(out, given, "--pdf", "cases", "--json", *more)
    command.remove("--quiet")
    done = execute(command, timeout=600, **env)
    (home / "terminal.txt").write_text(done.out + done.err, encoding="utf-8")
    bad["runs that failed"] += done.crashed or done.code not in (0, 1) or not rows(out)
    left = [path for part in (out, home) for path in part.rglob("*")]
    (home / "names.txt").write_text("\n".join(map(str, left)), encoding="utf-8", errors="replace")
    left.append(home / "names.txt")
    found, labels, searched = search([path for path in left if path.is_file()], planted)
    bad["found in an output or log"] = len(found)
    bad["label or macro pictures found"] = labels
    detail = f"{len(planted.words)} places; {searched} files, logs and embedded streams searched"
    if found:
        detail += f"; found: {'; '.join(sorted(found)[:10])}"
    return Line(name, len(planted.words), bad, detail)


# Planting -----------------------------------------------------------------------------------------


def _plant(folder: Path, planted: Planted) -> None:
    folder.mkdir(parents=True)
    for plant in (_slides, _tags, _jpeg, _png, _webp, _dicom):
        plant(folder, planted)


def _name(folder: Path, planted: Planted) -> Path:
    """Give every file below ``folder / "in"`` an identifier for a name, in folders that have one.

    A manifest joins some of them; its own name and its cases are identifiers too. It is returned.
    """
    word = planted.word
    deep = folder / "in" / word("folder given") / word("folder below")
    deep.mkdir(parents=True)
    for path in [path for path in (folder / "in").iterdir() if path.is_file()]:
        path.rename(deep / f"{word(f'name of {path.name}')}{path.suffix}")
    for name, data in (("letter.docx", b"x"), ("empty.png", b""), (".hidden.png", b"x")):
        prefix = name[0] if name.startswith(".") else ""
        (deep / f"{prefix}{word(f'name of {name}')}{Path(name).suffix}").write_bytes(data)
    (deep / f"{word('name of a broken link')}.png").symlink_to(deep / word("target of a link"))
    cases = {word("case of fields"): ("*.jpg", "*.tif"), word("case of slides"): ("*.svs",)}
    files = (
        (case, path) for case, kinds in cases.items() for kind in kinds for path in deep.glob(kind)
    )
    lines = [f"{path},{case}" for case, path in files]
    manifest = folder / f"{word('name of the manifest')}.csv"
    manifest.write_text("\n".join(["file,case", *lines]), encoding="utf-8")
    return manifest


def _slides(folder: Path, planted: Planted) -> None:
    word = planted.word
    label = np.full((120, 160, 3), NEON, np.uint8)
    rgb = draw_he(512, 512)
    secrets = "|".join(
        f"{key} = {word(f'SVS {key}')}"
        for key in ("Filename", "User", "Title", "Date", "ImageID", "Patient", "Barcode", "Rack")
    )
    slide = write_svs(
        folder / "slide.svs", rgb, tile=64, label=label, macro=label, patient=f"x|{secrets}"
    )
    for share in (0.3, 0.6, 0.95):  # messages about damage must not repeat the header either
        truncate(_copy(slide, folder / f"cut-{share:.0%}.svs"), share)
    # In the place of a number, because a message could repeat what it cannot read.
    write_svs(folder / "scale.svs", rgb, mpp=word("SVS MPP"), power=None, tile=64)


def _copy(source: Path, target: Path) -> Path:
    target.write_bytes(source.read_bytes())
    return target


def _tags(folder: Path, planted: Planted) -> None:
    """Free texts of TIFF; 269 DocumentName, 315 Artist, 316 HostComputer and others."""
    tags = {"DocumentName": 269, "PageName": 285, "Artist": 315, "HostComputer": 316}
    tags |= {"Copyright": 33432, "Software": 305, "ImageDescription": 270, "private tag": 65001}
    extra = [(code, "s", 0, planted.word(f"TIFF {name}"), True) for name, code in tags.items()]
    with tifffile.TiffWriter(folder / "field.tif") as tiff:
        tiff.write(
            draw_he(128, 128), photometric="rgb", extratags=extra, metadata=None, software=False
        )


def _jpeg(folder: Path, planted: Planted) -> None:
    image = Image.fromarray(draw_he(128, 128, 1))
    exif = Image.Exif()
    exif[0x013B] = planted.word("EXIF Artist")
    exif[0x010E] = planted.word("EXIF ImageDescription")
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + planted.word("EXIF UserComment").encode()
    exif.get_ifd(0x8769)[0xA431] = planted.word("EXIF BodySerialNumber")
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{planted.word('XMP')}</x:xmpmeta>".encode()
    comment = planted.word("JPEG comment").encode()
    image.save(folder / "field.jpg", exif=exif, xmp=xmp, comment=comment)


def _png(folder: Path, planted: Planted) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Patient", planted.word("PNG tEXt"))
    texts.add_text("Author", planted.word("PNG zTXt"), zip=True)
    texts.add_itxt("Comment", planted.word("PNG iTXt"))
    Image.fromarray(draw_he(128, 128, 2)).save(folder / "field.png", pnginfo=texts)


def _webp(folder: Path, planted: Planted) -> None:
    exif = Image.Exif()
    exif[0x010E] = planted.word("WebP EXIF")
    Image.fromarray(draw_he(128, 128, 3)).save(folder / "field.webp", exif=exif)


def _dicom(folder: Path, planted: Planted) -> None:
    """A file that is DICOM by its head alone: name and number of a patient, then no pixels."""
    name, number = (planted.word(f"DICOM {tag}").encode() for tag in ("PatientName", "PatientID"))
    name, number = (text + b" " * (len(text) % 2) for text in (name, number))
    parts = [_element(0x10, 0x10, b"PN", name), _element(0x10, 0x20, b"LO", number)]
    syntax = _element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1\0")
    meta = _element(2, 0, b"UL", struct.pack("<I", len(syntax))) + syntax
    (folder / "slide.dcm").write_bytes(bytes(128) + b"DICM" + meta + b"".join(parts))


def _element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", group, number, kind, len(value)) + value


# Searching ----------------------------------------------------------------------------------------


def search(paths: list[Path], planted: Planted) -> tuple[set[str], int, int]:
    """Which identifiers stand in which files, how many pictures show a label, what was searched."""
    words = {
        word.lower().encode(encoding): place
        for place, word in planted.words.items()
        for encoding in _ENCODINGS
    }
    found: set[str] = set()
    labels = searched = 0
    for path in paths:
        for content in unpacked(path.read_bytes()):
            searched += 1
            lowered = content.lower()
            found |= {f"{place} in {path.name}" for word, place in words.items() if word in lowered}
            labels += _shows_label(content)
    return found, labels, searched


def unpacked(data: bytes) -> Iterator[bytes]:
    """The bytes of a file, and of all that is packed in it: PDF streams, base64, deflate, texts."""
    yield data
    yield from _json_texts(data)
    yield from _picture_texts(data)
    yield from _pdf_texts(data)
    for part in (*_pdf_streams(data), *_base64_parts(data)):
        yield from unpacked(part)


def _pdf_texts(data: bytes) -> Iterator[bytes]:
    """What people read in a PDF; in its streams stand only the numbers of an embedded font."""
    if data.startswith(b"%PDF"):
        reader = pypdf.PdfReader(io.BytesIO(data))
        texts = [page.extract_text() for page in reader.pages]
        yield "\n".join([*texts, repr(reader.metadata)]).encode("utf-8", "backslashreplace")


def _pdf_streams(data: bytes) -> Iterator[bytes]:
    if not data.startswith(b"%PDF"):
        return
    for found in _STREAM.finditer(data):
        yield from _decodings(found[1])


def _decodings(stream: bytes) -> Iterator[bytes]:
    """A PDF stream as it stands, and through the filters that ReportLab uses."""
    yield stream
    layers = [stream]
    with suppress(ValueError):
        layers.append(base64.a85decode(stream.strip().removesuffix(b"~>")))
        yield layers[1]
    for layer in layers:
        with suppress(zlib.error):
            yield zlib.decompress(layer)


def _base64_parts(data: bytes) -> Iterator[bytes]:
    for found in _BASE64.finditer(data):
        try:
            yield base64.b64decode(found[0], validate=True)
        except binascii.Error:
            continue


def _picture_texts(data: bytes) -> Iterator[bytes]:
    """Everything that Pillow finds beside the pixels of a picture."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            yield repr((image.info, dict(image.getexif()))).encode("utf-8", "backslashreplace")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return


def _json_texts(data: bytes) -> Iterator[bytes]:
    """The texts of a JSON file with its escapes resolved."""
    if data[:1] not in b"{[" or not data:
        return
    try:
        yield json.dumps(json.loads(data), ensure_ascii=False).encode("utf-8", "backslashreplace")
    except (ValueError, RecursionError):
        return


def _shows_label(content: bytes) -> bool:
    """Whether a picture holds the colour of the label."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            rgb = np.asarray(image.convert("RGB"), np.int16)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return False
    return bool((np.abs(rgb - NEON).max(-1) <= _NEAR).any())
