"""Read anybody's multiple-choice file into items: JSON, JSON lines or Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from schemas.errors import FileFormatError
from schemas.ids import digest
from schemas.records import Rejection
from schemas.rejection import Reason
from tasks.screening.answers import Style, Unusable, answer_index, answer_styles, is_missing, read_options, single
from tasks.screening.columns import Columns, find_columns
from tasks.screening.items import LETTERS, MAX_OPTIONS, MIN_OPTIONS, Item, normalised

Row = dict[str, Any]
_LISTS = ("questions", "data", "items", "examples", "rows", "records", "test", "instances", "samples")
_READABLE = "give .json, .jsonl or .parquet"
_STYLE_ROWS = 2_000  # rows that decide how answers are to be read


def _decode(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"{path.name} is not UTF-8 text (byte {error.start})", remedy="save it as UTF-8"
        ) from error


def _json_lines(text: str, name: str) -> list[Any]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: texts hold other separators
        if line.strip():
            try:
                rows.append(json.loads(line))
            except (json.JSONDecodeError, RecursionError) as error:
                raise FileFormatError(
                    f"{name}, line {number} is not JSON", remedy="the file may be cut off: one whole object per line"
                ) from error
    return rows


def _json_rows(text: str, name: str) -> list[Any]:
    """Return the rows of a JSON document: a list, a list under a known name, rows by id, or columns."""
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        lines = [line for line in text.split("\n") if line.strip()]
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


def _parquet_rows(path: Path) -> list[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        images = {column.name for column in file.schema_arrow if _holds_bytes(column.type)}
        names = [name for name in file.schema_arrow.names if name not in images]
        return list(file.read(columns=names).to_pylist())
    except (pa.ArrowException, OSError) as error:
        raise FileFormatError(f"{path.name} is not a readable Parquet file", remedy="it may be cut off") from error


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def read_rows(path: Path) -> list[Any]:
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
        rows = _json_lines(_decode(path), path.name)
    elif suffix == ".json":
        rows = _json_rows(_decode(path), path.name)
    else:
        raise FileFormatError(f"{path.name}: files of type {suffix or 'none'} are not read", remedy=_READABLE)
    if not rows:
        raise FileFormatError(f"{path.name} holds no questions", remedy="give at least one")
    return rows


def _names(rows: Iterable[Any]) -> list[str]:
    names: dict[str, None] = {}
    for row in rows:
        if isinstance(row, dict):
            names.update(dict.fromkeys(map(str, row)))
    return list(names)


def _options_of(row: Row, columns: Columns) -> tuple[list[str], list[str]]:
    value: Any = row.get(columns.options) if isinstance(columns.options, str) else None
    if isinstance(columns.options, tuple):
        value = [row.get(name) for name in columns.options]
    if not columns.apart:
        return read_options(value)
    right = single(row.get(columns.answer or ""))
    wrong = [text for text in read_options(value)[1] if text]
    question = row.get(columns.question or "")
    texts = sorted([str(right).strip(), *wrong], key=lambda text: digest(question, text))  # the file shows no places
    return list(LETTERS[: len(texts)]), texts


def _cell(row: Row, column: str | None, otherwise: str) -> str:
    value = row.get(column) if column else None
    return otherwise if is_missing(value) else str(value)


class _Reader:
    """Turns rows into items one by one, and remembers why a row cannot become one."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.items: list[Item] = []
        self.rejections: list[Rejection] = []
        self._seen: set[str] = set()

    def reject(self, row_id: str, reason: Reason, detail: str) -> None:
        self.rejections.append(Rejection(item_id=row_id, stage="screening", reason=reason, detail=detail))

    def identify(self, row: Any, place: int) -> str:
        name = _cell(row, self.columns.id, f"row {place + 1}") if isinstance(row, dict) else f"row {place + 1}"
        if name in self._seen:
            name = f"{name} (row {place + 1})"
        self._seen.add(name)
        return name

    def parse(self, row: Any, row_id: str) -> tuple[Row, Any, list[str], list[str]] | None:
        """Return row, answer, labels and option texts, or None after a rejection."""
        if not isinstance(row, dict):
            self.reject(row_id, "malformed_item", f"the row is a {type(row).__name__}, not an object")
            return None
        question = row.get(self.columns.question or "")
        if is_missing(question) or not isinstance(question, str):
            self.reject(row_id, "malformed_item", "no question" if is_missing(question) else "the question is no text")
            return None
        try:
            labels, texts = _options_of(row, self.columns)
        except Unusable as error:
            missing = self.columns.apart and is_missing(row.get(self.columns.answer or ""))
            self.reject(row_id, "missing_answer" if missing else "malformed_item", str(error))
            return None
        if not MIN_OPTIONS <= len(texts) <= MAX_OPTIONS:
            self.reject(row_id, "malformed_item", f"{len(texts)} options; 2 to 26 are read")
        elif not all(texts):
            self.reject(row_id, "empty_option", f"option {texts.index('') + 1} of {len(texts)} is empty")
        elif len({normalised(text) for text in texts}) < len(texts):
            self.reject(row_id, "duplicate_options", "two options are the same text")
        else:
            try:
                return row, single(row.get(self.columns.answer or "")), labels, texts
            except Unusable as error:
                self.reject(row_id, "missing_answer", str(error))
        return None

    def add(self, row_id: str, parsed: tuple[Row, Any, list[str], list[str]], styles: list[Style]) -> None:
        row, answer, labels, texts = parsed
        places = (answer_index(answer, labels, texts, style) for style in styles)
        key = next((place for place in places if place is not None), None)
        if key is None:
            self.reject(row_id, "missing_answer", f"answer {str(answer)[:60]!r} is none of the options")
            return
        cell = _cell(row, self.columns.type, "all")
        kind = _cell(row, "dimension", cell) if self.columns.type == "cell" else cell
        option_set = row.get(self.columns.option_set) if self.columns.option_set else None
        split = _cell(row, "split", "")
        self.items.append(
            Item(
                item_id=row_id,
                question=row[self.columns.question or ""].strip(),
                options=tuple(texts),
                key=key,
                group=_cell(row, self.columns.group, ""),
                cell=cell,
                type=kind,
                option_set=None if is_missing(option_set) else f"{option_set}/{split}",
            )
        )


