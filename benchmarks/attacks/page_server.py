"""A page with small limits, so that an attack reaches them in seconds: run as a process of its own.

    python page_server.py MODEL [PASSWORD_FILE]

Prints its port. It is the server of ``lungscan web``; only the limits differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lungscan_web.jobs.limits import Limits
from lungscan_web.main import run
from lungscan_web.server.settings import WebSettings

LIMITS = Limits(
    upload_bytes=6_000_000, files=5, members=200, pixels=100_000_000, jobs_in_hand=20,
    jobs_kept=200, free_bytes=1, stall_seconds=2, head_seconds=2, absent_seconds=300,
)  # fmt: skip

if __name__ == "__main__":
    model, *rest = sys.argv[1:]
    auth = Path(rest[0]) if rest else None
    settings = WebSettings(model=model, port=0, auth=auth, limits=LIMITS)
    raise SystemExit(run(settings, lambda line: print(line, flush=True)))
