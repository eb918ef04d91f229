"""Tiles read natively are OpenSlide's to the last bit, or OpenSlide reads them itself."""

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from openslide import OpenSlide
from PIL import Image

from lungscan.errors import UnreadableFile
from lungscan.reading.slides import tiff_index, tile_codecs
from lungscan.reading.slides.native import NativeReader
from lungscan.reading.slides.positional import PositionalFile
from lungscan.reading.slides.slide import SlideSource
from lungscan.reading.slides.tiff_index import tiff_levels
from lungscan.reading.slides.tile_cache import TileCache, TileKey
from lungscan.reading.slides.tile_codecs import DamagedTile, looks_cut, rgb_of_ycbcr, tile_decoder
from lungscan.reading.source import TilePixels
from lungscan.report.wording import flag_text
from lungscan.types import BoxArray, InputFile, Overview, RgbArray
from tests.drawing import draw_he, write_generic_tiff, write_svs

SHARED = Path(__file__).parents[2].parent / "shared" / "slides"
TILE = 256
EOI = b"\xff\xd9"  # the marker that ends a JPEG
WIDTH, HEIGHT = 900, 600  # tiles hang over both edges
HE = draw_he(WIDTH, HEIGHT, 2)


def opened(path: Path, *, native: bool = True) -> SlideSource:
    return SlideSource(InputFile(path, path.name, "slide"), 0.5, native=native)


def grid(width: int, height: int, side: int, step: int) -> BoxArray:
    """Boxes over the whole slide, the last ones beyond its edges."""
    rows = [(x, y, side, side) for y in range(0, height, step) for x in range(0, width, step)]
    return np.array(rows, np.int32)


def same(found: TilePixels, expected: TilePixels) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def same_picture(found: Overview, expected: Overview) -> bool:
    return (
        np.array_equal(found.rgb, expected.rgb)
        and np.array_equal(found.valid, expected.valid)
        and found.unreadable == expected.unreadable
    )


def aperio(rgb: RgbArray) -> str:
    return f"Aperio Drawn v1\r\n{rgb.shape[1]}x{rgb.shape[0]} ({TILE}x{TILE})|MPP = 0.5"


def tiles_of(rgb: RgbArray) -> Iterator[RgbArray]:
    for top in range(0, rgb.shape[0], TILE):
        for left in range(0, rgb.shape[1], TILE):
            part = rgb[top : top + TILE, left : left + TILE]
            tile = np.full((TILE, TILE, 3), 200, np.uint8)
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile


def write(path: Path, rgb: RgbArray = HE, *, bigtiff: bool = False, **options: object) -> Path:
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as tiff:
        tiff.write(
            rgb, tile=(TILE, TILE), metadata=None, description=aperio(rgb),
            **{"photometric": "rgb"} | options,
        )  # fmt: skip
    return path


def write_packed(path: Path, pack: Callable[[RgbArray], bytes], **options: object) -> Path:
    """Write tiles that ``pack`` has turned into bytes."""
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(
            (pack(tile) for tile in tiles_of(HE)), shape=HE.shape, dtype=np.uint8,
            tile=(TILE, TILE), metadata=None, description=aperio(HE), **options,
        )  # fmt: skip
    return path


def write_with_tables(path: Path) -> Path:
    def jpeg(tile: RgbArray, part: int) -> bytes:  # 1: the tables alone, 2: all but the tables
        stream = io.BytesIO()
        Image.fromarray(tile).save(stream, "JPEG", quality=80, streamtype=part)
        return stream.getvalue()

    return write_packed(
        path,
        lambda tile: jpeg(tile, 2),
        photometric="ycbcr",
        subsampling=(2, 2),
        compression="jpeg",
        jpegtables=jpeg(HE, 1),
    )


