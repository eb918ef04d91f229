"""The adapted model's folder: its source's card with all that the adaptation changed said in it."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from lungscan import __version__
from lungscan.adaptation import wording
from lungscan.adaptation.records import AdaptOptions, Own, Shares
from lungscan.adaptation.refitting import Draft
from lungscan.model import folder as model_folder
from lungscan.model.card import STATISTICS_FILE, Metric, ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.model.doubt import stated

EARLIER = "before it was adapted: "  # stands before the names of the source's figures


def require_room(out: Path) -> None:
    """Refuse to replace anything but an earlier adapted model. Raises UsageProblem."""
    model_folder.require_room(out, lambda card: bool(card.adaptation), "adapted")


def write_rest(
    made: Draft,
    source: ModelCard,
    own: Own,
    shares: tuple[Shares, Shares],
    original: tuple[Shares, Shares] | None,
    options: AdaptOptions,
    name: str,
) -> ModelCard:
    """Write card and README beside the draft's files; returns the card as it was read again."""
    folder = made.card.folder
    if (source.folder / STATISTICS_FILE).exists():  # of matched tissue they are what they were
        shutil.copyfile(source.folder / STATISTICS_FILE, folder / STATISTICS_FILE)
    card = dataclasses.replace(
        made.card,
        name=name,
        version=__version__,
        facts=wording.facts(source, own, shares, original),
        metrics=_metrics(source, own, shares),
        reliability=(),  # that of the source is another model's
        coverage=(),
        limits=(*wording.limits(own, source), *source.limits),
        adaptation=_record(made, source, own, shares, original, options),
        command=options.command,
        data={**source.data, **_data(source, own, shares[1])},
    )
    write_card(stated(card), folder)
    card = read_card(folder)
    text = wording.readme(card, source, own, made, model_folder.readme_of(source))
    model_folder.write_readme(folder, text)
    return read_card(folder)


def _metrics(source: ModelCard, own: Own, shares: tuple[Shares, Shares]) -> tuple[Metric, ...]:
    """Without labels the source's figures, said to be so; with labels first those of the folds.

    What labels taught is another model's last layer, so the source's figures are none of it, even
    where nothing labelled could be judged.
    """
    note = "of the model that it was made from"
    if not own.labelled:
        return tuple(
            dataclasses.replace(m, note=f"{note}; {m.note}".strip("; ")) for m in source.metrics
        )
    found = [
        dataclasses.replace(metric, name=name)
        for name, metric in (
            ("accuracy", shares[1].right),
            ("accuracy of the answered", shares[1].right_answered),
        )
        if metric is not None
    ]
    earlier = [dataclasses.replace(m, name=EARLIER + m.name) for m in source.metrics]
    return (*found, *earlier)


def _data(source: ModelCard, own: Own, after: Shares) -> dict[str, object]:
    """What differs from the source's; with labels the chance that own fields leave to guessing."""
    begun = source.data.get("summary", "")
    summary = f"{begun}; adapted to {wording.counted(own)} of {own.folder}"
    if after.right is None:
        return {"summary": summary}
    return {"summary": summary, "commonest_class": after.commonest}


def _record(
    made: Draft,
    source: ModelCard,
    own: Own,
    shares: tuple[Shares, Shares],
    original: tuple[Shares, Shares] | None,
    options: AdaptOptions,
) -> dict[str, object]:
    """For the card's ``adaptation``."""
    fitted = made.fitted
    labels = [file.label for file in own.labelled]
    return {
        "source": source.name,
        "source_sha256": source.sha256,
        "folder": own.folder,
        "contents_sha256": own.contents_sha256,
        "fields": len(own.fields),
        "slides": len(own.slides),
        "squares": len(own.tiles),
        "labelled": {name: labels.count(name) for name in sorted(set(labels))},
        **({"reviewed": len(own.reviewed)} if own.reviewed else {}),
        "own_share": made.share,
        "novel_after_matching": made.novel,
        "limits": made.limits.tolist(),
        "temperature": source.temperature if fitted is None else fitted.layer.temperature,
        "hold": None if fitted is None or fitted.hold == float("inf") else fitted.hold,
        "own": [dataclasses.asdict(part) for part in shares],
        "original": None if original is None else [dataclasses.asdict(part) for part in original],
        "command": options.command,
        **({"not_measured": why} if (why := wording.unmeasured(own, shares[1])) else {}),
    }
