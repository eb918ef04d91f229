"""Build wheel and sdist twice, from two copies at two times, and look at them.

    python packaging/check_packages.py --out dist

Ends with 1 unless both builds have the same bytes, the wheel holds every model with the SHA-256
that its card names, and the sdist builds the very same wheel. Leaves wheel and sdist in ``--out``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
EPOCH = "1577836800"  # 2020-01-01: the time of every file inside
NOT_SOURCE = shutil.ignore_patterns(
    ".git", "__pycache__", "*.egg-info", ".mypy_cache", ".ruff_cache", ".pytest_cache", "dist"
)


def build(source: Path, out: Path, kind: str) -> Path:
    """Build one of ``wheel`` and ``sdist``."""
    subprocess.run(
        [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", out, source],
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"SOURCE_DATE_EPOCH": EPOCH},
    )
    (made,) = out.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


def faults_of_models(wheel: Path) -> list[str]:
    """Files of models that are missing, or are not those that the card names."""
    faults, cards = [], 0
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for name in names:
            if not name.endswith("/card.json"):
                continue
            cards += 1
            folder = name.rpartition("/")[0]
            for file, digest in json.loads(archive.read(name))["files"].items():
                inside = f"{folder}/{file}"
                if inside not in names:
                    faults.append(f"{inside} is missing")
                elif hashlib.sha256(archive.read(inside)).hexdigest() != digest:
                    faults.append(f"{inside} is not the card's")
    return faults if cards else ["no model at all"]


def check(out: Path) -> list[str]:
    """What is wrong; wheel and sdist are left in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        first = {kind: build(ROOT, work / f"first-{kind}", kind) for kind in ("wheel", "sdist")}
        shutil.copytree(ROOT, work / "copy", ignore=NOT_SOURCE)
        for path in (work / "copy").rglob("*"):
            os.utime(path, (2_000_000_000, 2_000_000_000), follow_symlinks=False)
        again = {
            kind: build(work / "copy", work / f"second-{kind}", kind) for kind in ("wheel", "sdist")
        }
        faults = [
            f"{kind}: two builds differ"
            for kind in first
            if first[kind].read_bytes() != again[kind].read_bytes()
        ]
        with tarfile.open(first["sdist"]) as archive:
            archive.extractall(work / "unpacked", filter="data")
        (source,) = (work / "unpacked").iterdir()
        third = build(source, work / "third", "wheel")
        if third.read_bytes() != first["wheel"].read_bytes():
            faults.append("the sdist makes another wheel")
        faults += faults_of_models(first["wheel"])
        for made in first.values():
            digest = hashlib.sha256(made.read_bytes()).hexdigest()
            print(f"{made.name}: {made.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")
            shutil.copyfile(made, out / made.name)
    return faults


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    found = check(parser.parse_args().out.resolve())
    for fault in found:
        print(fault, file=sys.stderr)
    sys.exit(1 if found else 0)
