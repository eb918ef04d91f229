"""Load a model folder as classifying and ``doctor`` do: ``python -m attacks.load_model FOLDER``.

Exit code 0: everything was loaded; 4: refused, with the sentence on stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lungscan.errors import ModelError
from lungscan.model.checked import find_model
from lungscan.model.folder import read_golden
from lungscan.model.novelty import load_novelty
from lungscan.runtimes import load_runtime


def main(folder: str) -> int:
    """Load all files of a model; returns the exit code."""
    try:
        card = find_model(folder)
        golden = read_golden(card)
        load_novelty(card.folder / "novelty.safetensors")
        runtime = load_runtime(card, "cpu", 1, 1)
        runtime.predict(golden.fields[:1])
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"loaded {Path(folder).name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
