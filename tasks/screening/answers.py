"""Options and answers as real files write them: lists, letters, labelled texts; an answer by letter, index or text."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tasks.screening.items import LETTERS, MAX_OPTIONS, normalised, shown

Style = Literal["letter", "index", "index from 1", "text"]
_TEXT_KEYS = ("text", "value", "content", "option", "answer", "label")
_LABEL_KEYS = ("label", "key", "letter", "id", "index")
# "B", "(B)", "B.", "B) stroma", "Answer: B"
_LETTER = re.compile(r"^\s*(?:answer\s*[:=]?\s*)?[\(\[]?([A-Za-z])[\)\].:]?(?:\s+\S.*|\s*)$", re.IGNORECASE | re.DOTALL)
_BARE_LETTER = re.compile(r"^\s*(?:answer\s*[:=]\s*)?[\(\[]?([A-Za-z])[\)\].:]?\s*$", re.IGNORECASE)
_MARK = re.compile(r"(?:^|(?<=[\s,;|]))[\(\[]?([A-Za-z])[\)\].:](?=\s)")
_MARKED = re.compile(r"^\s*[\(\[]?([A-Za-z])[\)\].:]\s+(\S.*)$", re.DOTALL)


class Unusable(ValueError):  # noqa: N818 - a row's fault, turned into a rejection by the reader
    """A row's options or answer cannot be read; the message is the rejection's detail."""


def is_missing(value: Any) -> bool:
    """Return whether a cell holds nothing: null, NaN, or only spaces."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return isinstance(value, str) and not value.strip()


def _text(value: Any) -> str:
    if is_missing(value):
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | int | float):
        return str(value)
    raise Unusable(f"an option is a {type(value).__name__}, not a text")


