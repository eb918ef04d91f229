"""Case results as a scan would give them, drawn with NumPy and Pillow; shared by the tests."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from lungscan.types import (
    CaseResult,
    CaseStatus,
    FileResult,
    ModelStamp,
    MppSource,
    NoResult,
    Prediction,
    Scale,
    SourceInfo,
    TileCounts,
    TilePicture,
    TileQuality,
    TileScores,
    TileState,
)

CLASS_NAMES = ("adenocarcinoma", "benign", "squamous_cell_carcinoma")
MODEL = ModelStamp(
    name="lung-histology",
    version="1.0.0",
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    class_names=CLASS_NAMES,
    display_names=("Adenocarcinoma", "Benign lung tissue", "Squamous cell carcinoma"),
    colors=("#d55e00", "#009e73", "#0072b2"),
    tumour=(True, False, True),
    official=True,
    facts=(
        ("Accuracy, unseen groups", "94.6 % (95 % interval 93.1 to 95.9)"),
        ("Sensitivity, adenocarcinoma", "92.8 % (90.1 to 95.0)"),
        ("Sensitivity, squamous cell carcinoma", "93.9 % (91.2 to 96.1)"),
        ("Expected calibration error", "0.021"),
        ("Fields refused that are not lung H&E", "97.2 %"),
    ),
    limits=(
        "Trained on fields from one camera at one site; other scanners and stains were not seen.",
        "Knows three classes: small cell, large cell and metastatic tumours are named wrongly.",
        "Fields of one patient cannot be told apart in the data; groups were made by likeness.",
    ),
    reliability=(
        (0.45, 0.41, 22), (0.55, 0.57, 40), (0.65, 0.61, 55),
        (0.75, 0.78, 78), (0.85, 0.86, 140), (0.97, 0.98, 965),
    ),
    trained_on="LC25000 lung: 15,000 fields of 768 px, split by group.",
    scale_note="A field without a scale is taken as one field at the model's scale (1.0 µm/px).",
)  # fmt: skip
NO_TILES = TileCounts(0, 0, 0, 0, 0, 0, 0, 0)
SETTINGS = (("model", "lung-histology"), ("abstain", "strict"), ("overlap", "0"), ("mpp", "auto"))


@cache
def drawn_tissue(width: int = 1000, height: int = 760, seed: int = 3) -> NDArray[np.uint8]:
    """A pale slide with one ragged piece of pink and purple tissue, (height, width, 3)."""
    rng = np.random.default_rng(seed)
    mask = _tissue_mask(width, height)
    noise = Image.fromarray(rng.integers(0, 255, (height // 8, width // 8), dtype=np.uint8))
    cells = np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
    grain = rng.normal(0, 9, (height, width)).astype(np.float32)
    mix = np.clip((cells + grain) / 255, 0, 1)[..., None]
    tissue = mix * np.array([226, 170, 200]) + (1 - mix) * np.array([150, 95, 160])
    glass = np.full((height, width, 3), 244.0) + grain[..., None] * 0.2
    picture = np.where(mask[..., None], tissue, glass)
    rgb: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return rgb


def _tissue_mask(width: int, height: int) -> NDArray[np.bool_]:
    image = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(image)
    for x, y, rx, ry in ((0.4, 0.45, 0.28, 0.3), (0.62, 0.55, 0.22, 0.27), (0.5, 0.7, 0.2, 0.15)):
        draw.ellipse(
            ((x - rx) * width, (y - ry) * height, (x + rx) * width, (y + ry) * height), fill=255
        )
    return np.asarray(image.filter(ImageFilter.GaussianBlur(6))) > 127


def jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """The picture as JPEG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def drawn_tile(seed: int, size: int = 224) -> bytes:
    """A textured pink tile as JPEG."""
    return jpeg(drawn_tissue(1000, 760)[200 + seed * 7 :, 260 + seed * 11 :][:size, :size].copy())


