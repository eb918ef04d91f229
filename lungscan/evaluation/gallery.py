"""The errors as pictures: a page that opens anywhere, and a sheet for a paper."""

from __future__ import annotations

import html
import io
import textwrap
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from lungscan.errors import CaseError
from lungscan.evaluation import wording
from lungscan.evaluation.records import Evaluation, FieldAnswer, Protocol, Seen
from lungscan.inputs.names import show
from lungscan.opening.plan import to_jpeg
from lungscan.reading import open_field
from lungscan.report.legend import class_rgb, on_color
from lungscan.report.lettering import pillow_font, shorten, visible
from lungscan.report.quantities import probability
from lungscan.types import InputFile, RgbArray

_SIDE = 224  # of a picture on sheet and page
_COLUMNS, _ROWS = 6, 5  # of the sheet
_GAP, _TEXT = 14, 78
_MOST = 500  # pictures on the page

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<title>Errors of {model}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }}
.warning {{ color: #b3261e; font-weight: 600; }}
ul {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1.2rem;
  list-style: none; padding: 0; }}
img {{ width: 100%; display: block; }}
.answer {{ display: inline-block; padding: 0 .4em; border-radius: .2em; }}
small {{ color: #5a5a5a; overflow-wrap: anywhere; }}
</style></head><body>
<h1>Errors of {model}</h1>
<p>{use}</p>
{warnings}
<p>{line}. {counts}</p>
<ul>
{items}
</ul>
</body></html>
"""


def errors_of(evaluation: Evaluation) -> list[FieldAnswer]:
    """Fields whose forced choice is wrong: those answered first, then the most confident first."""
    wrong = [a for a in evaluation.answers if a.judged and a.forced != a.label]
    return sorted(wrong, key=lambda a: (a.answer is None, -(a.confidence or 0.0), a.file))


def error_page(evaluation: Evaluation, paths: dict[str, Path]) -> str:
    """A page of HTML with its pictures inside; ``paths`` gives the file of each field."""
    wrong = errors_of(evaluation)
    items = "\n".join(_item(evaluation, answer, paths) for answer in wrong[:_MOST])
    warnings = "\n".join(f'<p class="warning">{html.escape(t)}</p>' for t in evaluation.warnings)
    return _PAGE.format(
        model=html.escape(f"{show(evaluation.model.name)} {show(evaluation.model.version)}"),
        use=html.escape(evaluation.use),
        warnings=warnings,
        line=html.escape(wording.protocol_line(evaluation.data)),
        counts=html.escape(_counts_text(evaluation, wrong)),
        items=items,
    )


def error_sheet(evaluation: Evaluation, paths: dict[str, Path]) -> bytes:
    """The worst errors on one picture, as PNG; with a line that says so when there are none."""
    wrong = errors_of(evaluation)
    shown = wrong[: _COLUMNS * _ROWS]
    columns = _COLUMNS if len(shown) >= _COLUMNS else max(3, len(shown))
    rows = -(-len(shown) // columns)
    heads = _heads(evaluation, wrong, len(shown), 150 if columns == _COLUMNS else 75)
    top = _GAP + 22 * len(heads) + 10
    size = (_GAP + columns * (_SIDE + _GAP), top + rows * (_SIDE + _TEXT + _GAP))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for row, (text, colour) in enumerate(heads):
        pen.text((_GAP, _GAP + 22 * row), text, colour, pillow_font(15, bold=row == 0))
    for place, answer in enumerate(shown):
        x = _GAP + place % columns * (_SIDE + _GAP)
        y = top + place // columns * (_SIDE + _TEXT + _GAP)
        picture = _picture(paths[answer.file])
        if picture is not None:
            sheet.paste(picture, (x, y))
        _caption(pen, (x, y + _SIDE + 4), evaluation, answer)
    stored = io.BytesIO()
    sheet.save(stored, "PNG")
    return stored.getvalue()


def _counts_text(evaluation: Evaluation, wrong: Sequence[FieldAnswer]) -> str:
    """How many errors there are, and in which order they stand."""
    judged = sum(answer.judged for answer in evaluation.answers)
    answered = sum(answer.answer is not None for answer in wrong)
    more = f" The first {_MOST} are shown." if len(wrong) > _MOST else ""
    return (
        f"{len(wrong):,} of {judged:,} fields are wrong by forced choice; {answered:,} of them got "
        f"an answer, {len(wrong) - answered:,} no result. Most confident first.{more}"
    )


def _heads(
    evaluation: Evaluation, wrong: Sequence[FieldAnswer], shown: int, width: int
) -> list[tuple[str, str]]:
    """The lines above the sheet, with their colours."""
    model, data = evaluation.model, evaluation.data
    part = f", {shown} shown" if shown < len(wrong) else ""
    lines = [(visible(f"Errors of {model.name} {model.version}{part}"), "#1a1a1a")]
    spoiled = data.protocol is Protocol.LEAKING or data.seen is Seen.YES
    texts = [(evaluation.warnings[0], "#b3261e")] if spoiled else []
    texts.append((f"{wording.protocol_line(data)}. {_counts_text(evaluation, wrong)}", "#444444"))
    texts.append((evaluation.use, "#444444"))
    for text, colour in texts:
        lines += [(visible(line), colour) for line in textwrap.wrap(text, width)]
    return lines


def _caption(
    pen: ImageDraw.ImageDraw, at: tuple[int, int], evaluation: Evaluation, answer: FieldAnswer
) -> None:
    x, y = at
    true, answered, sure = _words(evaluation, answer)
    rgb = _rgb(evaluation, answer.forced)
    fill, ink = (rgb, on_color(rgb)) if answer.answer else ((255, 255, 255), (26, 26, 26))
    small, bold = pillow_font(12), pillow_font(12, bold=True)
    pen.text((x, y), f"True: {visible(true)}", "#1a1a1a", small)
    shown_answer = visible(answered)
    box = pen.textbbox((x + 4, y + 18), shown_answer, bold)
    pen.rectangle((x, y + 17, min(box[2] + 4, x + _SIDE), y + 34), fill=fill, outline=rgb)
    pen.text((x + 4, y + 18), shown_answer, ink, bold)
    pen.text((x, y + 38), sure, "#1a1a1a", small)
    pen.text((x, y + 54), visible(shorten(answer.file, 32)), "#5a5a5a", small)


def _item(evaluation: Evaluation, answer: FieldAnswer, paths: dict[str, Path]) -> str:
    true, answered, sure = (html.escape(show(word)) for word in _words(evaluation, answer))
    rgb = _rgb(evaluation, answer.forced)
    fill, ink = (rgb, on_color(rgb)) if answer.answer else ((255, 255, 255), (26, 26, 26))
    style = f"background:rgb{fill};color:rgb{ink};border:1px solid rgb{rgb}"
    picture = _picture(paths[answer.file])
    source = "" if picture is None else b64encode(to_jpeg(picture, 88)).decode("ascii")
    return (
        f'<li><img src="data:image/jpeg;base64,{source}" alt="field of the class {true}">'
        f'True: {true}<br><span class="answer" style="{style}">{answered}</span> '
        f"{sure}<br><small>{html.escape(show(answer.file))}, group "
        f"{html.escape(show(answer.group))}</small></li>"
    )


def _words(evaluation: Evaluation, answer: FieldAnswer) -> tuple[str, str, str]:
    """True class, forced choice, and its probability with what became of it."""
    model = evaluation.model
    names = dict(zip(model.class_names, model.display_names, strict=True))
    answered = names.get(answer.forced or "", "nothing to score")
    withheld = "" if answer.answer is not None else f", no result: {answer.reason}"
    return names[answer.label], answered, f"p {probability(answer.confidence)}{withheld}"


def _rgb(evaluation: Evaluation, name: str | None) -> tuple[int, int, int]:
    names = evaluation.model.class_names
    return class_rgb(evaluation.model)[names.index(name)] if name in names else (110, 110, 110)


def _picture(path: Path) -> Image.Image | None:
    """The field in a square of ``_SIDE`` px on white; None when it has become unreadable."""
    try:
        source = open_field(InputFile(path, path.name, kind="field"))
    except CaseError:
        return None
    rgb: RgbArray = source.overview(2 * _SIDE).rgb
    image = Image.fromarray(rgb)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    square = Image.new("RGB", (_SIDE, _SIDE), "white")
    square.paste(image, ((_SIDE - image.width) // 2, (_SIDE - image.height) // 2))
    return square
