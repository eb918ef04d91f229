"""LungScan: lung tissue classification for research use.

Importing this package loads nothing heavy; the engine's parts are imported where they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from lungscan.options import Explain
    from lungscan.types import Explanation

DISTRIBUTION = "lungscan-histology"  # what pip calls it: `lungscan` there is another project
__version__ = "0.1.0"
RESEARCH_USE = "Research use only. Not for use in diagnostic procedures."


def read_results(out: str | Path) -> pd.DataFrame:
    """The cases of a finished run as a table; see ``lungscan.report.results_table``."""
    from pathlib import Path

    from lungscan.report.results_table import read_results

    return read_results(Path(out))


def explain(
    path: str | Path,
    box: tuple[int, int, int, int] | None = None,
    *,
    model: str = "lung-histology",
    method: Explain = "occlusion",
    label: str | None = None,
    mpp: float | None = None,
    device: str = "auto",
) -> Explanation:
    """What the answer of a field or of one tile depends on; see ``lungscan.explaining.one``."""
    from pathlib import Path

    from lungscan.explaining import explain

    return explain(Path(path), box, model=model, method=method, label=label, mpp=mpp, device=device)
