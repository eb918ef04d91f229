"""Hooks of MkDocs: pages may link to anything in the repository, as they do on a forge.

The pages lie in ``docs/``, but some of what they speak of does not: ``CONTEXT.md``, model cards,
recipes. Whatever a page links to outside ``docs/`` comes into the site below ``repository/``, and
the links that lead there are changed: Markdown becomes a page, other files stay as they are, and of
a folder its README is shown, or a list of its files. A link that leads nowhere is left alone;
MkDocs, being strict, ends with it.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BELOW = "repository"
BEHIND = 0.2  # of a search's score
LINK = re.compile(r"(\]\()([^)\s#]+)([^)]*\))")
FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
ALWAYS = (  # pages of the navigation that no page needs to link to
    "CHANGELOG.md",
    "CONTEXT.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "packaging/README.md",
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is linked to, page by page, and the site's own assets."""
    for asset in sorted((HERE / "assets").iterdir()):
        _add_file(files, config, f"assets/{asset.name}", asset)
    _add_file(files, config, "assets/lungscan.svg", ROOT / "packaging/icon/lungscan.svg")
    files.append(File.generated(config, "decisions/README.md", content=_decisions()))
    cards = (path.relative_to(ROOT).as_posix() for path in ROOT.glob("models/*/*/README.md"))
    waiting = [*ALWAYS, *sorted(cards)]
    for page in files.documentation_pages():
        waiting += _linked(f"docs/{page.src_uri}", page.content_string)
    while waiting:
        path = waiting.pop()
        if path.startswith("docs/") or files.get_file_from_path(_uri_of(path)):
            continue
        if path.endswith(".md"):
            text = (ROOT / path).read_text(encoding="utf-8")
            _add_file(files, config, _uri_of(path), ROOT / path)
            waiting += _linked(path, text)
        elif (ROOT / path).is_dir():
            page_text = _listing(path)
            files.append(File.generated(config, _uri_of(path), content=page_text))
            waiting += _linked(f"{path}/README.md", page_text)
        else:
            _add_file(files, config, _uri_of(path), ROOT / path)
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn the links that lead out of ``docs/``, or to a folder."""
    here = page.file.src_uri
    if here.startswith("decisions/"):
        page.meta["search"] = {"boost": BEHIND}  # found, but after what tells how
    origin = _path_of(here)

    def turned(match: re.Match[str]) -> str:
        path = _target(origin, match[2])
        if path is None:
            return match[0]
        uri = posixpath.relpath(_uri_of(path), posixpath.dirname(here) or ".")
        return f"{match[1]}{uri}{match[3]}"

    return _outside_code(markdown, lambda text: LINK.sub(turned, text))


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """The page with its prose changed and its code blocks as they are."""
    parts, last = [], 0
    for block in FENCE.finditer(markdown):
        parts += [change(markdown[last : block.start()]), block[0]]
        last = block.end()
    return "".join([*parts, change(markdown[last:])])


def _linked(origin: str, markdown: str) -> list[str]:
    """Paths in the repository that a page at ``origin`` links to."""
    found: list[str] = []

    def keep(text: str) -> str:
        found.extend(path for link in LINK.finditer(text) if (path := _target(origin, link[2])))
        return text

    _outside_code(markdown, keep)
    return found


def _target(origin: str, link: str) -> str | None:
    """The path in the repository that a link leads to, or None: elsewhere, or nowhere."""
    if "://" in link or link.startswith(("mailto:", "/")):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))
    if path.startswith("..") or not (ROOT / path).exists():
        return None
    return path


def _uri_of(path: str) -> str:
    """Where in the site a path of the repository lies."""
    if (ROOT / path).is_dir():
        path = f"{path}/README.md"
    inside = PurePosixPath(path)
    if inside.is_relative_to("docs"):
        return inside.relative_to("docs").as_posix()
    return f"{BELOW}/{path}"


def _path_of(uri: str) -> str:
    """The path in the repository that a page of the site comes from."""
    inside = PurePosixPath(uri)
    if inside.is_relative_to(BELOW):
        return inside.relative_to(BELOW).as_posix()
    return f"docs/{uri}"


def _add_file(files: Files, config: MkDocsConfig, uri: str, path: Path) -> None:
    if files.get_file_from_path(uri) is None:
        files.append(File.generated(config, uri, abs_src_path=os.fspath(path)))


def _listing(folder: str) -> str:
    """A folder as a page: its README, or the names in it."""
    if (readme := ROOT / folder / "README.md").is_file():
        return readme.read_text(encoding="utf-8")
    names = sorted(path.name for path in (ROOT / folder).iterdir() if path.is_file())
    lines = [f"# {folder}", "", *(f"- [{name}]({name})" for name in names)]
    return "\n".join(lines) + "\n"


def _decisions() -> str:
    """The list of decisions, by their titles."""
    lines = ["# Decisions", "", "Why things are as they are, each on half a page.", ""]
    for path in sorted((ROOT / "docs/decisions").glob("0*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines) + "\n"