def drawn_scores(width: int, height: int, tile: int = 900, file_index: int = 0) -> TileScores:
    """Tiles on the drawn tissue: adenocarcinoma left, squamous right, benign below."""
    mask = _tissue_mask(1000, 760)
    boxes, probs, fractions = [], [], []
    states: list[TileState] = []
    rng = np.random.default_rng(5)
    for y in range(0, height - tile + 1, tile):
        for x in range(0, width - tile + 1, tile):
            column, row = int((x + tile / 2) / width * 1000), int((y + tile / 2) / height * 760)
            if not mask[row, column]:
                continue
            side = (column - 520) / 120
            scores = np.array([-side, (row - 520) / 60, side]) + rng.normal(0, 0.45, 3)
            odds = np.exp(scores * 1.3)
            boxes.append((x, y, tile, tile))
            probs.append(odds / odds.sum())
            fractions.append(0.98)
            states.append(_drawn_state(len(states)))
    n = len(boxes)
    matrix = np.array(probs, dtype=np.float32)
    matrix[[state is TileState.FAILED for state in states]] = np.nan
    ones = np.ones(n, dtype=np.float32)
    focus = np.array([0.2 if s is TileState.BLURRED else 0.9 for s in states], dtype=np.float32)
    return TileScores(
        file_index=file_index,
        boxes=np.array(boxes, dtype=np.int32),
        tissue_fraction=np.array(fractions, dtype=np.float32),
        probs=matrix,
        novelty=rng.uniform(0.2, 0.9, n).astype(np.float32),
        quality=TileQuality(focus=focus, pen=ones * 0, blank=ones * 0.02, valid=ones),
        state=tuple(states),
    )


def _drawn_state(index: int) -> TileState:
    odd = {7: TileState.FAILED, 41: TileState.PEN, 42: TileState.PEN, 90: TileState.NOVEL}
    return odd.get(index, TileState.BLURRED if 120 <= index < 128 else TileState.USED)


def counts_of(scores: tuple[TileScores, ...]) -> TileCounts:
    """Counts that agree with the states."""
    states = [state for part in scores for state in part.state]
    return TileCounts(
        total=len(states),
        **{
            state.value: states.count(state)
            for state in TileState
            if state is not TileState.OTHER_STAIN  # not asked by these models
        },
    )  # fmt: skip


def drawn_file(
    relative_path: str = "ward 7/S24-01877_A1.svs",
    width: int = 30_000,
    height: int = 22_800,
    mpp: float | None = 0.2525,
) -> FileResult:
    """A slide's facts with a drawn thumbnail."""
    source = MppSource.FILE if mpp else MppSource.UNKNOWN
    return FileResult(
        relative_path=relative_path,
        kind="slide",
        sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        info=SourceInfo(width, height, Scale(mpp, source), "aperio", 40.0 if mpp else None),
        mode="tiled",
        tile_spacing_um_px=1.0 if mpp else None,
        tissue_mm2=20.4 if mpp else None,
        pen_mm2=0.2 if mpp else None,
        thumbnail_jpeg=jpeg(drawn_tissue()),
        thumbnail_downsample=width / 1000,
    )


@cache
def slide_result(name: str = "S24-01877_A1.svs", tile: int = 900) -> CaseResult:
    """A whole slide with an answer; ``tile`` sets how many tiles it has (900: some 400)."""
    file = drawn_file(f"ward 7/{name}")
    scores = (drawn_scores(file.info.width, file.info.height, tile),)
    used = np.array([state is TileState.USED for state in scores[0].state])
    winners = np.bincount(scores[0].probs[used].argmax(axis=1), minlength=3)
    share = winners / winners.sum()
    prediction = Prediction(
        label="adenocarcinoma",
        confidence=0.934,
        suggested="adenocarcinoma",
        reason=None,
        reason_text="",
        probs=(0.934, 0.012, 0.054),
        area_mm2=tuple(float(x) for x in share * 20.4),
        tile_share=tuple(float(x) for x in share),
        rule="tumour_aware",
    )
    return CaseResult(
        key="ward-7-s24-01877-a1-1f3a9c",
        case_id=name.rsplit(".", 1)[0],
        status=CaseStatus.OK,
        model=MODEL,
        files=(file,),
        prediction=prediction,
        counts=counts_of(scores),
        tissue_mm2=20.4,
        scores=scores,
        pictures=drawn_pictures(scores[0]),
        flags=("mpp_xy_differ",),
        relative_paths=(file.relative_path,),
        settings_hash="4d1f0c2a9b7e",
        settings=SETTINGS,
        device="openvino CPU (bf16)",
        seconds=9.84,
        started_utc="2026-03-04T10:15:02+00:00",
        finished_utc="2026-03-04T10:15:12+00:00",
        lungscan_version="0.1.0",
    )


