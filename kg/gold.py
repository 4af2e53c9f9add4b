"""Hand-labelled sentences: how they are written down, read, and how a linker is scored on them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from schemas.errors import FileFormatError
from schemas.records.shared import Status

Half = Literal["tune", "measure"]
Labelled = tuple[int, int, Status]
_MARK = re.compile(r"\[([^\]]+)\]([+\-?])")
_STATUS: dict[str, Status] = {"+": "present", "-": "absent", "?": "uncertain"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence with its mentions.

    Attributes:
        half: part of the labels that it belongs to: rules are tuned on one half, figures come from the other.
        mentions: (start, end, status), in the order of the text.
    """

    half: Half
    text: str
    mentions: tuple[Labelled, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """How a linker's spans and statuses agree with the labels.

    Attributes:
        precision: share of the linker's spans that are labelled, boundaries exactly equal.
        recall: share of the labelled spans that the linker finds, boundaries exactly equal.
        span_f1: harmonic mean of the two.
        status_f1: F1 of present, absent and uncertain on the spans that both have, averaged over the three.
        mentions: labelled spans.
    """

    precision: float
    recall: float
    span_f1: float
    status_f1: float
    mentions: int


def read_marked(path: Path) -> list[Sentence]:
    r"""Return sentences marked in the text: `[necrosis]-` is absent, `+` present, `?` uncertain; `\n` a line break.

    Raises:
        FileFormatError: a line has no half.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("#"):
            continue
        half, tab, marked = line.partition("\t")
        if not tab or half not in get_args(Half):
            raise FileFormatError(f"{path.name} line {number}: no half", remedy="begin with tune or measure and a tab")
        found.append(_unmark(cast(Half, half), marked.replace(r"\n", "\n")))
    return found


def _unmark(half: Half, marked: str) -> Sentence:
    text, mentions, last = "", [], 0
    for match in _MARK.finditer(marked):
        text += marked[last : match.start()]
        mentions.append((len(text), len(text) + len(match[1]), _STATUS[match[2]]))
        text += match[1]
        last = match.end()
    return Sentence(half, text + marked[last:], tuple(mentions))


def read_standoff(path: Path, reports: Path) -> list[Sentence]:
    """Return sentences that are labelled by offsets into reports that stand elsewhere.

    Args:
        path: half, report, start, end and `start-end:status` of each mention, relative to the sentence.
        reports: the JSON list of conversations that the offsets are of.

    Raises:
        FileFormatError: a line has the wrong number of cells.
    """
    texts = [item["conversations"][1]["value"] for item in json.loads(reports.read_text(encoding="utf-8"))]
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 5:
            raise FileFormatError(f"{path.name} line {number}: {len(cells)} cells, not 5", remedy="correct the line")
        half, report, start, end, mentions = cells
        labelled = []
        for mention in mentions.split():
            span, _, status = mention.partition(":")
            first, _, last = span.partition("-")
            labelled.append((int(first), int(last), cast(Status, status)))
        found.append(Sentence(cast(Half, half), texts[int(report)][int(start) : int(end)], tuple(labelled)))
    return found


def score(pairs: Iterable[tuple[Sequence[Labelled], Sequence[Labelled]]]) -> Scores:
    """Return the scores of (labelled, found) mentions, one pair per text."""
    hits = labelled = found = 0
    agreed: dict[tuple[Status, Status], int] = {}
    for gold, ours in pairs:
        truth = {(start, end): status for start, end, status in gold}
        labelled += len(truth)
        found += len(ours)
        for start, end, status in ours:
            if (start, end) in truth:
                hits += 1
                key = (truth[start, end], status)
                agreed[key] = agreed.get(key, 0) + 1
    precision, recall = hits / max(found, 1), hits / max(labelled, 1)
    return Scores(precision, recall, _f1(hits, found, labelled), _status_f1(agreed), labelled)


def _f1(hits: int, found: int, labelled: int) -> float:
    return 2 * hits / (found + labelled) if found + labelled else 0.0


def _status_f1(agreed: dict[tuple[Status, Status], int]) -> float:
    each = []
    for status in get_args(Status):
        found = sum(count for (_, ours), count in agreed.items() if ours == status)
        labelled = sum(count for (truth, _), count in agreed.items() if truth == status)
        if labelled:
            each.append(_f1(agreed.get((status, status), 0), found, labelled))
    return sum(each) / len(each) if each else 0.0
