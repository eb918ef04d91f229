"""Ways to damage a file, each drawn from a seeded generator so that a number brings it back."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from zlib import crc32

from attacks.pictures import seeds

Damage = Callable[[bytearray, Random], None]

HUGE = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 20, 1 << 24)
SIDES = (0, 1, 7, 255, 4096, 4097, 16384, 65535, 1 << 20, 1 << 24, (1 << 31) - 1, (1 << 32) - 1)
SUFFIXES = (
    *(".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".dcm", ".svslide", ".czi"),
    *(".tif", ".tiff", ".jpg", ".jpeg", ".png", ".bmp", ".webp"),
)
_TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_SHAPE_TAGS = (256, 257, 258, 259, 262, 266, 277, 278, 284, 317, 322, 323, 530)
_PLACE_TAGS = (273, 279, 324, 325, 330, 347)


@dataclass(frozen=True)
class Recipe:
    """A damaged file and how it came about."""

    title: str  # seed and number, as in 5:4933
    kind: str
    damage: str
    name: str
    data: bytes


def make(number: int, seed: int = 0) -> Recipe:
    """File ``number`` of the endless list that ``seed`` stands for."""
    rng = Random(f"{seed}:{number}")  # noqa: S311  text is hashed alike on every Python
    kind = rng.choice(sorted(seeds()))
    suffix, intact = seeds()[kind]
    data = bytearray(intact)
    names: list[str] = []
    fitting = sorted(name for name in DAMAGES if intact[:2] == b"II" or "tiff" not in name)
    wanted = rng.choice((1, 1, 1, 2, 3))
    while len(names) < wanted or data == intact:  # some damages meet nothing to change
        names.append(rng.choice(fitting))
        DAMAGES[names[-1]](data, rng)
    if rng.random() < 0.1:
        suffix = rng.choice(SUFFIXES)
    name = f"{seed}-{number:06d}{suffix}"
    return Recipe(f"{seed}:{number}", kind, "+".join(names), name, bytes(data))


# Any bytes ----------------------------------------------------------------------------------------


def _flip_bits(data: bytearray, rng: Random) -> None:
    for _ in range(rng.choice((1, 2, 8, 64))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _zero_range(data: bytearray, rng: Random) -> None:
    start, length = _range(data, rng)
    data[start : start + length] = bytes(length)


def _random_range(data: bytearray, rng: Random) -> None:
    start, length = _range(data, rng)
    data[start : start + length] = rng.randbytes(length)


def _cut(data: bytearray, rng: Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _cut_out(data: bytearray, rng: Random) -> None:
    start, length = _range(data, rng)
    del data[start : start + length]


def _repeat(data: bytearray, rng: Random) -> None:
    start, length = _range(data, rng)
    data[start:start] = data[start : start + length] * rng.choice((1, 2, 16))


def _swap(data: bytearray, rng: Random) -> None:
    first, length = _range(data, rng)
    second = rng.randrange(max(1, len(data) - length))
    one, two = data[first : first + length], data[second : second + length]
    data[first : first + length], data[second : second + length] = two, one


def _append(data: bytearray, rng: Random) -> None:
    data += rng.randbytes(rng.choice((1, 512, 8192)))


def _huge_number(data: bytearray, rng: Random) -> None:
    if len(data) < 16:
        return
    size = rng.choice((2, 4, 8))
    at = rng.randrange(min(len(data), 1024) - size)
    value = rng.choice(HUGE) & ((1 << 8 * size) - 1)
    data[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))


def _range(data: bytearray, rng: Random) -> tuple[int, int]:
    """Start and length of a piece, often in the header."""
    within = len(data) if rng.random() < 0.7 else min(len(data), 600)
    start = rng.randrange(within) if within else 0
    return start, min(rng.choice((1, 4, 16, 128, 512, 4096)), len(data) - start)


# TIFF ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    """One tag of a little-endian TIFF: where its parts lie in the file."""

    at: int
    tag: int
    kind: int
    big: bool

    @property
    def count_at(self) -> int:
        return self.at + 4

    @property
    def value_at(self) -> int:
        return self.at + (12 if self.big else 8)


@dataclass(frozen=True)
class _Directory:
    at: int
    entries: tuple[_Entry, ...]
    next_at: int  # where the position of the next directory stands
    big: bool


def _directories(data: bytearray) -> list[_Directory]:
    """The directories of an intact or half-damaged little-endian TIFF; [] of anything else."""
    if bytes(data[:4]) not in (b"II*\0", b"II+\0"):
        return []
    big = data[2] == 43
    found: list[_Directory] = []
    place, count, size = ("<Q", "<Q", 20) if big else ("<I", "<H", 12)
    try:
        (at,) = struct.unpack_from(place, data, 8 if big else 4)
        while at and len(found) < 8:
            (number,) = struct.unpack_from(count, data, at)
            first = at + struct.calcsize(count)
            entries = []
            for index in range(min(number, 64)):
                where = first + index * size
                tag, kind = struct.unpack_from("<HH", data, where)
                entries.append(_Entry(where, tag, kind, big))
            next_at = first + number * size
            found.append(_Directory(at, tuple(entries), next_at, big))
            (at,) = struct.unpack_from(place, data, next_at)
    except (struct.error, OverflowError):
        pass  # an earlier damage cut it short, or leads nowhere
    return found


def _entry(data: bytearray, rng: Random, tags: tuple[int, ...] = ()) -> _Entry | None:
    entries = [
        entry
        for directory in _directories(data)
        for entry in directory.entries
        if not tags or entry.tag in tags
    ]
    return rng.choice(entries) if entries else None


def _put(data: bytearray, at: int, value: int, size: int) -> None:
    data[at : at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def _tag_value(
    data: bytearray, rng: Random, tags: tuple[int, ...], values: tuple[int, ...]
) -> None:
    if entry := _entry(data, rng, tags):
        _put(data, entry.value_at, rng.choice(values), 8 if entry.big else 4)


def _tiff_shape(data: bytearray, rng: Random) -> None:
    for _ in range(rng.choice((1, 2))):
        _tag_value(data, rng, _SHAPE_TAGS, (*SIDES, 2, 3, 4, 5, 6, 8, 16, 32, 34712, 50000))
    if rng.random() < 0.3:  # both sides of a tile, believable together
        side = rng.choice(SIDES)
        for entry in (e for d in _directories(data) for e in d.entries if e.tag in (322, 323)):
            _put(data, entry.at + 2, 4, 2)
            _put(data, entry.value_at, side, 8 if entry.big else 4)


def _tiff_place(data: bytearray, rng: Random) -> None:
    places = (0, 4, 8, len(data) - 1, len(data), len(data) + 1, *SIDES)
    _tag_value(data, rng, _PLACE_TAGS, places)


def _tiff_type(data: bytearray, rng: Random) -> None:
    if entry := _entry(data, rng):
        _put(data, entry.at + 2, rng.choice((0, *_TYPES, 99, 65535)), 2)


def _tiff_count(data: bytearray, rng: Random) -> None:
    if entry := _entry(data, rng):
        _put(data, entry.count_at, rng.choice(SIDES), 8 if entry.big else 4)


def _tiff_other_tag(data: bytearray, rng: Random) -> None:
    """A tag that is missing, or stands there twice under another meaning."""
    entry, other = _entry(data, rng), _entry(data, rng)
    if entry and other:
        _put(data, entry.at, rng.choice((other.tag, 65000, 330, 347, 34665, 700, 37724)), 2)


def _tiff_swap_tags(data: bytearray, rng: Random) -> None:
    one, two = _entry(data, rng), _entry(data, rng)
    if one and two and one.big == two.big:
        size = 20 if one.big else 12
        first, second = data[one.at : one.at + size], data[two.at : two.at + size]
        data[one.at : one.at + size], data[two.at : two.at + size] = second, first


def _tiff_loop(data: bytearray, rng: Random) -> None:
    """A directory that names itself, an earlier one or a place outside as the next."""
    directories = _directories(data)
    if directories:
        directory = rng.choice(directories)
        target = rng.choice((*(d.at for d in directories), len(data), len(data) * 2, 2, 0xFFFFFFF0))
        _put(data, directory.next_at, target, 8 if directory.big else 4)


def _tiff_many_entries(data: bytearray, rng: Random) -> None:
    directories = _directories(data)
    if directories:
        directory = rng.choice(directories)
        _put(data, directory.at, rng.choice((0, 1, 255, 65535)), 8 if directory.big else 2)


def _description(data: bytearray, rng: Random) -> None:
    """Numbers of the scanner's text that cannot be."""
    for word in (b"MPP = 0.5", b"AppMag = 20", b'PhysicalSizeX="0.5"'):
        at = data.find(word)
        if at >= 0:
            digits = rng.choice((b"nan", b"inf", b"-.5", b"0.0", b"1e9", b"\xff\xfe\xfd", b"0,5"))
            data[at + len(word) - len(digits) : at + len(word)] = digits


