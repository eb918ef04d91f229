"""The model's card as a page: what was measured first, then what it cannot know."""

from __future__ import annotations

from html import escape

from lungscan_gui.engine import RESEARCH_USE, ModelCard


def card_html(card: ModelCard) -> str:
    """The page."""
    figures = "".join(
        f"<tr><td>{escape(metric.name)}&nbsp;&nbsp;</td><td><b>{metric.value:.3f}</b></td>"
        f"<td>&nbsp;&nbsp;{_interval(metric.low, metric.high)}</td></tr>"
        for metric in card.metrics
    )
    facts = "".join(
        f"<tr><td>{escape(name)}&nbsp;&nbsp;</td><td>{escape(value)}</td></tr>"
        for name, value in card.facts
    )
    limits = "".join(f"<li>{escape(text)}</li>" for text in card.limits)
    official = "" if card.official else "<p><b>This is not an official model.</b></p>"
    return (
        f"<h2>{escape(card.name)} {escape(card.version)}</h2>{official}"
        f"<p><b>{RESEARCH_USE}</b></p><h3>Measured (95 % interval)</h3><table>{figures}</table>"
        f"<table>{facts}</table><h3>What this model cannot know</h3><ul>{limits}</ul>"
        f"<h3>Intended use</h3><p>{escape(card.intended_use)}</p><p>{escape(card.summary)}</p>"
        f"<p>Licence: {escape(card.licence)}. SHA-256 {card.sha256[:16]}…</p>"
    )


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
