"""The page's tests: a server on a real port, and jobs that a fake process answers at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

try:
    import jinja2  # noqa: F401
    import python_multipart  # noqa: F401
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    REASON = f"the page needs the extra `web`: {error}"
else:
    REASON = ""
    from tests.web.serving import Page, Rehearsal


class Unavailable(pytest.Module):
    """A file of tests that cannot even be imported."""

    def collect(self) -> Iterator[pytest.Item]:
        """Skip it."""
        pytest.skip(REASON, allow_module_level=True)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Without the extra there is nothing to import."""
    return Unavailable.from_parent(parent, path=module_path) if REASON else None


@pytest.fixture
def rehearsal() -> Rehearsal:
    """What fake processes do, and which there were."""
    return Rehearsal()


@pytest.fixture
def page(rehearsal: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page with small limits whose jobs are answered by fakes."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Page(rehearsal) as opened:
        yield opened