# Other formats ------------------------------------------------------------------------------------


def _picture_size(data: bytearray, rng: Random) -> None:
    """The width and height that the header of a JPEG, PNG, BMP or WebP claims."""
    wide, high = rng.choice(SIDES), rng.choice(SIDES)
    if data[:2] == b"\xff\xd8":
        for marker in (b"\xff\xc0", b"\xff\xc2"):
            at = data.find(marker)
            if 0 <= at < len(data) - 9:
                data[at + 5 : at + 9] = struct.pack(">HH", high & 0xFFFF, wide & 0xFFFF)
    elif data[:4] == b"\x89PNG" and len(data) > 33:
        data[16:24] = struct.pack(">II", wide, high)
        data[29:33] = struct.pack(">I", crc32(data[12:29]))  # a damaged sum would be seen first
    elif data[:2] == b"BM" and len(data) > 26:
        data[18:26] = struct.pack("<ii", *(v - (1 << 32) * (v >> 31) for v in (wide, high)))
    elif data[8:12] == b"WEBP" and len(data) > 30:
        data[26:30] = struct.pack("<HH", wide & 0xFFFF, high & 0xFFFF)


DAMAGES: dict[str, Damage] = {
    "flip-bits": _flip_bits,
    "zero-range": _zero_range,
    "random-range": _random_range,
    "cut": _cut,
    "cut-out": _cut_out,
    "repeat": _repeat,
    "swap": _swap,
    "append": _append,
    "huge-number": _huge_number,
    "picture-size": _picture_size,
    "description": _description,
    "tiff-shape": _tiff_shape,
    "tiff-place": _tiff_place,
    "tiff-type": _tiff_type,
    "tiff-count": _tiff_count,
    "tiff-other-tag": _tiff_other_tag,
    "tiff-swap-tags": _tiff_swap_tags,
    "tiff-loop": _tiff_loop,
    "tiff-many-entries": _tiff_many_entries,
}
