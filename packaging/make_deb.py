"""Make a .deb of a program that ``build_program.py`` built. Needs ``dpkg-deb``.

    python packaging/make_deb.py dist/lungscan --out dist

The package puts the program's folder to /usr/lib/lungscan, the command to /usr/bin, and gives the
desktop its entry, icons and types of files. It runs no script when it is installed or removed: what
the desktop keeps of these the system itself brings up to date.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
SHELLS = {
    "bash": "usr/share/bash-completion/completions/lungscan",
    "zsh": "usr/share/zsh/vendor-completions/_lungscan",
    "fish": "usr/share/fish/vendor_completions.d/lungscan.fish",
}
# What Qt leaves to the system: drivers of the graphics card, which no program can bring along.
QT_NEEDS = "libegl1, libgl1"
CONTROL = """Package: lungscan
Version: {version}
Architecture: {architecture}
Maintainer: The LungScan authors
Installed-Size: {kilobytes}
Depends: libc6 (>= {glibc}), zlib1g{more}
Section: science
Priority: optional
Description: classifies H&E lung tissue on whole slides and fields
 Finds the tissue, scores it tile by tile with a small network, and writes
 a table and a report for each case. Needs no Python and no network.
 .
 Research use only. Not for use in diagnostic procedures.
"""


def make(program: Path, out: Path, level: int = 10) -> Path:
    """Write the package into ``out``."""
    window = (program / "_internal" / "PyQt6").is_dir()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        root.chmod(0o755)
        shutil.copytree(program, root / "usr/lib/lungscan", symlinks=True)
        (root / "usr/bin").mkdir(parents=True)
        (root / "usr/bin/lungscan").symlink_to("../lib/lungscan/lungscan")
        _documents(root)
        if window:
            _desktop(root)
        _completions(root)
        architecture = _output_of("dpkg", "--print-architecture")
        control = CONTROL.format(
            version=version("lungscan-histology"),
            architecture=architecture,
            kilobytes=sum(p.lstat().st_size for p in root.rglob("*")) // 1024,
            glibc=_glibc(program),
            more=f", {QT_NEEDS}" if window else "",
        )
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN" / "control").write_text(control, encoding="utf-8")
        package = out / f"lungscan_{version('lungscan-histology')}_{architecture}.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zzstd", f"-z{level}", "--build", root, package],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"SOURCE_DATE_EPOCH": "1577836800"},
        )
    return package


def _documents(root: Path) -> None:
    place = root / "usr/share/doc/lungscan"
    place.mkdir(parents=True)
    shutil.move(root / "usr/lib/lungscan/LICENCES.txt", place / "copyright")


def _desktop(root: Path) -> None:
    for source, target in (
        (HERE / "linux/lungscan.desktop", "usr/share/applications/lungscan.desktop"),
        (HERE / "linux/lungscan-mime.xml", "usr/share/mime/packages/lungscan.xml"),
        (HERE / "icon/lungscan.svg", "usr/share/icons/hicolor/scalable/apps/lungscan.svg"),
    ):
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, root / target)
    for picture in (HERE / "icon").glob("lungscan-*.png"):
        size = picture.stem.partition("-")[2]
        target = root / f"usr/share/icons/hicolor/{size}x{size}/apps/lungscan.png"
        target.parent.mkdir(parents=True)
        shutil.copyfile(picture, target)


def _completions(root: Path) -> None:
    for shell, target in SHELLS.items():
        (root / target).parent.mkdir(parents=True)
        script = _output_of(str(root / "usr/lib/lungscan/lungscan"), "completion", shell)
        (root / target).write_text(script + "\n", encoding="utf-8")


def _glibc(program: Path) -> str:
    """The newest version of glibc that any file of the program asks for."""
    asked = {(2, 28)}
    for path in program.rglob("*"):
        if path.is_file() and not path.is_symlink() and (".so" in path.name or not path.suffix):
            for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", path.read_bytes()):
                asked.add((int(major), int(minor)))
    major, minor = max(asked)
    return f"{major}.{minor}"


def _output_of(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--level", type=int, default=10, help="of zstd: 1 is quick, 19 is small")
    chosen = parser.parse_args()
    made = make(chosen.program.resolve(), chosen.out.resolve(), chosen.level)
    print(f"{made}: {made.stat().st_size / 1e6:.0f} MB")
    sys.exit(0)
