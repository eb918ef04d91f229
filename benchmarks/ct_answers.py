"""What gets an answer from the CT model, and what of CT gets one from the H&E model.

    python benchmarks/ct_answers.py --data ../shared/data [--head Cranium.inv3] [--ct-model lung-ct]

Of each kind: how many, which share is refused, and why. ``--head`` is a CT of a head as an
InVesalius project (Debian's package invesalius-examples has one); its slices, their other planes
and its projections are other organs, planes and radiographs that are real. Trunks cut lengthwise,
radiographs and bellies (real chests whose lungs are filled) are made, and named so.
"""

from __future__ import annotations

import argparse
import csv
import plistlib
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lungscan.modalities.ct.lungs import body_and_lungs, otsu_level
from lungscan.options import ScanOptions
from lungscan.scanning.scan import scan

WINDOWS = {"lung": (-500, 1500), "brain": (40, 400), "bone": (400, 2000), "soft": (40, 350)}
MADE = 60  # of each kind
SIDE = 256
Plane = NDArray[np.float32]


def main() -> None:
    """Write the pictures of every kind, classify them, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--head", type=Path, help="an InVesalius project of a head")
    parser.add_argument("--ct-model", default="lung-ct")
    parser.add_argument("--he-model", default="lung-histology")
    given = parser.parse_args()
    print("| model | shown | n | refused | of which |\n|---|---|---:|---:|---|")
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "made"
        for kind, pictures in _made(given.data, given.head):
            _save(made / kind, pictures)
        for kind, paths in {**_real(given.data), **_kinds(made)}.items():
            _print(given.ct_model, kind, paths, Path(scratch) / "out")
        for kind in ("iq-oth-nccd", "foreign-ct", "ct-dicom"):
            _print(given.he_model, kind, [given.data / kind], Path(scratch) / "out")


def _real(data: Path) -> dict[str, list[Path]]:
    """Folders of the shared pictures; every fifth file where there are many."""
    folders = {
        "slices of its own collection": data / "iq-oth-nccd",
        "foreign-ct: another collection": data / "foreign-ct",
        "H&E: lung": data / "lc25000-lung",
        "H&E: colon": data / "lc25000-colon",
        "H&E and smears: other organs": data / "foreign",
        "H&E: other laboratories": data / "external-lung",
    }
    found = {kind: sorted(p for p in path.rglob("*") if p.suffix in {".jpg", ".jpeg", ".png"})
             for kind, path in folders.items()}  # fmt: skip
    return {kind: paths[:: max(1, len(paths) // 250)] for kind, paths in found.items()}


def _kinds(folder: Path) -> dict[str, list[Path]]:
    return {path.name: [path] for path in sorted(folder.iterdir())}


def _print(model: str, kind: str, paths: list[Path], out: Path) -> None:
    options = ScanOptions(tuple(paths), out, model=model, pdf="none", heatmap=False, geojson=False,
                          fresh=True, unproven=True)  # fmt: skip
    for _ in scan(options):
        pass
    with (out / "cases.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["status"] != "skipped"]
    refused = [row for row in rows if not row["label"]]
    why = ", ".join(f"{c} {n}" for c, n in Counter(r["error_code"] for r in refused).most_common())
    print(
        f"| {model} | {kind} | {len(rows)} | {len(refused) / len(rows):.1%} | {why} |", flush=True
    )


# Made pictures ------------------------------------------------------------------------------------


def _made(data: Path, head: Path | None) -> Iterator[tuple[str, list[NDArray[np.uint8]]]]:
    rng = np.random.default_rng(0)
    yield "another plane: drawn trunks", [_trunk(rng) for _ in range(MADE)]
    yield "X-rays: drawn", [_radiograph(rng) for _ in range(MADE)]
    slices = sorted((data / "iq-oth-nccd").rglob("*.jpg"))
    chosen = [slices[row] for row in rng.permutation(len(slices))[:MADE]]
    yield "other organs: bellies made of chests", [_abdomen(path, rng) for path in chosen]
    if head is None:
        return
    volume, (thick, across) = _volume(head)
    stretch = thick / across
    axial = [_grey(volume[z], w) for z in range(2, len(volume), 6) for w in WINDOWS.values()]
    yield "other organs: a head", axial
    cuts = [_tall(plane[::-1], stretch) for at in range(60, 200, 10)
            for plane in (volume[:, at, :], volume[:, :, at])]  # fmt: skip
    yield "another plane: a head", [_grey(cut, w) for cut in cuts for w in WINDOWS.values()]
    rays = [_tall(np.clip(volume, -1000, 2000).mean(axis)[::-1], stretch) for axis in (1, 2)]
    yield "X-rays: projections of a head", [
        _grey(ray * gain, (float(ray.mean()) * gain, float(np.ptp(ray)) * gain * width))
        for ray in rays for gain in (1, 0.8, 1.2) for width in (0.7, 1, 1.3)
    ]  # fmt: skip


def _volume(path: Path) -> tuple[Plane, tuple[float, float]]:
    """Hounsfield units (z, y, x), and the distances of slices and of pixels in mm."""
    with tarfile.open(path) as archive:
        members = {Path(member.name).name: member for member in archive.getmembers()}
        plist = plistlib.loads(archive.extractfile(members["main.plist"]).read())  # type: ignore[union-attr]
        raw = archive.extractfile(members[plist["matrix"]["filename"]]).read()  # type: ignore[union-attr]
    shape = plist["matrix"]["shape"]
    volume = np.frombuffer(raw, plist["matrix"]["dtype"]).reshape(shape).astype(np.float32)
    return volume, (plist["spacing"][2], plist["spacing"][0])


def _trunk(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A trunk cut lengthwise, coronal or sagittal, as reformats and viewers show it."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    coronal = bool(rng.integers(2))
    half = rng.uniform(0.3, 0.48) if coronal else rng.uniform(0.18, 0.3)
    top, bottom = (
        (0.0, 1.0) if rng.random() < 0.5 else (rng.uniform(0.05, 0.2), rng.uniform(0.8, 1))
    )
    narrow = 1 - 0.5 * np.clip((0.25 - y) / 0.25, 0, 1) * rng.uniform(0, 1)  # towards the neck
    body = (np.abs(x - 0.5) < half * narrow) & (y >= top) & (y <= bottom)
    hounsfield = np.where(body, 40.0, -1000.0)
    for centre in (0.5 - half / 2, 0.5 + half / 2) if coronal else (0.5,):
        wide, high = half * (0.34 if coronal else 0.7), rng.uniform(0.18, 0.3)
        lung = ((x - centre) / wide) ** 2 + ((y - rng.uniform(0.38, 0.48)) / high) ** 2 < 1
        hounsfield[lung & body] = -860
    hounsfield += rng.normal(0, rng.uniform(5, 40), hounsfield.shape)
    return _grey(hounsfield.astype(np.float32), WINDOWS["lung" if rng.random() < 0.7 else "soft"])


def _radiograph(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A chest radiograph: shoulders and belly reach the edges, lungs are darker, ribs cross."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    grey = rng.uniform(130, 190) + 30 * y
    for centre in (rng.uniform(0.25, 0.33), rng.uniform(0.67, 0.75)):
        inside = ((x - centre) / 0.17) ** 2 + ((y - 0.45) / rng.uniform(0.26, 0.36)) ** 2
        grey -= rng.uniform(70, 110) / (1 + np.exp(8 * (inside - 1)))
    grey += 12 * np.sin(40 * (y + 0.5 * np.abs(x - 0.5)))
    grey[(y < 0.12) & (np.abs(x - 0.5) > 0.3 + y)] = 15
    return np.clip(grey + rng.normal(0, 5, grey.shape), 0, 255).astype(np.uint8)


def _abdomen(path: Path, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A real slice with its lungs filled by something like bowel and fat."""
    grey = np.asarray(Image.open(path).convert("L"), np.float32)
    bright = grey > otsu_level(grey)
    body, lungs = body_and_lungs(bright)
    tissue = float(np.median(grey[body & bright]))
    blobs = Image.fromarray(rng.integers(0, 255, (14, 14), np.uint8)).resize(grey.shape[::-1])
    filling = tissue * (0.85 + 0.2 * (np.asarray(blobs, np.float32) > 127))
    filled = np.where(lungs, filling + rng.normal(0, 4, grey.shape), grey)
    return np.clip(filled, 0, 255).astype(np.uint8)


def _tall(plane: Plane, stretch: float) -> Plane:
    """A plane across slices, with square pixels, as wide as it is on a black square."""
    size = (plane.shape[1], round(plane.shape[0] * stretch))
    return np.asarray(Image.fromarray(plane).resize(size), np.float32)


def _grey(hounsfield: Plane, window: tuple[float, float]) -> NDArray[np.uint8]:
    level, width = window
    return np.clip((hounsfield - level + width / 2) / width * 255, 0, 255).astype(np.uint8)


def _save(folder: Path, pictures: list[NDArray[np.uint8]]) -> None:
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:04}.png")


if __name__ == "__main__":
    main()
