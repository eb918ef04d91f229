"""The documentation's site, built for tests as the documentation says."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[1] / "packaging/docs/mkdocs.yml"
NEEDS_DOCS = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("mkdocs", "material", "mkdocstrings")),
    reason='needs the extra docs: pip install ".[docs]"',
)


def build_site(folder: Path) -> None:
    """Build it into ``folder``; any warning fails the test."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"),
            *("--config-file", os.fspath(CONFIG), "--site-dir", os.fspath(folder)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},  # the theme's word about its own future
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr + done.stdout, done.stderr
