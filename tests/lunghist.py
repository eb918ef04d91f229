"""Drawn archives of LungHist700's layout."""

from __future__ import annotations

import io

from PIL import Image

from tests.drawing import draw_he

KINDS = ("aca_bd", "aca_md", "aca_pd", "nor", "scc_bd", "scc_md", "scc_pd")
HEAD = "superclass,subclass,resolution,image_id,patient_id"


def picture(seed: int, size: tuple[int, int] = (160, 120)) -> bytes:
    data = io.BytesIO()
    Image.fromarray(draw_he(*size, seed)).save(data, "JPEG")
    return data.getvalue()


def members(
    head: str = HEAD,
    lines: tuple[str, ...] | None = None,
    *,
    size: tuple[int, int] = (160, 120),
    patients: int = 1,
) -> dict[str, bytes]:
    """Two pictures of each of the seven kinds and each patient of it, at 20x and 40x.

    Patient 1 has the first kind, 2 the second, and so on; 8 again the first.
    """
    found, rows = {}, []
    for number, kind in enumerate(KINDS * patients, 1):
        superclass, _, subclass = kind.partition("_")
        for power in ("20x", "40x"):
            found[f"LungHist700/images/{kind}/{kind}_{power}_{number}.jpg"] = picture(number, size)
            rows.append(f"{superclass},{subclass},{power},{number},{number}")
    table = "\n".join((head, *(rows if lines is None else lines)))
    return found | {"LungHist700/data.csv": table.encode(), "LungHist700/readme.txt": b"x"}
