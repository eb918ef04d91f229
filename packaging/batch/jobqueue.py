"""Workers of a cluster by Slurm or PBS, and one run of LungScan on them.

    python jobqueue.py slurm /data/slides /data/results --jobs 20 [--queue NAME] [--print]

Each job of the batch system is one worker process on four cores. A worker ends by itself before its
time is up (``--lifetime``), and not all at once: the slide in its work then goes to another without
blame, where a killed worker would count against the slide. The cluster asks for a new job in its
place. Needs the extra ``cluster`` and ``dask-jobqueue``.

The scheduler runs on the machine where this is started, at one address that the nodes reach
(``--host``); if that network is not closed, use TLS: see docs/scale.md.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
from typing import Any

CORES, MEMORY = 4, "8GB"
WALLTIME, LIFETIME, STAGGER = "04:00:00", "225m", "10m"  # ends 5 to 15 minutes before the limit


def make_cluster(kind: str, queue: str | None, host: str) -> Any:
    """A cluster whose workers are jobs; none is submitted yet."""
    import dask
    from dask_jobqueue import PBSCluster, SLURMCluster

    dask.config.set(
        {
            "distributed.scheduler.worker-saturation": 1.0,
            "distributed.scheduler.allowed-failures": 1,
            "distributed.scheduler.worker-ttl": "60s",
        }
    )
    chosen: dict[str, Any] = {
        "queue": queue,
        "cores": 1,  # cases at a time; the threads of LungScan come on top
        "processes": 1,
        "memory": MEMORY,
        "walltime": WALLTIME,
        "worker_extra_args": ["--lifetime", LIFETIME, "--lifetime-stagger", STAGGER],
        "scheduler_options": {"host": host, "dashboard_address": "127.0.0.1:0"},
    }
    if kind == "slurm":
        return SLURMCluster(job_cpu=CORES, **chosen)
    return PBSCluster(resource_spec=f"select=1:ncpus={CORES}:mem=8gb", **chosen)


def main() -> int:
    """Start workers, run LungScan on them, end them."""
    parser = argparse.ArgumentParser(description="LungScan on a batch system's nodes.")
    parser.add_argument("kind", choices=("slurm", "pbs"))
    parser.add_argument("slides")
    parser.add_argument("out")
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--queue")
    parser.add_argument("--host", default=socket.gethostbyname(socket.gethostname()))
    parser.add_argument("--print", action="store_true", help="show the job's script, submit none")
    given = parser.parse_args()
    with make_cluster(given.kind, given.queue, given.host) as cluster:
        if given.print:
            print(cluster.job_script())
            return 0
        cluster.adapt(minimum_jobs=1, maximum_jobs=given.jobs)
        command = ["lungscan", "classify", given.slides, "--out", given.out]
        return subprocess.call([*command, "--cluster", cluster.scheduler_address])


if __name__ == "__main__":  # each worker imports this file anew
    sys.exit(main())
