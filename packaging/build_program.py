"""Build the program that needs no Python: one folder, for the system that this runs on.

    python packaging/build_program.py --out dist [--window]

Run it with the Python of an environment that holds LungScan with the extras ``web`` and ``dicom``
(and ``gui`` for the window) and ``pyinstaller``, and little else: what is installed beside them may
get in. Prints the size, and ends with 1 where it is over the limit.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from collect_licences import write_licences

HERE = Path(__file__).parent
LIMIT_MB = {False: 330, True: 450}  # without and with the window


def build(out: Path, *, window: bool) -> Path:
    """The folder of the program, made anew below ``out``."""
    if window and find_spec("PyQt6") is None:
        raise SystemExit("The window needs PyQt6: pip install 'lungscan-histology[gui]'")
    if find_spec("starlette") is None:
        raise SystemExit("The page needs its libraries: pip install 'lungscan-histology[web]'")
    if find_spec("highdicom") is None:
        raise SystemExit("DICOM needs its libraries: pip install 'lungscan-histology[dicom]'")
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(
            [
                sys.executable,
                *("-m", "PyInstaller", str(HERE / "pyinstaller" / "lungscan.spec")),
                *("--noconfirm", "--log-level", "WARN"),
                *("--distpath", str(out), "--workpath", work),
            ],
            check=True,
            env=os.environ | {"LUNGSCAN_WINDOW": str(int(window))},
        )
    folder = out / "lungscan"
    write_licences(folder / "LICENCES.txt", window=window)
    return folder


def megabytes(folder: Path) -> float:
    """What the files of a folder hold, each once."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6


def main() -> int:
    """Build, and look at the size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--window", action="store_true")
    chosen = parser.parse_args()
    folder = build(chosen.out.resolve(), window=chosen.window)
    size, limit = megabytes(folder), LIMIT_MB[chosen.window]
    print(f"{folder}: {size:.0f} MB (limit {limit} MB)")
    return 0 if size <= limit else 1


if __name__ == "__main__":
    sys.exit(main())
