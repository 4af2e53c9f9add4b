"""Read anybody's multiple-choice file into items: JSON, JSON lines or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.errors import FileFormatError
from schemas.ids import digest
from schemas.records import Rejection
from schemas.rejection import Reason
from tasks.screening.answers import Style, Unusable, answer_index, answer_styles, is_missing, read_options, single
from tasks.screening.columns import Columns, find_columns, is_no_type
from tasks.screening.items import LETTERS, MAX_OPTIONS, MIN_OPTIONS, Item, shown
from tasks.screening.rows import read_rows

Row = dict[str, Any]
_STYLE_ROWS = 2_000  # rows that decide how answers are to be read


def _names(rows: Sequence[Any], wanted: str | None) -> list[str]:
    """Return the columns, without those that are called like a type but hold something else in almost every row."""
    names: dict[str, None] = {}
    for row in rows:
        if isinstance(row, dict):
            names.update(dict.fromkeys(map(str, row)))
    whole = [row for row in rows if isinstance(row, dict)]
    return [name for name in names if name == wanted or not is_no_type(name, (str(row.get(name)) for row in whole))]


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

    def __init__(self, columns: Columns, whole: bool) -> None:
        self.columns = columns
        self._tells = whole and columns.group is not None  # otherwise equal rows may be about different images
        self._met: dict[str, str] = {}
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

    def repeats(self, row: Row, row_id: str) -> str | None:
        """Return the id of an earlier row that says the same of the same patient or image, or None."""
        if not self._tells:
            return None
        content = {name: value for name, value in row.items() if name != self.columns.id}
        earlier = self._met.setdefault(digest(repr(content)), row_id)
        return None if earlier == row_id else earlier

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
        elif len({shown(text) for text in texts}) < len(texts):
            self.reject(row_id, "duplicate_options", "two options are the same text")
        elif earlier := self.repeats(row, row_id):
            self.reject(row_id, "duplicate_item", f"the same as {earlier}")
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
    found_rows = read_rows(path)
    rows = found_rows.values
    wanted = Columns(question=question, options=options, answer=answer, group=group, type=type, id=id)
    reader = _Reader(find_columns(_names(rows, type), wanted, file=path.name), found_rows.whole)
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
            remedy="see what is wrong with the rows, or name the columns: --question, --options, --answer",
        )
    place_of = {name: place for place, name in enumerate(names)}
    return reader.items, sorted(reader.rejections, key=lambda row: place_of[row.item_id])
