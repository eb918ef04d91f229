"""Hostile files given to the page: pictures that are none, names, archives, bombs."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from attacks.page_client import Answer, Site

Judge = Callable[[Site, Answer], str]
Files = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class HostileFile:
    """Files, and what must become of them; ``judge`` says what went wrong, or ""."""

    name: str
    files: Files
    judge: Judge

    @property
    def asks_the_engine(self) -> bool:
        """Whether a job comes of it."""
        return self.judge is not _refused


def files(picture: bytes) -> Iterator[HostileFile]:
    """All of them; ``picture`` is an honest one."""
    yield from _disguised()
    yield from _named(picture)
    yield from _archives(picture)


def _refused(_: Site, answer: Answer) -> str:
    return "" if answer.status in (413, 422) else f"status {answer.status}"


def _no_answer(site: Site, answer: Answer) -> str:
    """Taken, but every case failed or was left out, in words; nothing is shown of it."""
    state = site.until_ended(str(answer.data.get("job"))) if answer.status == 201 else {}
    if state.get("state") == "failed":
        return "" if state.get("message") else "it failed without a word"
    cases = state.get("cases")
    if state.get("state") != "finished" or not isinstance(cases, list):
        return f"{answer.status}, {state.get('state')}"
    return "" if all(c["status"] in ("failed", "skipped") for c in cases) else f"answered: {cases}"


def _harmless(site: Site, answer: Answer) -> str:
    """Taken and answered: the name is only ever text, and no header bears it."""
    if answer.status != 201:
        return f"status {answer.status}"
    job = str(answer.data["job"])
    site.until_ended(job)
    shown = [site.ask("GET", f"/api/jobs/{job}{more}") for more in ("", "/cases/1")]
    shown.append(site.ask("GET", f"/results/{job}"))
    taken = site.ask("GET", f"/api/jobs/{job}/cases/1/files/report.pdf")
    if any(a.status != 200 for a in (*shown, taken)):
        return f"{[a.status for a in (*shown, taken)]}"
    if not all(a.headers["content-type"].startswith("application/json") for a in shown[:2]):
        return "its name is shown as something else than data"
    if any(b"onerror" in a.body or b"<script>alert" in a.body for a in shown[2:]):
        return "its name is in the page as markup"
    known = {"attachment", "filename"}
    disposition = taken.headers["content-disposition"]
    odd = [c for c in disposition if not (c.isascii() and c.isprintable())]
    return "" if not odd and disposition.split(";")[0] in known else f"header {disposition!r}"


def _disguised() -> Iterator[HostileFile]:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">'
    svg += b'<image href="/etc/passwd"/></svg>'
    html = b"<!doctype html><script>alert(1)</script>"
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n"
    for name, data in (
        ("x.svg", svg),
        ("x.png", svg),
        ("x.html", html),
        ("x.jpg", html),
        ("x.tif", eps),
        ("x.png", b"#!/bin/sh\ntouch /tmp/x\n"),
        ("x.bmp", b"GIF89a/*" + html + b"*/=1;"),
        ("x.svs", b"\x80\x04cos\nsystem\n(S'touch x'\ntR."),
    ):
        yield HostileFile(f"{name} that is {data[:10]!r}", ((name, data),), _no_answer)
    yield HostileFile("a picture of 196 MP in 23 KB", (("x.png", _png_bomb()),), _no_answer)


def _named(picture: bytes) -> Iterator[HostileFile]:
    names = (
        "<img src=x onerror=alert(1)>.jpg",
        "<script>alert(1)</script>.jpg",
        "{{7*7}}{% raw %}.jpg",
        "../../../../tmp/out.jpg",
        "/etc/cron.d/out.jpg",
        "C:\\Windows\\out.jpg",
        "=cmd|' /C calc'!A0.jpg",
        "javascript:alert(1).jpg",
        "\u202egpj.exe.jpg",
        "x" * 400 + ".jpg",
        "$(touch x)`touch x`;touch x.jpg",
    )
    for name in names:
        title = name if len(name) < 50 else f"{name[:20]}…"
        yield HostileFile(f"name {title!r}", ((name, picture),), _harmless)
    injected = 'x.jpg"\r\nContent-Type: text/html\r\nX-Evil: 1\r\n\r\n<script>'
    yield HostileFile("a name that ends its header", ((injected, picture),), _any_refusal_or_taken)


def _any_refusal_or_taken(_: Site, answer: Answer) -> str:
    return "" if answer.status in (201, 400) else f"status {answer.status}"


# Archives ----------------------------------------------------------------------------------------


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = 8) -> bytes:
    """An archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def _info(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo("x")
    found.filename, found.external_attr = name, mode << 16
    return found


def _archives(picture: bytes) -> Iterator[HostileFile]:
    good = ("good.jpg", picture)
    slips = ("../out.jpg", "a/../../../out.jpg", "/etc/out.jpg", "..\\out.jpg", "C:\\out.jpg")
    archives = {f"slips out as {name}": zipped(good, (_info(name), picture)) for name in slips}
    archives |= {
        "holds a link": zipped((_info("x.jpg", 0o120777), b"/etc/passwd")),
        "holds a device": zipped((_info("x.jpg", 0o020666), b"")),
        "is a bomb of zeros": zipped(("x.tif", bytes(40_000_000))),
        "is a bomb of many": zipped(*((f"{n}.tif", bytes(300_000)) for n in range(150))),
        "lies about its sizes": _lying(),
        "holds 5,000 files": zipped(*((f"{n}.png", b"") for n in range(5000)), method=0),
        "holds two files of one name": zipped((_info("a.jpg"), picture), (_info("A.jpg"), picture)),
        "is cut short": zipped(good)[:-60],
        "is encrypted": _encrypted(good),
        "is as deep as a well": zipped(("a/" * 100 + "x.jpg", picture)),
        "is packed by bzip2": zipped(good, method=zipfile.ZIP_BZIP2),
        "shares its bytes": _overlapping(),
        "has a list without an end": _endless_list(),
    }
    for name, data in archives.items():
        yield HostileFile(f"an archive that {name}", (("x.zip", data),), _refused)
    inner = zipped(("x.zip", zipped(("y.zip", b"PK"))))
    yield HostileFile("an archive of archives", (("x.zip", inner),), _no_answer)


def _lying() -> bytes:
    data = bytearray(zipped(("x.tif", bytes(20_000_000))))
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.rfind(signature)
        data[start + at : start + at + 4] = struct.pack("<L", 10)
    return bytes(data)


def _encrypted(member: tuple[str, bytes]) -> bytes:
    data = bytearray(zipped(member))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rfind(signature) + at] |= 1
    return bytes(data)


def _overlapping() -> bytes:
    """Fifty names for the same packed bytes, which unpack to a megabyte each."""
    data = zipped(("00.tif", bytes(1_000_000)))
    start = data.rfind(b"PK\x01\x02")
    end = data.rfind(b"PK\x05\x06")
    entry = data[start:end]
    entries = b"".join(entry.replace(b"00.tif", b"%02d.tif" % n) for n in range(50))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 50, 50, len(entries), start, 0)
    return data[:start] + entries + tail


def _endless_list() -> bytes:
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0x7FFFFFFF, 0, 0)
    return b"PK\x03\x04" + bytes(100) + tail


def _png_bomb() -> bytes:
    """14,000 × 14,000 pixels of nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">L", len(data)) + body + struct.pack(">L", zlib.crc32(body))

    head = struct.pack(">2L5B", 14_000, 14_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(14_000 * (1 + 14_000 // 8)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
