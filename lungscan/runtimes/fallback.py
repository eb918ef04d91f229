"""A run that loses its GPU goes on on the CPU, and says so."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

from lungscan.errors import LungScanError, MachineError
from lungscan.runtimes.runtime import DeviceFailed, Runtime
from lungscan.types import FloatArray, RgbBatch

Load = Callable[[str, int, int | None], Runtime]  # device, threads, batch size


class FallbackRuntime:
    """What ``--device auto`` found, and the CPU when that fails: OpenVINO, or else torch.

    Only for ``auto``. Who names a device wants that one: its precision, its speed, or to see that
    it works, and a run that takes days instead of hours would help nobody. Such a run ends with
    the error, and goes on when it is started again. An evaluation does not fall back either: its
    figures are those of one device.
    """

    def __init__(self, load: Load, device: str, threads: int, batch_size: int | None) -> None:
        """Load the network; see ``lungscan.runtimes.load_runtime`` for arguments and errors."""
        self._load, self._threads = load, threads
        self._may_fall_back = device == "auto"
        self._lock = threading.Lock()
        self._local = threading.local()
        self._notices: deque[str] = deque()
        try:
            self.now = load(device, threads, batch_size)
        except MachineError as error:
            self.now = self._spare(error)

    @property
    def device(self) -> str:
        """What answered the calling thread's last batch; before its first, what would answer."""
        answered: str = getattr(self._local, "device", self.now.device)
        return answered

    @property
    def batch_size(self) -> int:
        """Tiles per call that suit the device at present."""
        return self.now.batch_size

    def predict(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        """See ``Runtime.predict``. One device answers the whole batch."""
        runtime = self.now
        try:
            answer = runtime.predict(batch)
        except DeviceFailed as error:
            self._replace(runtime, error)
            return self.predict(batch)
        self._local.device = runtime.device
        return answer

    def notices(self) -> Iterator[str]:
        """Sentences about what has changed since this was asked last."""
        while self._notices:
            yield self._notices.popleft()

    def _replace(self, failed: Runtime, error: DeviceFailed) -> None:
        with self._lock:
            if self.now is failed:  # else another thread met the same and was faster
                self.now = self._spare(error)

    def _spare(self, error: MachineError) -> Runtime:
        """The network on the CPU; raises ``error`` when that is not wanted or works no better."""
        if not self._may_fall_back:
            raise error
        self._may_fall_back = False
        for device in ("cpu", "torch-cpu"):
            try:
                runtime = self._load(device, self._threads, None)
            except (LungScanError, ImportError, RuntimeError):
                continue  # the first error is the one to tell
            self._notices.append(
                f"{error} From here on {runtime.device} answers; the column device of cases.csv "
                "says what answered each case."
            )
            return runtime
        raise error
