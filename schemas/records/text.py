"""Records of report text and what was linked in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.records.shared import Status, doc


@dataclass(frozen=True, slots=True)
class Section:
    """One titled part of a report."""

    title: str = field(metadata=doc("title in lower case: microscopic description, diagnosis, ..."))
    text: str = field(metadata=doc("text of the section"))


@dataclass(frozen=True, slots=True)
class Report:
    """One pathology report, by section."""

    report_id: str = field(metadata=doc("content id, `report_...`"))
    patient_id: str = field(metadata=doc("patient of the report"))
    sections: tuple[Section, ...] = field(metadata=doc("sections in reading order"))
    slide_id: str | None = field(default=None, metadata=doc("slide, where the report speaks of one"))


@dataclass(frozen=True, slots=True)
class Mention:
    """One concept found in a text, with its status there."""

    mention_id: str = field(metadata=doc("content id, `mention_...`"))
    text_id: str = field(metadata=doc("report or caption that holds the span"))
    section: str | None = field(metadata=doc("section title for reports"))
    start: int = field(metadata=doc("first character of the span in its section or caption"))
    end: int = field(metadata=doc("one past the last character of the span"))
    surface: str = field(metadata=doc("text of the span"))
    concept_id: str = field(metadata=doc("CURIE of the best candidate"))
    label: str = field(metadata=doc("preferred label of the concept"))
    candidates: tuple[str, ...] = field(metadata=doc("CURIEs of all candidates, best first"))
    category: str = field(metadata=doc("node category of the concept"))
    status: Status = field(metadata=doc("present, absent or uncertain"))
