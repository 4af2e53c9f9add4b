"""JSON lines: one value a line, and nothing but a line feed ends one."""

from __future__ import annotations

from collections.abc import Iterator


def json_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text of JSON lines that are not blank, each with its number from 1.

    `str.splitlines` would part them at U+0085, U+2028 and U+2029 as well, which may stand in a JSON string as they are
    (RFC 8259, section 7), and come with what people paste.
    """
    return ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())