def nameless_rgb(tile: RgbArray) -> bytes:
    """Encode RGB as some scanners do: nothing in the stream says that it is not YCbCr."""
    data = imagecodecs.jpeg8_encode(tile, level=85, outcolorspace="RGB")
    at = data.index(b"\xff\xee")  # Adobe's marker
    data = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4]) :]
    plain = data.replace(b"\x03R\x11\0G\x11\0B\x11\0", b"\x03\x01\x11\0\x02\x11\0\x03\x11\0")
    return plain.replace(b"\x03R\0G\0B\0", b"\x03\x01\0\x02\0\x03\0")


def ycbcr_jpeg2000(tile: RgbArray) -> bytes:
    planes = np.asarray(Image.fromarray(tile).convert("YCbCr"))
    return bytes(imagecodecs.jpeg2k_encode(planes, level=60, codecformat="j2k", mct=False))


KINDS: dict[str, Callable[[Path], Path]] = {
    "jpeg, colour at half size": lambda p: write(p, compression="jpeg", subsampling=(2, 2)),
    "jpeg, colour at half width": lambda p: write(p, compression="jpeg", subsampling=(2, 1)),
    "jpeg, colour at full size": lambda p: write(p, compression="jpeg", subsampling=(1, 1)),
    "jpeg with common tables": write_with_tables,
    "jpeg in rgb": lambda p: write(p, compression="jpeg", compressionargs={"outcolorspace": "rgb"}),
    "jpeg in rgb that does not say so": lambda p: write_packed(
        p, nameless_rgb, photometric="rgb", compression="jpeg"
    ),
    "jpeg 2000 in rgb": lambda p: write(p, compression=33005, compressionargs={"level": 30}),
    "jpeg 2000 in ycbcr": lambda p: write_packed(
        p, ycbcr_jpeg2000, photometric="rgb", compression=33003
    ),
    "lzw": lambda p: write(p, compression="lzw"),
    "lzw of differences": lambda p: write(p, compression="lzw", predictor=True),
    "deflate": lambda p: write(p, compression="deflate"),
    "deflate of differences": lambda p: write(p, compression="deflate", predictor=True),
    "unpacked": write,
    "bigtiff": lambda p: write(p, compression="jpeg", bigtiff=True),
    "generic tiff": lambda p: write_generic_tiff(p, HE, downsamples=(4,)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_as_openslide_reads_it(tmp_path: Path, kind: str) -> None:
    path = KINDS[kind](tmp_path / "x.svs")
    native, reference = opened(path), opened(path, native=False)
    assert 0 in native.native_levels
    assert native.info.flags == ()
    for side, step in ((224, 224), (224, 112), (97, 61)):
        boxes = grid(WIDTH, HEIGHT, side, step)
        assert same(native.read_tiles(boxes, side), reference.read_tiles(boxes, side))
    scaled = grid(WIDTH, HEIGHT, 333, 301)
    assert same(native.read_tiles(scaled, 224), reference.read_tiles(scaled, 224))
    assert same_picture(native.overview(200), reference.overview(200))


def test_levels_below_are_native_too(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(2048, 1024, 2), downsamples=(2, 8))
    native, reference = opened(path), opened(path, native=False)
    assert native.native_levels == (0, 1, 2)
    boxes = grid(2048, 1024, 448, 224)
    assert same(native.read_tiles(boxes, 224), reference.read_tiles(boxes, 224))


def test_levels_whose_size_was_rounded_hold_their_stored_pixels(tmp_path: Path) -> None:
    rgb, half = draw_he(1501, 1003, 3), (1001, 669)
    stored = np.asarray(Image.fromarray(rgb).resize(half, Image.Resampling.BOX))
    path = tmp_path / "x.svs"
    with tifffile.TiffWriter(path) as tiff:
        for level in (rgb, stored):
            tiff.write(level, tile=(TILE, TILE), photometric="rgb", compression="deflate",
                       description=aperio(rgb), metadata=None)  # fmt: skip
    source = opened(path)
    assert source.native_levels == (0, 1)
    with OpenSlide(path) as slide:
        downsample = slide.level_downsamples[1]
        assert downsample != round(downsample)
    side = round(300 * downsample)
    tile = source.read_tiles(np.array([(450, 300, side, side)], np.int32), 300).rgb[0]
    left, top = round(450 / downsample), round(300 / downsample)
    assert (tile == stored[top : top + 300, left : left + 300]).all()


def test_aperios_levels_below_missing_tiles_are_left_to_openslide(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(1024, 1024, 1), missing=[5])
    native, reference = opened(path), opened(path, native=False)
    assert native.native_levels == (0,)
    for side in (TILE, 4 * TILE):
        boxes = grid(1024, 1024, side, 128)
        assert same(native.read_tiles(boxes, TILE), reference.read_tiles(boxes, TILE))
    assert same_picture(native.overview(128), reference.overview(128))


def test_overview_past_damage_is_openslides(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(2048, 1024, 4), downsamples=(), damaged=[9])
    native, reference = opened(path), opened(path, native=False)
    assert native.native_levels == (0,)
    overview = native.overview(256)
    assert overview.unreadable == 1 / 32
    assert same_picture(overview, reference.overview(256))


def altered(path: Path, index: int, change: Callable[[bytes], bytes]) -> Path:
    """Change one level-0 tile in place; what it loses in length becomes zeros."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        offset, size = page.dataoffsets[index], page.databytecounts[index]
    data = bytearray(path.read_bytes())
    tile = change(bytes(data[offset : offset + size]))
    data[offset : offset + size] = tile[:size].ljust(size, b"\0")
    path.write_bytes(data)
    return path


def claiming(height: int, width: int) -> Callable[[bytes], bytes]:
    size = TILE.to_bytes(2)

    def change(tile: bytes) -> bytes:
        at = tile.index(b"\xff\xc0\0\x11\x08" + size + size) + 5
        return tile[:at] + height.to_bytes(2) + width.to_bytes(2) + tile[at + 4 :]

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda tile: tile[: len(tile) // 2],  # libjpeg makes a flat colour of zeros
        # Ends early, and again in the end: libjpeg shows grey in between, and only warns.
        lambda tile: (tile[: len(tile) // 2] + EOI).ljust(len(tile) - 2, b"\0") + EOI,
        lambda tile: b"",
        lambda tile: os.urandom(len(tile)),
        claiming(TILE // 2, TILE),
        claiming(65_500, 65_500),
    ],
)
def test_a_damaged_tile_fails_the_fields_that_touch_it(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    rgb = draw_he(1024, 1024, 5)
    clean = opened(write_svs(tmp_path / "clean.svs", rgb, downsamples=()))
    hurt = opened(altered(write_svs(tmp_path / "hurt.svs", rgb, downsamples=()), 6, change))
    assert hurt.native_levels == (0,)
    boxes = grid(800, 800, 224, 112)
    x, y = boxes[:, 0], boxes[:, 1]
    touching = (x < 768) & (x + 224 > 512) & (y < 512) & (y + 224 > 256)
    tiles, expected = hurt.read_tiles(boxes, 224), clean.read_tiles(boxes, 224)
    assert (tiles.failed == touching).all()
    assert (tiles.rgb[~touching] == expected.rgb[~touching]).all()
    assert (tiles.valid == ~touching).all()


def test_packed_tiles_fail_alone_too(tmp_path: Path) -> None:
    for kind in ("lzw", "deflate", "jpeg 2000 in rgb"):
        path = altered(KINDS[kind](tmp_path / "x.svs"), 5, lambda tile: b"\xff" * len(tile))
        tiles = opened(path).read_tiles(grid(768, 512, TILE, TILE), TILE)
        assert np.flatnonzero(tiles.failed).tolist() == [4]  # of 3 fields in a row, 4 tiles


def test_a_tile_may_be_as_grey_as_missing_data(tmp_path: Path) -> None:
    rgb = np.full((512, 512, 3), 128, np.uint8)
    source = opened(write_svs(tmp_path / "x.svs", rgb, downsamples=()))
    assert source.native_levels == (0,)
    assert looks_cut(rgb[:TILE, :TILE])
    assert not source.read_tiles(grid(512, 512, 224, 224), 224).failed.any()


def test_only_whole_grey_blocks_are_suspicious() -> None:
    tile = draw_he(TILE, TILE, 1).copy()
    assert not looks_cut(tile)
    tile[60, 60] = 128
    assert not looks_cut(tile)
    tile[56:64, 56:64] = 128
    assert looks_cut(tile)


def tampered(monkeypatch: pytest.MonkeyPatch, change: Callable[[RgbArray], RgbArray]) -> None:
    def tampering(*tags: object) -> Callable[[bytes], RgbArray] | None:
        decode = tile_decoder(*tags)  # type: ignore[arg-type]
        return decode and (lambda data: change(decode(data)))

    monkeypatch.setattr(tiff_index, "tile_decoder", tampering)


def test_other_pixels_than_openslides_end_native_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_svs(tmp_path / "x.svs", HE)
    boxes = grid(WIDTH, HEIGHT, 224, 224)
    expected = opened(path).read_tiles(boxes, 224)
    tampered(monkeypatch, lambda tile: tile ^ np.uint8(1))
    source = opened(path)
    assert source.native_levels == ()
    assert source.info.flags == ("read_by_openslide",)
    assert "OpenSlide" in flag_text("read_by_openslide")
    assert same(source.read_tiles(boxes, 224), expected)


def test_a_level_below_that_shows_another_place_ends_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(1024, 1024, 2), tile=TILE)
    tampered(monkeypatch, lambda tile: tile)
    assert opened(path).native_levels == (0, 1)
    real = NativeReader.region

    def elsewhere(self: NativeReader, level: int, frame, into=None):
        rgb, alpha = real(self, level, frame, into)
        return (np.roll(rgb, 32, 0) if level else rgb), alpha

    monkeypatch.setattr(NativeReader, "region", elsewhere)
    assert opened(path).info.flags == ("read_by_openslide",)


def test_jpeg_2000_with_colour_at_half_size_is_left_to_openslide() -> None:
    head = bytes.fromhex("ff4fff51002f0000") + b"".join(
        value.to_bytes(4) for value in (TILE, TILE, 0, 0, TILE, TILE, 0, 0)
    )
    decode = tile_decoder(33003, 2, 1, None, (TILE, TILE))
    assert decode is not None
    with pytest.raises(DamagedTile, match="full size"):
        decode(head + b"\0\x03" + b"\x07\x01\x01" + b"\x07\x02\x01" * 2)


def test_pixels_that_are_not_8_bit_rgb_are_left_to_openslide(tmp_path: Path) -> None:
    grey = write(tmp_path / "grey.svs", HE[..., 0], photometric="minisblack", compression="lzw")
    apart = write(
        tmp_path / "apart.svs", HE.transpose(2, 0, 1), planarconfig="separate", compression="lzw"
    )
    assert tiff_levels(grey, [(WIDTH, HEIGHT)]) == [None]
    assert tiff_levels(apart, [(WIDTH, HEIGHT)]) == [None]


def test_ycbcr_is_converted_as_in_jpeg() -> None:
    rng = np.random.default_rng(3)
    planes = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    y, cb, cr = (planes[..., i].astype(float) for i in range(3))
    exact = np.stack(
        [
            y + 1.402 * (cr - 128),
            y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128),
            y + 1.772 * (cb - 128),
        ],
        -1,
    )
    assert np.abs(rgb_of_ycbcr(planes) - np.clip(exact, 0, 255)).max() < 0.51


@pytest.mark.parametrize("threads", [1, 4])
def test_results_do_not_depend_on_batches_threads_or_order(tmp_path: Path, threads: int) -> None:
    path = write_svs(tmp_path / "x.svs", draw_he(1500, 1100, 6))
    boxes = grid(1500, 1100, 224, 112)
    expected = opened(path).read_tiles(boxes, 224)
    order = np.random.default_rng(1).permutation(len(boxes))
    source = opened(path)
    with ThreadPoolExecutor(threads) as pool:
        parts = np.array_split(order, 23)
        batches = list(pool.map(lambda rows: source.read_tiles(boxes[rows], 224), parts))
    for rows, batch in zip(parts, batches, strict=True):
        assert same(batch, TilePixels(*(column[rows] for column in expected)))


def test_each_tile_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    tampered(monkeypatch, lambda tile: decoded.append(b"") or tile)  # type: ignore[func-returns-value]
    source = opened(write_svs(tmp_path / "x.svs", draw_he(1024, 1024, 6), downsamples=()))
    boxes = grid(800, 800, 224, 56)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda part: source.read_tiles(part, 224), np.array_split(boxes, 40)))
    assert len(decoded) == 16


def test_a_tile_wanted_by_many_is_decoded_by_one() -> None:
    cache, together, calls = TileCache(), threading.Barrier(8), []
    tile = np.zeros((8, 8, 3), np.uint8)
    release = threading.Event()

    def decode(key: TileKey) -> RgbArray:
        calls.append(key)
        release.wait(10)
        return tile

    def want(_: int) -> RgbArray | None:
        together.wait(10)
        return cache.get(FIRST, FIRST, decode)

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(want, number) for number in range(8)]
        release.set()
        assert all(job.result() is tile for job in waiting)
    assert len(calls) == 1


def counting(size: int) -> tuple[Callable[[TileKey], RgbArray], list[TileKey]]:
    calls: list[TileKey] = []

    def decode(key: TileKey) -> RgbArray:
        calls.append(key)
        return np.zeros(size, np.uint8)

    return decode, calls


def read_rows(cache: TileCache, rows: range, decode: Callable[[TileKey], RgbArray]) -> None:
    """Ask as fields do that lie on the border of two rows of 20 tiles."""
    for row in rows:
        for column in range(20):
            first = TileKey(0, row, column)
            for key in (first, TileKey(0, row + 1, column)):
                cache.get(key, first, decode)


@pytest.mark.parametrize(("tiles", "decoded"), [(40, 100), (21, 100), (15, 118), (10, 133)])
def test_rows_of_fields_share_tiles_also_where_a_row_does_not_fit(tiles: int, decoded: int) -> None:
    cache = TileCache(10 * tiles)
    decode, calls = counting(10)
    read_rows(cache, range(4), decode)
    assert len(calls) == decoded  # of 160 asked for, 100 different
    assert cache.held_bytes == 10 * tiles


def test_reading_from_the_top_again_shares_as_before() -> None:
    cache = TileCache(10 * 21)
    decode, calls = counting(10)
    read_rows(cache, range(50), decode)
    calls.clear()
    read_rows(cache, range(4), decode)
    assert len(calls) < 110
    cache.get(TileKey(1, 0, 0), TileKey(1, 0, 0), decode)
    assert cache.held_bytes == 210


FIRST = TileKey(0, 0, 0)


def test_what_could_not_be_read_is_tried_again() -> None:
    cache = TileCache()

    def gone(key: TileKey) -> RgbArray:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        cache.get(FIRST, FIRST, gone)
    decode, calls = counting(10)
    assert cache.get(FIRST, FIRST, decode) is not None
    assert len(calls) == 1


def test_a_tile_larger_than_the_cache_is_still_given() -> None:
    decode, _ = counting(200)
    cache = TileCache(100)
    assert cache.get(FIRST, FIRST, decode) is not None
    assert cache.held_bytes == 0


def test_a_drive_that_was_away_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_svs(tmp_path / "x.svs", HE, downsamples=())
    source = opened(path)
    boxes = grid(WIDTH, HEIGHT, 224, 224)
    expected = source.read_tiles(boxes, 224)
    back, away, real = opened(path), opened(path), os.pread
    broken: list[int] = []

    def stale(descriptor: int, size: int, offset: int) -> bytes:
        broken[:] = broken or [descriptor]
        if descriptor in broken:
            raise OSError("stale file handle")
        return real(descriptor, size, offset)

    def gone(descriptor: int, size: int, offset: int) -> bytes:
        raise OSError("gone")

    for source in (back, away):  # what opening has read is not asked for again
        assert source.native is not None
        source.native = replace(source.native, tiles=TileCache())
    monkeypatch.setattr(os, "pread", stale)
    assert same(back.read_tiles(boxes, 224), expected)
    assert broken
    monkeypatch.setattr(os, "pread", gone)
    with pytest.raises(UnreadableFile) as caught:
        away.read_tiles(boxes, 224)
    assert caught.value.code == "E_IO"


@pytest.mark.parametrize("positional", [True, False])
def test_parts_of_a_file_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, positional: bool
) -> None:
    if not positional:
        monkeypatch.delattr(os, "pread")
    path, data = tmp_path / "x", np.random.default_rng(0).bytes(1 << 16)
    path.write_bytes(data)
    file = PositionalFile(path)
    starts = list(range(0, 1 << 16, 97))
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda start: file.read(start, 500), starts))
    assert parts == [data[start : start + 500] for start in starts]
    file.close()
    file.close()


def test_a_tile_that_claims_more_bytes_than_pixels_is_not_loaded(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "x.svs", HE, downsamples=())
    level = tiff_levels(path, [(WIDTH, HEIGHT)])[0]
    assert level is not None
    level.sizes[0] = 1 << 40
    reader = NativeReader(PositionalFile(path), [level], (255, 255, 255), lambda *_: True)
    with pytest.raises(DamagedTile):
        reader.region(0, (0, 0, 10, 10))
    reader.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("hostile") / "x.svs"
    return path, write_svs(path, draw_he(300, 300, 1), downsamples=(2,), tile=128).read_bytes()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_header_breaks_the_index(small: tuple[Path, bytes], data: st.DataObject) -> None:
    path, content = small
    raw = bytearray(content)
    first = int.from_bytes(raw[4:8], "little")  # where the tags of level 0 stand
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(4, 8) | st.integers(first, first + 300))
        raw[min(at, len(raw) - 1)] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    for level in tiff_levels(path, [(300, 300), (150, 150)]):
        if level is not None:
            with suppress(DamagedTile):
                level.decode(bytes(raw[level.offsets[0] :][: level.sizes[0]]))


def test_a_damaged_header_is_not_complained_of_aloud(
    small: tuple[Path, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    path, content = small
    raw = bytearray(content)
    first = int.from_bytes(raw[4:8], "little")
    raw[first + 4 : first + 6] = b"\xee\xee"  # a type of tag that there is not
    path.write_bytes(raw)
    script = (
        "from lungscan.reading.slides.tiff_index import *; "
        f"tiff_levels(Path({str(path)!r}), [(1, 1)])"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not SHARED.exists(), reason="the shared slides are not here")
@pytest.mark.parametrize(
    ("name", "levels", "flags"),
    [
        ("cmu-1-small-region", (0,), ()),
        # Its colour is stored at half width, which imagecodecs rounds in its own way.
        ("luna-1065626-jp2k", (), ("icc_profile_ignored", "read_by_openslide")),
    ],
)
def test_real_slides(name: str, levels: tuple[int, ...], flags: tuple[str, ...]) -> None:
    path = SHARED / f"{name}.svs"
    native, reference = opened(path), opened(path, native=False)
    assert native.native_levels == levels
    assert native.info.flags == flags
    boxes = grid(2220, 900, 224, 150)
    assert same(native.read_tiles(boxes, 224), reference.read_tiles(boxes, 224))


def test_a_shortage_of_memory_is_no_damage() -> None:
    def starved(_: bytes) -> RgbArray:
        raise MemoryError

    with pytest.raises(MemoryError):
        tile_codecs.guarded(starved, b"")
