"""LungScan: lung tissue classification for research use.

Importing this package loads nothing heavy; the engine's parts are imported where they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

DISTRIBUTION = "lungscan-histology"  # what pip calls it: `lungscan` there is another project
__version__ = "0.1.0"
RESEARCH_USE = "Research use only. Not for use in diagnostic procedures."


def read_results(out: str | Path) -> pd.DataFrame:
    """The cases of a finished run as a table; see ``lungscan.report.results_table``."""
    from pathlib import Path

    from lungscan.report.results_table import read_results

    return read_results(Path(out))
