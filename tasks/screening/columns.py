"""Which columns of somebody's multiple-choice file hold question, options, answer, group and type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schemas.errors import FileFormatError
from tasks.screening.items import LETTERS

# Names in use, the most telling first; compared without case, spaces, hyphens and underscores.
QUESTION = ("question", "questiontext", "query", "stem", "prompt", "problem", "input", "text", "sentence", "ctx")
OPTIONS = ("options", "choices", "answerchoices", "optionlist", "candidates", "endings")
WRONG = ("distractors", "incorrectanswers", "wronganswers")  # without the right answer
ANSWER = (
    "answerindex", "answeridx", "answer", "correctanswer", "correctoption", "answerkey", "correct", "correctindex",
    "correctidx", "label", "target", "gold", "key", "cop", "groundtruth", "solution",
)  # fmt: skip
GROUP = (
    "group", "patientid", "patient", "subjectid", "caseid", "case", "slideid", "slide", "wsi", "studyid", "imageid",
    "image", "imagepath", "filename", "documentid", "passageid",
)  # fmt: skip
TYPE = ("cell", "type", "questiontype", "dimension", "category", "task", "subtask", "topic", "subject", "subset")
MOST_TYPES, ROWS_OF_TYPE = 20, 10  # more values than these in a column found by name must recur as often as this
IDENTIFIER = ("questionid", "id", "qid", "itemid", "uid", "uuid", "index")
OPTION_SET = ("optionsetid",)
# A, option_a, choice1, opa (MedMCQA), ending0: one column per option.
_LETTERED = re.compile(
    r"^(?:option|choice|answer|op|opt|ending|candidate|distractor|incorrectanswer|wronganswer)?([a-z]|\d{1,2})$"
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of a file; what is not given is found by name.

    Where the right answer stands `apart`, `options` hold the wrong ones alone.
    """

    question: str | None = None
    options: str | tuple[str, ...] | None = None
    answer: str | None = None
    group: str | None = None
    type: str | None = None
    id: str | None = None
    option_set: str | None = None
    apart: bool = False


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name).casefold()


def _first(names: Sequence[str], known: Iterable[str], taken: set[str]) -> str | None:
    plain = {_plain(name): name for name in reversed(names) if name not in taken}
    return next((plain[candidate] for candidate in known if candidate in plain), None)


def _lettered(names: Sequence[str]) -> tuple[str, ...]:
    """Return columns that hold one option each, in order; at least the first two letters or numbers, without gaps."""
    by_style: dict[str, dict[int, str]] = {}
    for name in names:
        found = _LETTERED.match(_plain(name))
        if found is None:
            continue
        mark = found.group(1)
        style = _plain(name)[: -len(mark)] + ("0" if mark.isdigit() else "a")
        place = int(mark) if mark.isdigit() else LETTERS.index(mark.upper())
        by_style.setdefault(style, {})[place] = name
    best: tuple[str, ...] = ()
    for places in by_style.values():
        first = min(places)
        run = [places[place] for place in range(first, first + len(places)) if place in places]
        if first <= 1 and len(run) >= 2 and len(run) > len(best):
            best = tuple(run)
    return best


def is_no_type(name: str, values: Iterable[str]) -> bool:
    """Return whether a column is only called like a type: more than a few values, with fewer than ten rows each."""
    if _plain(name) not in TYPE[1:]:
        return False
    counts = Counter(values)
    return len(counts) > MOST_TYPES and counts.total() < ROWS_OF_TYPE * len(counts)


def _must_exist(given: str | tuple[str, ...] | None, names: Sequence[str], file: str) -> None:
    for name in (given,) if isinstance(given, str) else given or ():
        if name not in names:
            raise FileFormatError(
                f"{file} has no column {name!r}", remedy=f"it has {', '.join(sorted(names)[:20]) or 'none'}"
            )


def _apart(options: str | tuple[str, ...], answer: str) -> tuple[str | tuple[str, ...], bool]:
    """Return the columns of the options without that of the answer, and whether the answer stands apart from them."""
    if isinstance(options, tuple) and answer in options:
        return tuple(name for name in options if name != answer), True
    first = _plain(options if isinstance(options, str) else options[0])
    return options, first.startswith(tuple(name.rstrip("s") for name in WRONG))


def find_columns(names: Sequence[str], wanted: Columns, *, file: str) -> Columns:
    """Return the columns to read, those given as they are and the others by their names.

    Args:
        names: columns of the file, in order.
        wanted: columns that the user named.
        file: name of the file, for messages.

    Raises:
        FileFormatError: a named column is missing, or no column looks like the question, the options or the answer.
    """
    for given in (wanted.question, wanted.options, wanted.answer, wanted.group, wanted.type, wanted.id):
        _must_exist(given, names, file)
    taken = {name for name in (wanted.question, wanted.answer, wanted.group, wanted.type, wanted.id) if name}
    options = (
        wanted.options or _first(names, OPTIONS, taken) or _lettered(names) or _first(names, ("answers", *WRONG), taken)
    )
    taken |= {options} if isinstance(options, str) else set(options or ())
    answer = wanted.answer or _first(names, ANSWER, taken)
    taken |= {answer} if answer else set()
    question = wanted.question or _first(names, QUESTION, taken)
    for what, found in (("question", question), ("options", options), ("answer", answer)):
        if not found:
            raise FileFormatError(
                f"{file} has no column that looks like the {what}; it has {', '.join(sorted(names)[:20]) or 'none'}",
                remedy=f"name it: --{what} COLUMN",
            )
    options, apart = _apart(options or "", answer or "")
    return Columns(
        question=question,
        options=options,
        answer=answer,
        group=wanted.group or _first(names, GROUP, taken),
        type=wanted.type or _first(names, TYPE, taken),
        id=wanted.id or _first(names, IDENTIFIER, taken),
        option_set=_first(names, OPTION_SET, taken),
        apart=apart,
    )
