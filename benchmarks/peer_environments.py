"""Virtual environments for the peers, each with the pins without which it does not start today.

- WSInfer 0.6.1 patches a name that zarr 3 no longer has: ``zarr<3``.
- TIAToolbox 2.1.3 asks for a torch below 2.13, of which PyPI holds builds for CUDA alone. All
  programs get the same small CPU build here, so TIAToolbox is installed beside its own bound. Its
  import asks transformers for a network whose file needs all of torchvision since version 5.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CPU_WHEELS = "https://download.pytorch.org/whl/cpu"  # asked where pip's own sources hold none
TORCH = ("torch==2.13.0+cpu", "torchvision==0.28.0", "numpy", "pillow")
SHARED = ("timm==1.0.27",)  # the network comes from here
ASK = "from importlib.metadata import requires; print(*requires('{name}') or (), sep='\\n')"


@dataclass(frozen=True)
class Pins:
    """How a peer is installed."""

    name: str  # of the package
    version: str
    extras: str = ""
    beside: tuple[str, ...] = ()  # further requirements
    without: tuple[str, ...] = ()  # declared requirements that are left out


WSINFER = Pins("wsinfer", "0.6.1", "[openslide]", ("openslide-bin", "zarr<3"))
TIATOOLBOX = Pins(
    "tiatoolbox", "2.1.3", beside=("transformers<5",), without=("torch", "torchvision")
)
ALL = (WSINFER, TIATOOLBOX)


class NotInstalled(Exception):
    """pip could not install a peer; the text is pip's last word."""


def environment_of(pins: Pins, folder: Path) -> Path:
    """The interpreter of the peer's own environment below ``folder``, made now or earlier.

    Raises:
        NotInstalled: there is no such package here, or not for this machine.
    """
    home = folder / pins.name
    python = home / "bin" / "python"
    mark = home / "installed.txt"
    wanted = f"{pins}\n{TORCH}\n{SHARED}\n"
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
    _install_torch(python)
    _install(python, pins)
    mark.write_text(wanted, encoding="utf-8")
    return python


def _install_torch(python: Path) -> None:
    try:
        _pip(python, *TORCH)
    except NotInstalled:
        _pip(python, "--extra-index-url", CPU_WHEELS, *TORCH)


def _install(python: Path, pins: Pins) -> None:
    exact = f"{pins.name}{pins.extras}=={pins.version}"
    if not pins.without:
        _pip(python, exact, *pins.beside, *SHARED)
        return
    _pip(python, "--no-deps", exact)
    command = [str(python), "-c", ASK.format(name=pins.name)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    _pip(python, *needed(text.splitlines(), pins.without), *pins.beside, *SHARED)


def needed(declared: list[str], without: tuple[str, ...]) -> list[str]:
    """The declared requirements less those of extras and those named in ``without``."""
    names = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower() for line in declared]
    return [
        line
        for name, line in zip(names, declared, strict=True)
        if name not in without and "extra ==" not in line
    ]


def _pip(python: Path, *arguments: str) -> None:
    """Install with pip; raises NotInstalled."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--progress-bar", "off", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=_clean())
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotInstalled(lines[-1] if lines else f"pip ended with {done.returncode}")


def _clean() -> dict[str, str]:
    """Our environment without what would lead another interpreter astray."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
