"""CT series that are damaged, of another kind, too long or full of names."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attacks.base import Bench, Line, rows
from attacks.privacy import unpacked
from lungscan.model.card import write_card
from lungscan.model.checked import read_card

_SMALL = 64  # px, of a slice of the long series
_DICOM = {"E_FORMAT", "E_UNSUPPORTED", "E_MODALITY", "E_PLANE", "E_TOO_LARGE", "E_TILE", "E_OPEN"}


def attack(bench: Bench, slices: int = 200) -> list[Line]:
    """Classify hostile series beside sound ones; ``slices`` are those of the long one."""
    name = "hostile CT series"
    try:
        from tests import ct_slices
    except ImportError as error:
        return [Line(name, 0, {}, not_run=f"pydicom is not installed ({error.name})")]
    with bench.folder("ct") as folder:
        refused, answered = _write(folder / "in", ct_slices, slices)
        at = Bench(folder, _ct_model(bench.model, folder / "model"))
        done = at.classify(folder / "out", folder / "in", "--pdf", "cases")
        found = {Path(row["relative_path"]).parts[1]: row for row in rows(folder / "out")}
        written = [path for path in folder.glob("out/**/*") if path.is_file()]
        texts = [part for path in written for part in unpacked(path.read_bytes())]
        texts += [done.out.encode(), done.err.encode()]
    secret = ct_slices.SECRET.split("^")[0].lower()
    coded = [secret.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")]
    rowless = [one for one in (*refused, *answered) if one not in found]
    unexplained = [
        one
        for one in refused
        if one in found
        and not (found[one]["error_code"] in _DICOM and found[one]["error_message"].strip())
    ]
    lost = [one for one in answered if found.get(one, {}).get("status") not in {"ok", "partial"}]
    bad = {
        "runs that crashed": int(done.crashed),
        "rows missing": len(rowless),
        "refused without code and reason": len(unexplained),
        "sound series not answered": len(lost),
        "names found in an output or log": sum(any(word in text.lower() for word in coded)
                                               for text in texts),
    }  # fmt: skip
    codes = sorted({row["error_code"] for row in found.values() if row["error_code"]})
    detail = f"{len(texts)} files, logs and embedded streams searched; codes {', '.join(codes)}"
    if wrong := [*rowless, *unexplained, *lost]:
        detail += f"; wrong: {', '.join(wrong)}"
    return [Line(name, len(refused) + len(answered), bad, detail)]


def _ct_model(source: Path, folder: Path) -> Path:
    """The bench's model as one of CT slices."""
    shutil.copytree(source, folder)
    card = dataclasses.replace(
        read_card(folder), name="drawn-ct", modality="chest-ct", window=(-500.0, 1500.0)
    )
    write_card(card, folder)
    return folder


def _write(folder: Path, ct: Any, slices: int) -> tuple[list[str], list[str]]:
    """Every series in a folder of its own: those to be refused, those to be answered."""
    chest = ct.draw_chest()
    single: dict[str, Any] = {
        "no-pixels": ct.dataset(chest, PixelData=None),
        "other-modality": ct.dataset(chest, SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR"),
        "named-modality": ct.dataset(chest, SOPClassUID="1.2.3.4", Modality="ZAPHOD"),
        "coronal": ct.dataset(chest, ImageOrientationPatient=ct.CORONAL),
        "localizer": ct.dataset(chest, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        "huge": ct.dataset(chest, Rows=60_000, Columns=60_000),
        "lying-size": ct.dataset(chest, Rows=3_000, Columns=3_000),
        "frames": ct.dataset(chest, NumberOfFrames=9_999_999),
        "colour": ct.dataset(chest, SamplesPerPixel=3),
        "video": _packed(ct, chest, "1.2.840.10008.1.2.4.102"),
        "rubbish-packed": _packed(ct, chest, "1.2.840.10008.1.2.4.70"),
        "encrypted": _encrypted(ct, chest),
    }
    for name, made in single.items():
        ct.write(folder / name / "a.dcm", made)
    refused = list(single)
    for name, cut in _CUTS.items():
        path = ct.write(folder / name / "a.dcm", ct.dataset(chest))
        path.write_bytes(cut(path.read_bytes()))
        refused.append(name)
    return refused, list(_sound(folder, ct, slices))


_CUTS: dict[str, Callable[[bytes], bytes]] = {
    "cut-in-pixels": lambda data: data[: len(data) // 2],
    "cut-in-header": lambda data: data[:700],
    "empty-header": lambda data: data[:132],
    "scrambled": lambda data: bytes(byte ^ 0x5A for byte in data),
}


def _sound(folder: Path, ct: Any, slices: int) -> Iterator[str]:
    """Series with faults that cost them slices and no answer."""
    for index in range(6):
        chest = ct.draw_chest(index)
        mixed = ct.draw_chest(index, side=64) if index == 3 else chest
        ct.write(folder / "mixed-sizes" / f"{index}.dcm", ct.dataset(mixed, 2.0 * index))
        made = ct.dataset(chest, 2.0 * index)
        for copy in ("a", "b"):
            ct.write(folder / "duplicates" / f"{copy}{index}.dcm", made)
        if index != 2:
            ct.write(folder / "missing" / f"{index}.dcm", ct.dataset(chest, 2.0 * index))
        private = ct.dataset(chest, 2.0 * index)
        block = private.private_block(0x0011, ct.SECRET, create=True)
        block.add_new(1, "LO", ct.SECRET)
        block.add_new(2, "PN", ct.SECRET)
        ct.write(folder / "private-tags" / f"{index}.dcm", private)
    yield from ("mixed-sizes", "duplicates", "missing", "private-tags")
    small = ct.draw_chest(side=_SMALL)
    for index in range(slices):
        made = ct.dataset(small, 0.25 * index, PixelSpacing=[5.0, 5.0])
        ct.write(folder / "long" / f"{index:05}", made)
    yield "long"
    for index in range(4):
        other = {"SeriesInstanceUID": "1.9"} if index % 2 else {}
        ct.write(folder / "two-series" / f"{index}.dcm",
                 ct.dataset(ct.draw_chest(index), 2.0 * index, **other))  # fmt: skip
    yield "two-series"


def _packed(ct: Any, chest: Any, syntax: str) -> Any:
    from pydicom.encaps import encapsulate

    made = ct.dataset(chest, syntax=syntax)
    made.PixelData = encapsulate([b"\xff\xd8" + b"\x5a" * 400])
    made["PixelData"].VR = "OB"
    return made


def _encrypted(ct: Any, chest: Any) -> Any:
    import pydicom

    made, item = ct.dataset(chest), pydicom.Dataset()
    item.EncryptedContent = b"\1\2\3\4"
    made.EncryptedAttributesSequence = pydicom.Sequence([item])
    return made
