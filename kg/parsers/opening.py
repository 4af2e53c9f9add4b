"""Source files as bytes, text and lines: plain, gzip or zstandard, with the line at which a file breaks off."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from kg.parsers.parsed import SourceSpec

_BLOCK_BYTES = 1 << 20
_CLOSE = 4  # lines over which pretty-printed JSON spreads one statement


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix == ".zst":
        import zstandard

        return cast(IO[bytes], zstandard.open(path, "rb"))
    return path.open("rb")


def _torn(path: Path) -> tuple[type[Exception], ...]:
    kinds: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error)
    if path.suffix == ".zst":
        import zstandard

        kinds = (*kinds, zstandard.ZstdError)
    return kinds


def _blocks(spec: SourceSpec) -> Iterator[bytes]:
    line = 1
    try:
        with _open(spec.path) as stream:
            while block := stream.read(_BLOCK_BYTES):
                line += block.count(b"\n")
                yield block
    except _torn(spec.path) as error:
        raise spec.fault(line, f"breaks off ({error})", "fetch the file again") from error


def read_bytes(spec: SourceSpec) -> bytes:
    """Return the decompressed bytes of a source.

    Raises:
        GraphError: the file is missing, truncated or not in the format of its suffix; the line where it breaks off.
    """
    return b"".join(_blocks(spec))


def content_sha256(spec: SourceSpec) -> str:
    """Return the SHA-256 (hex) of the decompressed bytes: the same however a copy is compressed.

    Raises:
        GraphError: as `read_bytes`.
    """
    hasher = hashlib.sha256()
    for block in _blocks(spec):
        hasher.update(block)
    return hasher.hexdigest()


def read_text(spec: SourceSpec) -> str:
    """Return the text of a source.

    Raises:
        GraphError: as `read_bytes`, or the bytes are not UTF-8.
    """
    raw = read_bytes(spec)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise spec.fault(raw.count(b"\n", 0, error.start) + 1, f"not UTF-8 ({error.reason})") from error


def read_json(spec: SourceSpec) -> Any:
    """Return the JSON document of a source.

    Raises:
        GraphError: as `read_text`, or the text is no JSON.
    """
    try:
        return json.loads(read_text(spec))
    except json.JSONDecodeError as error:
        raise spec.fault(error.lineno, f"no valid JSON ({error.msg}, column {error.colno})") from error


def rows(spec: SourceSpec, text: str, delimiter: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, row) of a table with a header, after comment lines that start with `#`.

    Raises:
        GraphError: a row has more or fewer cells than the header.
    """
    header: list[str] | None = None
    for number, cells in _cells(text, delimiter):
        if header is None:
            header = cells
        elif len(cells) != len(header):
            raise spec.fault(number, f"{len(cells)} cells where the header has {len(header)}")
        else:
            yield number, dict(zip(header, cells, strict=True))


def lines_of(text: str) -> list[str]:
    """Return the lines of a text as editors count them: only line feeds end a line."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _cells(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    lines = lines_of(text)
    skip = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if delimiter == "\t":  # these tables never quote
        yield from ((number, line.split("\t")) for number, line in enumerate(lines[skip:], start=skip + 1))
        return
    import csv

    reader = csv.reader((line + "\n" for line in lines[skip:]), delimiter=delimiter)
    for cells in reader:
        yield skip + reader.line_num, cells


def line_of(spec: SourceSpec, *curies: str) -> int | None:
    """Return the first line that names the first CURIE with the others on it or close below, None where none does.

    Faults found after reading are located by this second look, so that good files pay nothing for it. A CURIE may stand
    as an IRI (`NCIT_C1`).
    """
    if not spec.path.is_file():
        return None
    names = [re.compile(re.escape(curie).replace(":", "[:_]") + r"(?!\w)") for curie in curies]
    lines = read_bytes(spec).decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines):
        if names[0].search(line):
            near = "\n".join(lines[number : number + _CLOSE])
            if all(name.search(near) for name in names[1:]):
                return number + 1
    return None
