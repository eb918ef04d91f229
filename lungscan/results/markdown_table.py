"""Tables in Markdown, which no name from outside can break."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from lungscan.inputs.names import show


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()
) -> str:
    """A table of cells as they are given: what comes from outside passes ``cell`` or ``plain``.

    Args:
        right: the headings of columns to the right.
    """
    rule = ["---:" if heading in right else "---" for heading in headings]
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, rule, *rows))


def cell(text: str) -> str:
    """A text of ours, with names in it, that ends no column."""
    return text.replace("|", "\\|")


def plain(text: str) -> str:
    """A text from outside that can neither break out of a table nor become markup."""
    return cell(show(text)).replace("`", "'").replace("<", "&lt;").replace("[", "\\[")
