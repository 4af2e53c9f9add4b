"""What annotators are shown of one item: blind first, everything afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from schemas.ids import canonical_json, content_id
from tasks.review.payloads import EDITABLE

Kind = Literal["question", "caption", "negative", "reasoning"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One finding that the item rests on: where it is seen, what it is, and who says so."""

    scale: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class BlindView:
    """What may be sent before the blind answer: no key, no kind, no reason, nothing that tells them."""

    public_id: str
    dimension: str
    slide_id: str
    field_id: str
    scales: tuple[str, ...]
    ask: str
    statement: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One item of the queue with everything that is shown of it.

    Every kind has options to choose from before the key is shown. A caption and a negative ask the same (does this
    description hold?), so that nobody can tell which of the two is in front of them.
    """

    item_id: str
    kind: Kind
    dimension: str
    slide_id: str
    field_id: str
    patient_id: str
    scales: tuple[str, ...]
    ask: str
    statement: str
    options: tuple[str, ...]
    key: int
    rationale: str
    evidence: tuple[Evidence, ...]
    path: tuple[str, ...]
    reasons: tuple[Mapping[str, Any], ...]
    readers: int
    editable: Mapping[str, Any] = field(default_factory=dict)

    @property
    def public_id(self) -> str:
        """The name of the item in addresses; the item's own id would tell a caption from a negative."""
        return content_id("item", self.item_id)

    def fields(self) -> list[tuple[str, Any]]:
        """Return what can be edited, in the order of the form."""
        return [(name, self.editable[name]) for name in EDITABLE[self.kind]]

    def blind(self) -> BlindView:
        """Return what may be sent before the blind answer."""
        return BlindView(
            self.public_id,
            self.dimension,
            self.slide_id,
            self.field_id,
            self.scales,
            self.ask,
            self.statement,
            self.options,
        )

    def to_json(self) -> str:
        """Return the item as one line of JSON."""
        return canonical_json(asdict(self))

    @staticmethod
    def from_json(text: str) -> ReviewItem:
        """Return the item that `to_json` wrote."""
        row = json.loads(text)
        lists = {name: tuple(row[name]) for name in ("scales", "options", "path", "reasons")}
        return ReviewItem(**{**row, **lists, "evidence": tuple(Evidence(**one) for one in row["evidence"])})
