"""The Markdown files of the repository: which there are, and their headings, links and fenced blocks.

Read as GitHub reads them, with markdown-it-py. Used by the tests and by the site (`make docs`).
"""

import io
import re
import tokenize
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
FOLDERS = (".", "docs", "lessons", "examples")
# pages that the site's nav has a place for, before they are written
PLANNED = {"docs/robots.md", "docs/environment.md", "docs/data.md", "docs/own_model.md", "docs/model_card.md"}
PARSER = MarkdownIt("commonmark").enable("table")


class Link(NamedTuple):
    """A link or a picture, as it is written."""

    line: int  # from 1
    target: str


class Block(NamedTuple):
    """A fenced block."""

    line: int  # of its first line of text, from 1
    language: str
    text: str


def names() -> list[str]:
    """The pages, by their paths in the repository."""
    found = [file for folder in FOLDERS for file in sorted((ROOT / folder).glob("*.md"))]
    return [file.relative_to(ROOT).as_posix() for file in found]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def slug(heading: str, separator: str = "-") -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\s-]", "", heading.strip().lower()).replace(" ", separator)


def anchors(text: str) -> set[str]:
    """The anchors of all headings; of equal ones the second ends in -1, and so on."""
    found: dict[str, int] = {}
    tokens = PARSER.parse(text)
    for opening, inline in zip(tokens, tokens[1:]):
        if opening.type == "heading_open":
            name = slug("".join(child.content for child in inline.children or [] if child.type != "softbreak"))
            found[name] = found.get(name, -1) + 1
    return {name if not n else f"{name}-{n}" for name, count in found.items() for n in range(count + 1)}


def links(text: str) -> Iterator[Link]:
    """All links and pictures, those in HTML too, in their order."""
    for token in PARSER.parse(text):
        line = (token.map or [0])[0] + 1
        for part in [token, *(token.children or [])]:
            if target := part.attrGet("href") or part.attrGet("src"):
                yield Link(line, str(target))
            elif part.type in ("html_inline", "html_block"):
                yield from (Link(line, target) for target in _html_targets(part.content))


def _html_targets(html: str) -> list[str]:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value for key, value in attrs if key in ("href", "src") and value)

    Reader().feed(html)
    return found


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks, without the indentation of a list that they are in."""
    for token in PARSER.parse(text):
        if token.type == "fence" and token.map:
            yield Block(token.map[0] + 2, token.info.strip(), token.content)


def broken_links(name: str) -> list[str]:
    """What is wrong with the links of a page to other files and to anchors, one line each."""
    wrong = []
    for link in links(read(name)):
        path, _, anchor = link.target.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists():
            wrong.append(f"{name}:{link.line}: {link.target}: there is no such file")
        elif anchor and (file.suffix != ".md" or anchor not in anchors(file.read_text(encoding="utf-8"))):
            wrong.append(f"{name}:{link.line}: {link.target}: there is no such heading")
    return wrong


def with_wide_lists(text: str) -> str:
    """The text with what belongs to a list's item indented by four, and blank lines before lists and long items.

    GitHub takes the indentation that the marker has, Python-Markdown (mkdocs) wants four spaces for each level. It also
    takes an item for more of the paragraph before it, if that belongs to the item before.
    """
    lines = text.split("\n")
    cut, depth, starts = [0] * len(lines), [0] * len(lines), set()
    within: list[bool] = []  # of each list that we are in: whether it has paragraphs, blocks or lists in its items
    for token in PARSER.parse(text):
        first, last = token.map or (0, 0)
        if token.type == "list_item_open":
            if within[-1]:
                starts.add(first)
            inside = _content_column(lines[first], token)
            for n in range(first, last):
                cut[n] = inside if n > first else _indentation(lines[n])
                depth[n] += n > first
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            starts.add(first)
            within.append(any(_has_more(line) for line in lines[first + 1 : last]))
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            within.pop()
    wide = []
    for n, line in enumerate(lines):
        if n in starts and n and lines[n - 1].strip():
            wide.append("")
        own = min(cut[n], _indentation(line))
        wide.append((" " * 4 * depth[n] + line[own:]) if line.strip() else line)
    return "\n".join(wide)


def _has_more(line: str) -> bool:
    """Whether a line within a list ends a paragraph, or begins a list of its own."""
    return not line.strip() or re.match(r"\s+([-*+]|\d+[.)])\s", line) is not None


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _content_column(line: str, item: Token) -> int:
    """Where the text of an item begins in its first line."""
    match = re.match(r"\s*(?:[-*+]|\d+[.)])\s+", line)
    return match.end() if match else _indentation(line) + len(item.info + item.markup) + 1


def trailing_comment(line: str) -> str:
    """The comment at the end of a line of Python, or ""."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(line.strip()).readline))
    except tokenize.TokenError:  # the line ends within brackets
        return ""
    return next((token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT), "")
