"""The window's tests: offscreen, and skipped with the reason where Qt cannot be loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

try:
    import PyQt6.QtWidgets  # noqa: F401
except ImportError as error:
    REASON = f"the window needs Qt, which cannot be loaded: {error}"
else:
    REASON = ""
    from tests.gui.fixtures import (  # noqa: F401
        demo_slide,
        no_reader,
        quick,
        settings,
        wait,
        window,
        with_reports,
    )


class Unavailable(pytest.Module):
    """A file of tests that cannot even be imported."""

    def collect(self) -> Iterator[pytest.Item]:
        """Skip it."""
        pytest.skip(REASON, allow_module_level=True)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Without Qt there is nothing to import."""
    return Unavailable.from_parent(parent, path=module_path) if REASON else None