def _labelled(entries: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (label, text) of a mapping: letters to texts, or parallel lists of texts and labels (ARC)."""
    lists = {name.casefold(): value for name, value in entries.items() if isinstance(value, Sequence | None)}
    texts = lists.get("text") or lists.get("texts")
    if isinstance(texts, list):
        labels = lists.get("label") or lists.get("labels") or list(LETTERS[: len(texts)])
        return [(str(label), _text(text)) for label, text in zip(labels, texts, strict=False)]
    pairs = [(str(label).strip(), _text(text)) for label, text in entries.items() if text is not None]
    return sorted(pairs, key=lambda pair: (len(pair[0]), pair[0].upper()))


def _entry(value: Any, place: int) -> tuple[str, str]:
    if isinstance(value, Mapping):
        text = next((value[key] for key in _TEXT_KEYS if not is_missing(value.get(key))), "")
        label = next((value[key] for key in _LABEL_KEYS if not is_missing(value.get(key)) and value[key] != text), None)
        return str(label) if label is not None else LETTERS[place % MAX_OPTIONS], _text(text)
    return LETTERS[place % MAX_OPTIONS], _text(value)


def _decoded(value: str) -> Any:
    """Return what a string of options stands for: JSON, a list as Python prints it (MMMU), or texts behind letters."""
    stripped = value.strip()
    if stripped[:1] in "[{":
        for parse in (json.loads, ast.literal_eval):
            try:
                return parse(stripped)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
        raise Unusable("options look like JSON but are not")
    parts = _lettered_parts(stripped) or [part.strip() for part in re.split(r"\n|\s\|\s", stripped) if part.strip()]
    if len(parts) < 2:
        raise Unusable("options are one text, not a list")
    return parts


def _lettered_parts(text: str) -> list[str]:
    """Return the parts of a text that begin with A, B, C and so on; none where it does not begin with A."""
    starts: list[int] = []
    for found in _MARK.finditer(text):
        if found.group(1).upper() == LETTERS[len(starts) % MAX_OPTIONS]:
            starts.append(found.start())
    if not starts or starts[0] > 0:
        return []
    return [text[start:end].strip().rstrip(",;|") for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def read_options(value: Any) -> tuple[list[str], list[str]]:
    """Return labels and texts of a row's options, trailing empty ones cut off (ragged tables fill up with nothing).

    Args:
        value: a list of texts or of labelled objects, a mapping of labels to texts, or either as a string.

    Raises:
        Unusable: it is none of these.
    """
    if isinstance(value, str):
        value = _decoded(value)
    if isinstance(value, Mapping):
        pairs = _labelled(value)
    elif isinstance(value, list | tuple):
        pairs = [_entry(entry, place) for place, entry in enumerate(value)]
    else:
        raise Unusable("there are no options" if is_missing(value) else f"options are a {type(value).__name__}")
    while pairs and not pairs[-1][1]:
        pairs.pop()
    labels, texts = [label for label, _ in pairs], [text for _, text in pairs]
    marks = [_MARKED.match(text) for text in texts]
    found = [mark for mark in marks if mark]
    if len(found) == len(texts) and [mark.group(1).upper() for mark in found] == list(LETTERS[: len(found)]):
        texts = [mark.group(2).strip() for mark in found]
    return labels, texts


def _as_integer(answer: Any) -> int | None:
    if isinstance(answer, bool):
        return None
    if isinstance(answer, int):
        return answer
    if isinstance(answer, float) and answer.is_integer():
        return int(answer)
    if isinstance(answer, str) and re.fullmatch(r"\s*-?\d{1,3}\s*", answer):
        return int(answer)
    return None


def single(answer: Any) -> Any:
    """Return the answer of a row, out of a list of one, a list of noughts and a one, or an object with text or label.

    Raises:
        Unusable: there is none, or more than one.
    """
    if isinstance(answer, Mapping):
        answer = next((answer[key] for key in (*_LABEL_KEYS, *_TEXT_KEYS) if not is_missing(answer.get(key))), None)
    if isinstance(answer, list | tuple):
        if len(answer) > 1 and all(value in (0, 1) for value in answer) and sum(answer) == 1:
            return LETTERS[list(answer).index(1) % MAX_OPTIONS]
        if len(answer) > 1:
            raise Unusable(f"{len(answer)} answers, one is needed")
        answer = answer[0] if answer else None
    if is_missing(answer):
        raise Unusable("no answer")
    return answer


def answer_index(answer: Any, labels: Sequence[str], texts: Sequence[str], style: Style) -> int | None:
    """Return which option an answer means when read in one style, or None where that makes no sense."""
    number = _as_integer(answer)
    if style in ("index", "index from 1"):
        place = None if number is None else number - (style == "index from 1")
        return place if place is not None and 0 <= place < len(texts) else None
    if style == "text":
        for form in (shown, normalised):
            places = [place for place, text in enumerate(texts) if form(text) == form(str(answer))]
            if len(places) == 1:
                return places[0]
        return None
    plain = [label.strip().upper() for label in labels]
    if str(answer).strip().upper() in plain:
        return plain.index(str(answer).strip().upper())
    found = _BARE_LETTER.match(str(answer)) or _LETTER.match(str(answer))
    if found is None:
        return None
    letter, rest = found.group(1).upper(), str(answer)[found.end(1) :].strip(" ).:]")
    place = plain.index(letter) if letter in plain else LETTERS.index(letter)
    agrees = not rest or (place < len(texts) and normalised(rest) == normalised(texts[place]))
    return place if place < len(texts) and agrees else None


def answer_styles(rows: Sequence[tuple[Any, Sequence[str], Sequence[str]]]) -> list[Style]:
    """Return the styles in which answers of a file are to be read, the one that fits most rows first.

    Numbers count from 0, unless some row's number is its count of options and none is 0.

    Args:
        rows: (answer, labels, texts) of every usable row.
    """
    numbers = [(number, len(texts)) for answer, _, texts in rows if (number := _as_integer(answer)) is not None]
    from_one = any(number == size for number, size in numbers) and all(number != 0 for number, _ in numbers)
    index: Style = "index from 1" if from_one else "index"
    styles: tuple[Style, ...] = ("text", "letter", index)
    fits = {style: sum(answer_index(*row, style) is not None for row in rows) for style in styles}
    return sorted(styles, key=lambda style: -fits[style])
