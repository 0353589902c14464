"""The hook of mkdocs for the site, see mkdocs.yml: `make docs`.

Pages are the repository's own Markdown files, at the same places in the site: docs/viewer.md becomes docs/viewer.html,
README.md index.html. So their links need no change. What they link to besides (pictures, source files, results) is
copied beside them; a folder's link becomes plain text. docs/api.md lists public names; the docstrings are put there.
"""

import posixpath
import re
import tempfile
from html import unescape
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools import documents, typecheck

API = "docs/api.md"
STAGED = tempfile.TemporaryDirectory()  # the packages as ballcast/NAME, where griffe finds them; lives as the process


@event_priority(100)  # before mkdocstrings looks at its settings
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    typecheck.stage(Path(STAGED.name))
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [STAGED.name]
    config.mdx_configs["toc"]["slugify"] = documents.slug
    config.nav = _without_planned(config.nav)
    return config


def _without_planned(entry: Any) -> Any:
    """The nav without pages that are planned and not there; sections that are empty then are left out."""
    if isinstance(entry, list):
        return [kept for kept in map(_without_planned, entry) if kept]
    if isinstance(entry, dict):
        return {title: kept for title, below in entry.items() if (kept := _without_planned(below))}
    return None if entry in documents.PLANNED and not (documents.ROOT / entry).exists() else entry


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The theme's files, the pages, and what they link to."""
    names = documents.names() + [f"docs/site/{file.name}" for file in (documents.ROOT / "docs/site").glob("*")]
    for page in documents.names():
        names += [name for link in documents.links(documents.read(page)) if (name := _linked_file(page, link.target))]
    own = [File.generated(config, name, abs_src_path=str(documents.ROOT / name)) for name in dict.fromkeys(names)]
    return Files([*own, *(file for file in files if file.src_dir != config.docs_dir)])


def _linked_file(page: str, target: str) -> str | None:
    """The path in the repository of a file that a page links to; None for what is no file here."""
    if re.match(r"[a-z]+:|#", target):
        return None
    name = posixpath.normpath(posixpath.join(posixpath.dirname(page), target.partition("#")[0]))
    return name if (documents.ROOT / name).is_file() else None


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """A page as Python-Markdown reads it."""
    name = page.file.src_uri
    if name == API:
        markdown = re.sub(r"^- \[`(.+?)`\].*$", r"\n::: ballcast.\1\n", markdown, flags=re.MULTILINE)
    for link in documents.links(markdown):
        if (documents.ROOT / name).parent.joinpath(link.target).is_dir():
            markdown = re.sub(rf"\[([^\]]+)\]\({re.escape(link.target)}\)", r"\1", markdown)
    return documents.with_wide_lists(markdown).replace("<details>", '<details markdown="1">')


def on_page_content(html: str, **_: Any) -> str:
    r"""Formulas, which arithmatex has left as \(...\) and \[...\], as MathML: browsers draw it without a script."""
    return re.sub(
        r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>',
        lambda found: _formula(found[2], found[1] == "div"),
        html,
        flags=re.DOTALL,
    )


def _formula(escaped: str, is_block: bool) -> str:
    formula = convert(unescape(escaped).strip(), display="block" if is_block else "inline")
    formula = formula.replace(">&#x0007C;</mo>", ' lspace="0" rspace="0">|</mo>')  # bars of |u| stand close to it
    return f'<div class="formula">{formula}</div>' if is_block else formula