def read_items(
    path: Path,
    *,
    question: str | None = None,
    options: str | tuple[str, ...] | None = None,
    answer: str | None = None,
    group: str | None = None,
    type: str | None = None,  # noqa: A002 - the name users know
    id: str | None = None,  # noqa: A002
) -> tuple[list[Item], list[Rejection]]:
    """Read a multiple-choice file; every row becomes an item or a rejection, in the file's order.

    Options may be a list of texts or of labelled objects, a mapping of letters to texts, one column per letter, or
    either as a JSON string; the answer a letter, an index (from 0, or from 1 where the file shows it) or the text of
    an option. Columns that are not named are found by their names.

    Args:
        path: `.json`, `.jsonl` or `.parquet`.
        question: column of the question.
        options: column of the options, or one column per option.
        answer: column of the answer.
        group: column of the patient, slide or image that items share.
        type: column whose values are judged one by one.
        id: column of the item's id.

    Raises:
        FileFormatError: the file cannot be read as questions at all, or no row can be used.
    """
    rows = read_rows(path)
    wanted = Columns(question=question, options=options, answer=answer, group=group, type=type, id=id)
    reader = _Reader(find_columns(_names(rows), wanted, file=path.name))
    names = [reader.identify(row, place) for place, row in enumerate(rows)]
    parsed = [(name, reader.parse(row, name)) for name, row in zip(names, rows, strict=True)]
    usable = [(answer_, labels, texts) for _, found in parsed if found for _, answer_, labels, texts in [found]]
    step = max(1, len(usable) // _STYLE_ROWS)
    styles = answer_styles(usable[::step])
    for row_id, found in parsed:
        if found:
            reader.add(row_id, found, styles)
    if not reader.items:
        first = reader.rejections[0]
        raise FileFormatError(
            f"{path.name}: none of {len(rows)} rows can be used; {first.item_id}: {first.detail}",
            remedy="name the columns: --question, --options, --answer",
        )
    place_of = {name: place for place, name in enumerate(names)}
    return reader.items, sorted(reader.rejections, key=lambda row: place_of[row.item_id])
