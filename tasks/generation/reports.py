"""Reports in, linked mentions out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from kg.link import Linker
from schemas.errors import FileFormatError
from schemas.ids import content_id
from schemas.records import Mention, Rejection, Report
from schemas.rejection import Reason
from tasks.generation.report_files import READERS, RawReport

_log = logging.getLogger(__name__)


def read_reports(sources: Mapping[str, str], root: Path) -> tuple[list[Report], list[Rejection]]:
    """Return the reports of the files and what was rejected; every report read is in one of the two lists.

    Args:
        sources: path of a report file relative to `root` -> patient id, used where the file itself names none
            (an empty string: only the file can say).
        root: folder of the report files.

    Returns:
        Reports in order of path and place in the file; rejections `missing_file` (or outside the folder),
        `unreadable` (not UTF-8), `empty_report`, `unknown_patient` and, for a second equal report of a patient,
        `near_duplicate`.

    Raises:
        FileFormatError: a file is malformed (named with its line) or of an unknown kind.
    """
    reports: dict[str, Report] = {}
    rejections: list[Rejection] = []
    for path in sorted(sources):
        raw = _read(path, root, rejections)
        for item in raw:
            _accept(item, path, item.patient_id or sources[path], reports, rejections)
    return list(reports.values()), rejections


def _read(path: str, root: Path, rejections: list[Rejection]) -> list[RawReport]:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in READERS:
        raise FileFormatError(f"{path}: unknown kind of report file", remedy=f"use one of {', '.join(READERS)}")
    place = (root / path).resolve()
    if not place.is_relative_to(root.resolve()):
        rejections.append(_rejection(path, "missing_file", "report file leads outside the folder of the reports"))
        return []
    try:
        text = place.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        rejections.append(_rejection(path, "missing_file", "no such report file"))
        return []
    except UnicodeDecodeError:
        rejections.append(_rejection(path, "unreadable", "report file is not UTF-8 text"))
        return []
    found = list(READERS[suffix](text, path))
    if not found:
        rejections.append(_rejection(path, "empty_report", "file holds no report"))
    return found


def _accept(
    raw: RawReport, path: str, patient_id: str, reports: dict[str, Report], rejections: list[Rejection]
) -> None:
    if not raw.sections:
        rejections.append(_rejection(raw.name, "empty_report", f"no text in {path}"))
    elif not patient_id:
        rejections.append(_rejection(raw.name, "unknown_patient", f"neither {path} nor the manifest names a patient"))
    else:
        text = [(section.title, section.text) for section in raw.sections]
        report_id = content_id("report", patient_id, raw.slide_id, text)
        if report_id in reports:
            rejections.append(_rejection(raw.name, "near_duplicate", f"equal to an earlier one, {report_id}"))
        else:
            reports[report_id] = Report(report_id, patient_id, raw.sections, raw.slide_id)


def _rejection(item: str, reason: Reason, detail: str) -> Rejection:
    _log.info("report %s rejected: %s (%s)", item, reason, detail)
    return Rejection(item, "reports", reason, detail)


def link_reports(reports: Iterable[Report], linker: Linker) -> list[Mention]:
    """Return every concept found in the reports' sections, with its status there, in reading order."""
    mentions = []
    for report in reports:
        for number, section in enumerate(report.sections):
            for link in linker.link(section.text, section=section.title):
                place = (report.report_id, number, link.start, link.end, link.concept_id)
                mentions.append(
                    Mention(
                        mention_id=content_id("mention", *place),
                        text_id=report.report_id,
                        section=section.title,
                        start=link.start,
                        end=link.end,
                        surface=link.surface,
                        concept_id=link.concept_id,
                        label=link.label,
                        candidates=tuple(link.candidates),
                        category=link.category,
                        status=link.status,
                    )
                )
    return mentions
