"""The map of a slide while it fills: what its process has scored so far, for the page to read on.

A file beside the answer's pictures: a line with the classes, then a line for each tile in the
order in which they were scored. The page hands it out piece by piece and keeps nothing of it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungscan_web.jobs.limits import NotHere

if TYPE_CHECKING:
    from lungscan.events import ScoredTiles
    from lungscan.types import ModelStamp

LIVE = "live.jsonl"
PIECE_BYTES = 256 << 10  # handed out at once


class LiveMap:
    """Writes the map of one case; for the job's process."""

    def __init__(self, folder: Path, model: ModelStamp) -> None:
        """``folder`` is the view of the case; it may not be there yet."""
        from lungscan_web.jobs.answering import class_looks

        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / LIVE
        self._path.write_text(
            json.dumps(list(class_looks(model))) + "\n", encoding="ascii", newline="\n"
        )

    def add(self, scored: ScoredTiles) -> None:
        """Append what a batch found: x, y, width, height, best class or -1, its probability, state.

        A page that cannot keep it (a full disk) shows less; the answer is not touched.
        """
        import numpy as np

        rows = []
        for offset, (probs, state) in enumerate(zip(scored.probs, scored.state, strict=True)):
            box = scored.grid[scored.first + offset].tolist()
            best = -1 if np.isnan(probs).any() else int(probs.argmax())  # NaN: not readable
            rows.append([*box, best, round(float(probs[best]), 4) if best >= 0 else 0, state.value])
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        with self._path.open("a", encoding="ascii", newline="\n") as file:
            file.write(text)

    def end(self) -> None:
        """The answer is there, which holds all of it."""
        with suppress(OSError):  # Windows lets nobody remove it while the page reads on
            self._path.unlink()


def read_on(folder: Path, begin: int) -> dict[str, Any]:
    """What has come since ``begin``, which is 0 or the ``next`` of the piece before.

    Raises:
        NotHere: nothing has been scored yet, or the answer is there.
    """
    try:
        with (folder / LIVE).open("rb") as file:
            file.seek(begin)
            piece = file.read(PIECE_BYTES)
    except OSError as error:
        raise NotHere("There is no map that fills now.") from error
    whole = piece[: piece.rfind(b"\n") + 1]
    lines = [json.loads(line) for line in whole.splitlines()]
    classes = lines.pop(0) if begin == 0 and lines else None
    return {"next": begin + len(whole), "classes": classes, "tiles": lines}
