"""Readers of report files: headed text, JSON, JSON lines and CSV, as raw reports."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from schemas.errors import FileFormatError
from schemas.json_lines import json_lines
from schemas.records import Section

BODY = "report"  # title of text that stands under no heading
# PathReasoner publishes its samples as <info>/<think>/<answer>; its findings and diagnosis are what a report says.
_TAGS = {"info": "findings", "observe": "findings", "think": "reasoning", "answer": "diagnosis"}
_TAGGED = re.compile(r"<(info|observe|think|answer)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
# A heading is a short line of letters ending with a colon, or such a line in capitals; text may follow the colon.
_HEADING = re.compile(
    r"^[ \t#*]*(?:(?P<colon>[A-Za-z][A-Za-z /,&()-]{1,48}):[ \t*]*(?P<rest>.*)"
    r"|(?P<caps>[A-Z][A-Z /,&()-]{3,48}))[ \t*]*$"
)
_TITLE_WORDS = re.compile(
    r"\b(addendum|clinical|comment|conclusion|diagnosis|description|examination|findings|gross|history|indication"
    r"|immunohistochemistry|impression|macroscop(ic|y)|material|microscop(ic|y)|note|reasoning|recommendation|site"
    r"|specimen|summary|synop(sis|tic)|tumou?r)\b"
)


@dataclass(frozen=True, slots=True)
class RawReport:
    """A report as its file gives it; `patient_id` and `slide_id` are None where the file does not say."""

    name: str
    patient_id: str | None
    slide_id: str | None
    sections: tuple[Section, ...]


def split_sections(text: str) -> tuple[Section, ...]:
    """Return the sections of a report text: tagged parts where there are tags, else parts by heading.

    A heading is a line such as `DIAGNOSIS`, `Microscopic description:` or `Diagnosis: carcinoma`; text before the
    first heading stands under `report`. Empty sections are left out; equal titles are kept apart.
    """
    if tagged := _TAGGED.findall(text):
        parts = [(_TAGS[tag.lower()], _without_heading(body)) for tag, body in tagged]
    else:
        parts = _by_heading(text)
    return tuple(Section(title, body.strip()) for title, body in parts if body.strip())


def _without_heading(body: str) -> str:
    head, _, rest = body.strip().partition("\n")
    return rest if head.strip().endswith(":") else body


def _by_heading(text: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, list[str]]] = [(BODY, [])]
    for line in text.replace("\r\n", "\n").split("\n"):
        found = _HEADING.match(line)
        title = (found["colon"] or found["caps"]).strip().lower() if found else ""
        if found and _TITLE_WORDS.search(title):
            parts.append((title, [found["rest"] or ""]))
        else:
            parts[-1][1].append(line)
    return [(title, "\n".join(lines)) for title, lines in parts]


def _sections_of(row: dict[str, Any], where: str) -> tuple[Section, ...]:
    given = row.get("sections")
    if isinstance(given, dict):
        given = [{"title": title, "text": text} for title, text in given.items()]
    if isinstance(given, list):
        try:
            parts = [(str(part["title"]).lower(), str(part["text"] or "").strip()) for part in given]
        except (TypeError, KeyError) as error:
            raise FileFormatError(f"{where}: a section lacks `title` or `text`", remedy="give both") from error
        return tuple(Section(title, text) for title, text in parts if text)
    if isinstance(row.get("text"), str):
        return split_sections(row["text"])
    if isinstance(row.get("conversations"), list):
        said = [
            str(turn.get("value") or "") for turn in row["conversations"] if turn.get("from") in {"gpt", "assistant"}
        ]
        return split_sections("\n".join(said))
    raise FileFormatError(f"{where}: no `text`, `sections` or `conversations`", remedy="give one of them per report")


def _report(row: Any, name: str, where: str) -> RawReport:
    if not isinstance(row, dict):
        raise FileFormatError(f"{where}: a report must be an object", remedy="use {id, patient_id, text}")
    return RawReport(
        name=str(row.get("id") or row.get("report_id") or name),
        patient_id=str(row["patient_id"]) if row.get("patient_id") else None,
        slide_id=str(row["slide_id"]) if row.get("slide_id") else None,
        sections=_sections_of(row, where),
    )


def _read_txt(text: str, path: str) -> Iterator[RawReport]:
    yield RawReport(path, None, None, split_sections(text))


def _loads(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise FileFormatError(f"{where}: not JSON ({error})", remedy="repair the file or leave it out") from error


def _read_json(text: str, path: str) -> Iterator[RawReport]:
    rows = _loads(text, path)
    for number, row in enumerate(rows if isinstance(rows, list) else [rows]):
        yield _report(row, f"{path}#{number}", f"{path}, item {number}")


def _read_jsonl(text: str, path: str) -> Iterator[RawReport]:
    for number, line in json_lines(text):
        yield _report(_loads(line, f"{path}, line {number}"), f"{path}#{number}", f"{path}, line {number}")


def _read_csv(text: str, path: str) -> Iterator[RawReport]:
    rows = csv.DictReader(io.StringIO(text))
    if "text" not in (rows.fieldnames or ()):
        raise FileFormatError(f"{path}: no column `text`", remedy="use the columns id, patient_id, text")
    for number, row in enumerate(rows, start=2):
        yield _report(row, f"{path}#{number}", f"{path}, line {number}")


READERS: dict[str, Callable[[str, str], Iterator[RawReport]]] = {
    ".txt": _read_txt,
    ".json": _read_json,
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
}
"""Reader by file suffix: (text, path relative to the root) -> raw reports in file order."""


def names_patients(path: str) -> bool:
    """Return whether a file of this name may say itself whose reports it holds: plain text cannot."""
    return not path.lower().endswith(".txt")