def drawn_pictures(scores: TileScores) -> tuple[TilePicture, ...]:
    """Six top tiles and three uncertain ones."""
    order = np.argsort(-np.nan_to_num(scores.probs.max(axis=1)))
    chosen = [("top", int(i)) for i in order[:6]] + [("uncertain", int(i)) for i in order[-4:-1]]
    return tuple(
        TilePicture(
            role="top" if role == "top" else "uncertain",
            file_index=scores.file_index,
            box=tuple(scores.boxes[i].tolist()),
            probs=tuple(float(p) for p in scores.probs[i]),
            jpeg=drawn_tile(place),
        )
        for place, (role, i) in enumerate(chosen)
    )


@cache
def field_result(name: str = "lungaca1.jpeg", mpp: float | None = None) -> CaseResult:
    """One field image, one tile, an answer."""
    whole = slide_result(name)
    width, height = 768, 768
    scores = TileScores(
        file_index=0,
        boxes=np.array([[0, 0, width, height]], dtype=np.int32),
        tissue_fraction=np.array([0.9], dtype=np.float32),
        probs=np.array([[0.02, 0.03, 0.95]], dtype=np.float32),
        novelty=np.array([0.4], dtype=np.float32),
        quality=TileQuality(*(np.array([v], dtype=np.float32) for v in (0.9, 0, 0.1, 1))),
        state=(TileState.USED,),
    )
    picture = jpeg(drawn_tissue()[200:584, 250:634].copy())
    file = replace(
        drawn_file(name, width, height, mpp),
        kind="field",
        mode="whole",
        info=SourceInfo(width, height, Scale(mpp, MppSource.UNKNOWN), "image", None, ("resized",)),
        thumbnail_jpeg=picture,
        thumbnail_downsample=2.0,
        tissue_mm2=None,
        pen_mm2=None,
    )
    assert whole.prediction is not None
    return replace(
        whole,
        key=f"field-{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}",
        files=(file,),
        scores=(scores,),
        counts=counts_of((scores,)),
        pictures=(),
        flags=("scale_unknown", "resized"),
        relative_paths=(name,),
        tissue_mm2=None,
        seconds=0.02,
        prediction=replace(
            whole.prediction,
            label="squamous_cell_carcinoma",
            suggested="squamous_cell_carcinoma",
            confidence=0.95,
            probs=(0.02, 0.03, 0.95),
            area_mm2=None,
            tile_share=(0.0, 0.0, 1.0),
        ),
    )


_REASON_TEXTS = {
    NoResult.OTHER_STAIN: "94 % of the tissue is of another stain or scanner than the training's, "
    "further off than this model can judge.",
    NoResult.NOT_LUNG: "81 % of the tissue does not look like the lung H&E the model was "
    "trained on (limit 50 %).",
    NoResult.UNCERTAIN: "The best class reaches 0.52; 0.70 is needed for an answer.",
    NoResult.LITTLE_TISSUE: "0.03 mm² of tissue was found; 0.10 mm² is needed.",
    NoResult.SOME_TUMOUR: "Tumour was seen in 20 % of the tissue: too small an area to count as "
    "tumour, too large a part for another answer.",
    NoResult.BLURRED: "72 % of the tiles are out of focus (limit 50 %).",
    NoResult.NOT_CHEST_CT: "81 % of what was seen does not look like axial slices of chest CT.",
    NoResult.NO_LUNG: "No lung was found in any slice.",
}


def no_result(reason: NoResult) -> CaseResult:
    """A slide whose label is withheld."""
    base = slide_result(f"S24-0{len(reason)}_{reason.value}.svs")
    assert base.prediction is not None
    empty = reason is NoResult.LITTLE_TISSUE
    prediction = replace(
        base.prediction,
        label=None,
        confidence=None,
        reason=reason,
        reason_text=_REASON_TEXTS[reason],
        suggested=None if empty else "adenocarcinoma",
        probs=() if empty else (0.52, 0.08, 0.40),
        area_mm2=None if empty else base.prediction.area_mm2,
        tile_share=() if empty else base.prediction.tile_share,
    )
    result = replace(
        base, key=f"no-{reason.value}", status=CaseStatus.NO_RESULT, prediction=prediction
    )
    if empty:
        result = replace(result, scores=(), counts=NO_TILES, pictures=(), tissue_mm2=0.03, flags=())
    return result


