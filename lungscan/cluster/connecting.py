"""The way to a cluster: a scheduler that is there, or processes of our own on this machine."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lungscan.cluster.address import Cluster, Tls
from lungscan.cluster.remote import prepare_scheduler
from lungscan.errors import LungScanError, MachineError, UsageProblem
from lungscan.workers import Stopped, available_threads

if TYPE_CHECKING:
    from distributed import Client
    from distributed.security import Security

GPU = "GPU"  # the resource that a worker with one offers
GPU_DEVICES = ("cuda", "mps")
CONNECT_S = 30.0
COUNT_S = 2.0  # between two looks how many workers there are
WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104  what must not be listened at
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Link:
    """A cluster with at least one worker."""

    client: Client
    resources: dict[str, float]  # that a case needs
    threads: int | None  # of each worker; None: it finds out itself
    dashboard: str
    notices: tuple[str, ...]
    _counted: list[tuple[float, int]] = field(default_factory=list)  # when, how many

    def count(self) -> int:
        """How many workers can take cases; asked of the scheduler every few seconds only."""
        now = time.monotonic()
        if not self._counted or now - self._counted[0][0] > COUNT_S:
            if self.client.status != "running":
                return self._counted[0][1] if self._counted else 0
            self._counted[:] = [(now, len(self.workers()))]
        return self._counted[0][1]

    def workers(self) -> dict[str, Any]:
        """Those that can take cases, by address."""
        return _workers(self.client, self.resources)

    def neighbours(self) -> int:
        """The most worker processes on one machine."""
        hosts = Counter(str(worker.get("host", "")) for worker in self.workers().values())
        return max(hosts.values(), default=1)


def needs_gpu(device: str) -> bool:
    """Whether cases must go to workers that offer a GPU."""
    return device.startswith(GPU_DEVICES)


@contextmanager
def connected(cluster: Cluster, device: str, ending: Event) -> Iterator[Link]:
    """A link to the cluster; one of our own ends with the block.

    Raises:
        UsageProblem: dask is not installed, or the scheduler is open to everybody.
        MachineError: it does not answer, has no worker, or none with a GPU where one is wanted.
        Stopped: ``ending`` was set meanwhile.
    """
    _require_dask()
    import dask

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters comes as an error
    gpu = {GPU: 1.0} if needs_gpu(device) else {}
    settings = {
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.scheduler.allowed-failures": cluster.attempts - 1,
        "distributed.comm.timeouts.connect": f"{CONNECT_S:.0f}s",
    }
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        client = stack.enter_context(_client(cluster, gpu))
        notices = _prepare(client, cluster)
        _wait_for_worker(client, cluster, gpu, ending)
        threads = max(1, available_threads() // cluster.local) if cluster.local else None
        yield Link(client, gpu, threads, str(client.dashboard_link or ""), notices)


def _require_dask() -> None:
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise UsageProblem(
            'Clusters need dask: `python -m pip install "lungscan-histology[cluster]"`, here and '
            "on every worker."
        ) from error


@contextmanager
def _client(cluster: Cluster, gpu: dict[str, float]) -> Iterator[Client]:
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        try:
            if cluster.local:
                place: Any = stack.enter_context(
                    LocalCluster(
                        n_workers=cluster.local,
                        threads_per_worker=1,
                        processes=True,
                        host="127.0.0.1",
                        dashboard_address="127.0.0.1:0",
                        memory_limit=0,
                        security=_own_security(),
                        resources=gpu,
                        silence_logs=logging.CRITICAL,
                    )
                )
                client = Client(place)
            else:
                security = _security(cluster.tls) if cluster.tls else None
                client = Client(cluster.address, security=security, timeout=CONNECT_S)
        except (OSError, ValueError, RuntimeError) as error:
            where = cluster.address or "on this machine"
            raise MachineError(
                f"The cluster {where} cannot be reached ({error}). Check that its scheduler runs, "
                "and address, network and certificates."
            ) from error
        yield stack.enter_context(client)


def _security(tls: Tls) -> Security:
    from distributed.security import Security

    return Security(
        tls_ca_file=str(tls.ca_file),
        tls_client_cert=str(tls.cert),
        tls_client_key=str(tls.key),
        require_encryption=True,
    )


def _own_security() -> Security:
    """Certificates for this run alone: other users of the machine cannot reach its processes."""
    from distributed.security import Security

    return Security.temporary()


def _prepare(client: Client, cluster: Cluster) -> tuple[str, ...]:
    """Set the scheduler's settings; returns what a person should know of the way there."""
    try:
        listening, _ = client.run_on_scheduler(prepare_scheduler, cluster.attempts - 1)
    except LungScanError:
        raise
    except Exception as error:
        raise MachineError(
            f"The scheduler cannot work for LungScan ({type(error).__name__}: {error}). Install "
            "the same version of LungScan where it runs."
        ) from error
    open_to_all = [
        one
        for one in listening
        if one.startswith("tcp") and (urlsplit(one).hostname or "") in WILDCARDS
    ]
    if open_to_all:
        raise UsageProblem(
            f"The scheduler listens at {open_to_all[0]} without TLS: whoever reaches it can run "
            "programs there. Start it with --host and one address, or with TLS (docs/scale.md)."
        )
    host = urlsplit(cluster.address).hostname or ""
    if cluster.address.startswith("tcp") and host not in LOOPBACK:
        return (f"The way to {cluster.address} is not encrypted: use it in a closed network only.",)
    return ()


def _workers(client: Client, resources: dict[str, float]) -> dict[str, Any]:
    known: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return {
        address: worker
        for address, worker in known.items()
        if all(worker.get("resources", {}).get(name, 0) >= n for name, n in resources.items())
    }


def _wait_for_worker(
    client: Client, cluster: Cluster, gpu: dict[str, float], ending: Event
) -> None:
    until = time.monotonic() + cluster.wait_s
    while not (all_of_them := _workers(client, {})):
        if ending.wait(0.2):
            raise Stopped
        if time.monotonic() > until:
            raise MachineError(
                f"The scheduler has no worker, and none came within {cluster.wait_s:.0f} seconds. "
                "Start some with `dask worker`, or give them more time by wait_s in the TOML file."
            )
    if gpu and not _workers(client, gpu):
        raise MachineError(
            f"None of the {len(all_of_them)} workers offers a GPU, which --device asks for. Start "
            "workers on machines that have one with `dask worker --resources GPU=1`, or choose "
            "another --device."
        )
