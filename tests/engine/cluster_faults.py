"""What goes wrong on the workers of a test's cluster: told by files in a folder, so that it can
change while they run. ``CASE.kill`` ends the process that classifies CASE, ``CASE.wait`` holds it
up until the file is gone, ``CASE.full`` fills its disk; ``unshared`` hides the driver's disk.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin


class Faults(WorkerPlugin):
    """A fake network on every worker, and the faults."""

    name = "faults"

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = str(folder), str(root)

    def setup(self, worker: Any) -> None:
        """Called in each worker process, those that take the place of a killed one included."""
        if self.root not in sys.path:
            sys.path.insert(0, self.root)
        import lungscan.classification.loading as loading
        import lungscan.cluster.worker as cluster_worker
        from tests.models import FakeRuntime

        folder, answer, sees = (
            Path(self.folder),
            cluster_worker.answer_case,
            cluster_worker.sees_folder,
        )

        def load(*_: object) -> FakeRuntime:
            return FakeRuntime()

        def troubled(classifier: Any, case: Any, job: Any, progress: Any) -> Any:
            with (folder / "log").open("a") as log:
                log.write(f"{case.case_id}\n")
            if (folder / f"{case.case_id}.kill").exists():
                os.kill(os.getpid(), signal.SIGKILL)
            if (folder / f"{case.case_id}.full").exists():
                raise OSError(28, "No space left on device")
            while (folder / f"{case.case_id}.wait").exists():
                time.sleep(0.02)
            return answer(classifier, case, job, progress)

        loading.load_runtime = load  # type: ignore[assignment]
        cluster_worker.answer_case = troubled
        cluster_worker.sees_folder = lambda job: not (folder / "unshared").exists() and sees(job)
