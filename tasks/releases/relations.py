"""How the tables hang together: keys, references, and the way from a row to its patient."""

from __future__ import annotations

from dataclasses import dataclass

UNSPLIT = "unsplit"
"""Name of the files that hold rows without a patient."""

KEYS: dict[str, tuple[str, ...]] = {
    "slides": ("slide_id",),
    "tiles": ("tile_id",),
    "fields": ("field_id",),
    "reports": ("report_id",),
    "mentions": ("mention_id",),
    "captions": ("caption_id",),
    "perturbations": ("perturbation_id",),
    "questions": ("question_id",),
    "reasoning": ("sample_id",),
    "verdicts": ("question_id", "reader", "round"),
    "review_events": ("event_id",),
}
"""Primary keys. `rejections` is a log: an item can be rejected more than once, for different reasons."""

GROUPS: dict[str, str] = {
    "slides": "slide_id",
    "tiles": "slide_id",
    "fields": "slide_id",
    "captions": "slide_id",
    "perturbations": "field_id",
    "questions": "slide_id",
    "reasoning": "slide_id",
    "verdicts": "question_id",
}
"""Column that keeps neighbours together in a file, so that a changed slide touches few files."""

OWNERS: dict[str, str] = {
    "slides": "patient_id",
    "fields": "patient_id",
    "reports": "patient_id",
    "captions": "patient_id",
    "perturbations": "patient_id",
    "questions": "patient_id",
    "reasoning": "patient_id",
}
"""Tables that name the patient of a row."""

LINKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "tiles": ("slide_id", ("slides",)),
    "mentions": ("text_id", ("reports", "captions")),
    "verdicts": ("question_id", ("questions",)),
    "review_events": ("item_id", ("questions", "captions", "perturbations", "reasoning")),
    "rejections": ("item_id", ("slides", "fields", "reports", "captions", "perturbations", "questions", "reasoning")),
}
"""Tables that reach the patient over another table: (column, tables whose key it holds)."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A column whose values are keys of other tables; rejected items resolve where `or_rejected`."""

    table: str
    column: str
    targets: tuple[str, ...]
    or_rejected: bool = False


REFERENCES: tuple[Reference, ...] = (
    Reference("tiles", "slide_id", ("slides",)),
    Reference("tiles", "field_id", ("fields",)),
    Reference("fields", "slide_id", ("slides",)),
    Reference("fields", "low_tile_id", ("tiles",)),
    Reference("fields", "mid_tile_id", ("tiles",)),
    Reference("fields", "high_tile_id", ("tiles",)),
    Reference("slides", "report_id", ("reports",)),
    Reference("reports", "slide_id", ("slides",), or_rejected=True),
    Reference("mentions", "text_id", ("reports", "captions")),
    Reference("captions", "field_id", ("fields",)),
    Reference("captions", "slide_id", ("slides",)),
    Reference("captions", "tile_id", ("tiles",)),
    Reference("perturbations", "caption_id", ("captions",)),
    Reference("perturbations", "field_id", ("fields",)),
    Reference("questions", "field_id", ("fields",)),
    Reference("questions", "slide_id", ("slides",)),
    Reference("reasoning", "field_id", ("fields",)),
    Reference("reasoning", "slide_id", ("slides",)),
    Reference("verdicts", "question_id", ("questions",), or_rejected=True),
    Reference("review_events", "item_id", ("questions", "captions", "perturbations", "reasoning"), or_rejected=True),
)
"""Every foreign key of the tables. Null is no reference."""
