"""A bill of materials (CycloneDX 1.6, JSON) of an environment that holds LungScan.

    python packaging/write_sbom.py OUT.cdx.json [--python ENVIRONMENT]     needs cyclonedx-bom

Lists LungScan, each distribution with its version and licence, and each shipped model with its
SHA-256. The same environment gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "models" / "lungscan_models"


def libraries(python: str) -> dict[str, Any]:
    """The bill of the environment's distributions."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "cyclonedx_py", "environment", python),
            *("--pyproject", str(ROOT / "pyproject.toml"), "--spec-version", "1.6"),
            *("--output-format", "JSON", "--output-reproducible", "--mc-type", "application"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    bill: dict[str, Any] = json.loads(done.stdout)
    return bill


def models() -> list[dict[str, Any]]:
    """Each shipped model as a component; its SHA-256 is that of its card, which names all files."""
    found = []
    for card in sorted(MODELS.glob("*/card.json")):
        data = card.read_bytes()
        facts = json.loads(data)
        found.append(
            {
                "type": "machine-learning-model",
                "bom-ref": f"model:{facts['name']}@{facts['version']}",
                "name": facts["name"],
                "version": facts["version"],
                "description": facts["summary"],
                "licenses": [{"license": {"id": facts["licence"]}}],
                "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(data).hexdigest()}],
            }
        )
    return found


def write(out: Path, python: str) -> int:
    """Write the bill; returns the number of its components."""
    bill = libraries(python)
    bill["components"] = [*bill.get("components", []), *models()]
    out.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(bill["components"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--python", default=sys.executable)
    chosen = parser.parse_args()
    print(f"{chosen.out}: {write(chosen.out, chosen.python)} components")
