"""What the site does beyond MkDocs: lists as GitHub reads them, pictures in the page's colours, nothing from afar."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

_DOCS = Path(__file__).resolve().parent
_ENTRY = re.compile(r"(?:-|\d+\.) \S")
_WITHIN_LIST = re.compile(r"(?:-|\d+\.) | {2,}")
_CONCEPT = re.compile(r'<p><img alt="([^"]*)" src="([^"]*concept_\w+\.svg)"\s*/?></p>')
_FROM_ELSEWHERE = re.compile(
    r'<(?:script|img|iframe|source)\b[^>]*\bsrc="https?:|<link\b(?![^>]*rel="canonical")[^>]*\bhref="https?:'
)


def on_files(files: Files, config: Any) -> Files:
    """Give the changelog, which stands beside `docs/`, a page."""
    text = (_DOCS.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let a list begin right after a line of text, as GitHub does; Python-Markdown wants an empty line between."""
    lines: list[str] = []
    fenced = False
    for line in markdown.replace("](../CHANGELOG.md)", "](changelog.md)").split("\n"):
        before = lines[-1] if lines else ""
        if not fenced and _ENTRY.match(line) and before.strip() and not _WITHIN_LIST.match(before):
            lines.append("")
        fenced ^= line.lstrip().startswith("```")
        lines.append(line)
    return "\n".join(lines)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Put the pictures of concepts into the page: an image file knows nothing of the page's light or dark."""

    def drawn(match: re.Match[str]) -> str:
        place = posixpath.normpath(posixpath.join(posixpath.dirname(page.url), match[2]))
        svg = (_DOCS / place).read_text(encoding="utf-8")
        return f'<figure class="concept" role="img" aria-label="{match[1]}">{svg}</figure>'

    return _CONCEPT.sub(drawn, html)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that would load a script, style, font or picture from another place.

    Raises:
        PluginError: the page names the address.
    """
    if found := _FROM_ELSEWHERE.search(output):
        raise PluginError(f"{page.file.src_path} loads from elsewhere: {found[0]}; keep a copy under docs/")
    return output
