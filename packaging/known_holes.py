"""Ask a database of known holes about every locked version, and first whether there is one.

    python packaging/known_holes.py [REQUIREMENTS]      needs pip-audit

pip-audit skips what its service does not know, and then ends with success: behind a mirror of the
package index that has no such data it finds nothing in anything. So it is first asked about a
version whose hole is known; where that is not found, nothing is proved, and this says so.

Exit codes: 0 none known, 1 some, 3 no database was at hand.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.lock")
CANARY = "pillow==10.0.0"  # CVE-2023-4863, the heap overflow in libwebp
NONE, SOME, UNKNOWN = 0, 1, 3


def holes(requirements: Path) -> list[str] | None:
    """What pip-audit finds, one line each; None when it could not ask."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
            *("--no-deps", "--disable-pip", "--vulnerability-service", "osv"),
            *("--timeout", "10", "--requirement", str(requirements)),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None
    return [
        f"{part['name']} {part.get('version', '')}: {hole['id']}"
        for part in found
        for hole in part.get("vulns", [])
    ]


def main(requirements: Path) -> int:
    """Ask, print, and return the exit code."""
    with tempfile.TemporaryDirectory() as scratch:
        canary = Path(scratch) / "canary.txt"
        canary.write_text(CANARY + "\n", encoding="utf-8")
        if not holes(canary):
            print(
                f"No database of known holes is at hand ({CANARY} counts as sound): nothing proved."
            )
            return UNKNOWN
    found = holes(requirements)
    if found is None:
        print(f"{requirements.name} could not be checked: nothing proved.")
        return UNKNOWN
    print("\n".join(found) or f"{requirements.name}: no known holes.")
    return SOME if found else NONE


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else LOCK))
