"""Rows of anybody's file as plain objects: JSON, JSON lines or Parquet, in the shapes that benchmarks come in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import FileFormatError
from schemas.json_lines import json_lines

_LISTS = ("questions", "data", "items", "examples", "rows", "records", "test", "instances", "samples")
_READABLE = "give .json, .jsonl or .parquet"
# Half of a pair that writes one character in JSON; alone it is no character and cannot be written anywhere.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a file, and whether they are whole: images inside a Parquet file are left where they are."""

    values: list[Any]
    whole: bool = True


def _decode(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"{path.name} is not UTF-8 text (byte {error.start})", remedy="save it as UTF-8"
        ) from error


def _parsed(text: str) -> Any:
    """Return what a JSON text holds, halves of characters (texts that were cut by bytes) written as question marks."""
    value = json.loads(text)
    if _HALF.search(text):
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def _json_lines(text: str, name: str) -> list[Any]:
    rows = []
    for number, line in json_lines(text):
        try:
            rows.append(_parsed(line))
        except (json.JSONDecodeError, RecursionError) as error:
            raise FileFormatError(
                f"{name}, line {number} is not JSON", remedy="the file may be cut off: one whole object per line"
            ) from error
    return rows


def _json_rows(text: str, name: str) -> list[Any]:
    """Return the rows of a JSON document: a list, a list under a known name, rows by id, or columns."""
    try:
        document = _parsed(text)
    except (json.JSONDecodeError, RecursionError) as error:
        lines = [line for _, line in json_lines(text)]
        if len(lines) > 1 and lines[0].strip().startswith("{") and lines[0].strip().endswith("}"):
            return _json_lines(text, name)
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise FileFormatError(f"{name} is not JSON ({where})", remedy="the file may be cut off") from error
    if isinstance(document, dict):
        inner = next((document[key] for key in _LISTS if isinstance(document.get(key), list)), None)
        if inner is not None:
            return list(inner)
        values = list(document.values())
        if values and all(isinstance(value, dict) for value in values) and "question" not in document:
            return [{"id": key, **value} for key, value in document.items()]
        if values and all(isinstance(value, list) for value in values) and len({len(value) for value in values}) == 1:
            return [dict(zip(document, row, strict=True)) for row in zip(*values, strict=True)]
        document = [document]
    if not isinstance(document, list):
        raise FileFormatError(
            f"{name} holds a {type(document).__name__}, not questions", remedy="give a list of objects"
        )
    return document


def _parquet_rows(path: Path) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        images = {column.name for column in file.schema_arrow if _holds_bytes(column.type)}
        names = [name for name in file.schema_arrow.names if name not in images]
        return Rows(file.read(columns=names).to_pylist(maps_as_pydicts="lossy"), whole=not images)
    except (pa.ArrowException, OSError) as error:
        raise FileFormatError(f"{path.name} is not a readable Parquet file", remedy="it may be cut off") from error


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    inner = any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))  # of structs, lists and maps
    return inner or bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _unfolded(row: Any) -> Any:
    """Return a row whose question is an object of stem and choices (OpenBookQA) with these as columns of its own."""
    inner = row.get("question") if isinstance(row, dict) else None
    if not isinstance(inner, Mapping):
        return row
    return {name: value for name, value in row.items() if name != "question"} | dict(inner)


def read_rows(path: Path) -> Rows:
    """Return the rows of a file as plain objects, whatever their shape.

    Raises:
        FileFormatError: the file is missing, of another kind, cut off, or holds no rows.
    """
    if not path.is_file():
        raise FileFormatError(f"{path.name} is not a file", remedy=_READABLE)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        rows = _parquet_rows(path)
    elif suffix in (".jsonl", ".ndjson"):
        rows = Rows(_json_lines(_decode(path), path.name))
    elif suffix == ".json":
        rows = Rows(_json_rows(_decode(path), path.name))
    else:
        raise FileFormatError(f"{path.name}: files of type {suffix or 'none'} are not read", remedy=_READABLE)
    if not rows.values:
        raise FileFormatError(f"{path.name} holds no questions", remedy="give at least one")
    return Rows([_unfolded(row) for row in rows.values], rows.whole)