def flagged_result() -> CaseResult:
    """``--abstain flag``: the label with the reason beside it."""
    base = no_result(NoResult.UNCERTAIN)
    assert base.prediction is not None
    replaced = replace(base.prediction, label="adenocarcinoma", confidence=0.52)
    return replace(base, key="flagged", status=CaseStatus.OK, prediction=replaced)


def partial_result() -> CaseResult:
    """An answer although some tiles could not be read."""
    return replace(
        slide_result("partial.svs"),
        key="partial",
        status=CaseStatus.PARTIAL,
        error_code="E_TILE",
        error_message="1 of 221 tiles could not be read; the answer rests on the others.",
    )


def failed_result(name: str = "broken.svs", code: str = "E_OPEN") -> CaseResult:
    """A file that could not be opened."""
    return replace(
        slide_result(name),
        key="broken-svs-77aa01",
        status=CaseStatus.FAILED,
        files=(),
        prediction=None,
        counts=NO_TILES,
        tissue_mm2=None,
        scores=(),
        pictures=(),
        flags=(),
        relative_paths=(name,),
        seconds=0.0,
        error_code=code,
        error_message=f"{name} is cut off: 1,204 of 88,200 bytes are there.",
    )


def skipped_result(name: str = "Thumbs.db") -> CaseResult:
    """A file left out on purpose."""
    return replace(
        failed_result(name),
        key="thumbs-db-0",
        status=CaseStatus.SKIPPED,
        error_code="",
        error_message="Not an image: a folder cache of Windows.",
    )


@cache
def two_file_result() -> CaseResult:
    """A case of two slides."""
    base = slide_result("block A.svs")
    second = drawn_file("ward 7/block B.svs", mpp=0.5)
    second = replace(second, sha256="b" * 64)
    scores = (*base.scores, drawn_scores(30_000, 22_800, 1500, file_index=1))
    return replace(
        base,
        key="two-files",
        case_id="patient-free case 12",
        files=(*base.files, second),
        relative_paths=(*base.relative_paths, second.relative_path),
        scores=scores,
        counts=counts_of(scores),
        pictures=(*base.pictures, *drawn_pictures(scores[1])),
    )


HOSTILE_NAMES = (
    "=1+1.svs", "+cmd|' /C calc'!A0.svs", "-2+3.svs", "@SUM(A1).svs", "\ttab.svs", "\rcr.svs",
    "a</b>.svs", "x</para>.svs", "<b>TUMOUR</b>.svs", '<img src="/etc/passwd"/>.svs',
    '<img src="pic.png" width="99"/>.svs', "<font color='red'>x</font>.svs", "<unichar code='9'/>",
    "<a href='http://x.example'>link</a>", "&amp;.svs", "&lt;b&gt;.svs", "]]>.svs", "<!--x-->.svs",
    "<?xml version='1.0'?>", "<seq id='n'/>.svs", "<super>2</super>", "<br/>.svs", "<para>.svs",
    "<onDraw name='x'/>", "<index item='x'/>", "a\u202egnp.svs", "a\u2066b\u2069.svs",
    "zero\u200bwidth.svs", "soft\u00adhyphen.svs", "no\u00a0break.svs", "line\nbreak.svs",
    "nul\x00.svs", "bell\x07.svs", "escape\x1b[31mred.svs", "del\x7f.svs", "\u4e2d\u6587.svs",
    "\u0645\u0631\u064a\u0636.svs", "\u05d7\u05d5\u05dc\u05d4.svs", "\u0939\u093f\u0928.svs",
    "\u043f\u0440\u0435\u043f\u0430\u0440\u0430\u0442.svs", "\u03b1\u03b2\u03b3.svs",
    "\u01c5\u0142\u00f3\u017c\u0119.svs", "\U0001f600.svs", "bad\udcffbyte.svs", "two  spaces.svs",
    " leading.svs", "trailing.svs ", "%s%n{}{0}.svs", "..\\..\\up.svs", "$(rm -rf x).svs",
    "quote\"'`.svs", "a,b;c.svs", "n" * 240 + ".svs", "CON.svs", "{{7*7}}.svs",
)  # fmt: skip
