"""Files to take away, under names that say whose they are.

For faces that hand out files as they lie: in a folder of downloads ten files of the name
``report.pdf`` could be anybody's.
"""

from __future__ import annotations

from pathlib import Path
from shutil import copyfile

from lungscan_web.jobs.records import Job

FOLDER = "taken"  # in the page's own folder of a job


def named(job: Job, of_a_run: tuple[str, ...], of_a_case: tuple[str, ...]) -> list[Path]:
    """Those of these files that are there, each by case or model."""
    runs = job.answering()
    wanted = [(f"{model}-{name}", out / name) for _, model, out in runs for name in of_a_run]
    for case in job.cases:
        if case.filed is not None:
            wanted += [(f"{case.key}-{name}", case.filed.folder / name) for name in of_a_case]
    folder = job.view / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = [(folder / name, path) for name, path in wanted if path.is_file()]
    for taken, path in found:
        if not taken.exists():
            copyfile(path, taken)
    return [taken for taken, _ in found]
