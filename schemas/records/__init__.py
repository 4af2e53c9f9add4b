"""The records: one frozen class per table, the single source of its Arrow schema and of the data dictionary."""

from schemas.records.generation import Caption, Perturbation, Question, Reasoning, ReasoningStep
from schemas.records.outcome import Rejection, Verdict
from schemas.records.review import ReviewEvent
from schemas.records.shared import Feature, Provenance
from schemas.records.slides import Field, Slide, Tile
from schemas.records.text import Mention, Report, Section

TABLES = {
    "slides": Slide,
    "tiles": Tile,
    "fields": Field,
    "reports": Report,
    "mentions": Mention,
    "captions": Caption,
    "perturbations": Perturbation,
    "questions": Question,
    "reasoning": Reasoning,
    "verdicts": Verdict,
    "review_events": ReviewEvent,
    "rejections": Rejection,
}

__all__ = [
    "TABLES",
    "Caption",
    "Feature",
    "Field",
    "Mention",
    "Perturbation",
    "Provenance",
    "Question",
    "Reasoning",
    "ReasoningStep",
    "Rejection",
    "Report",
    "ReviewEvent",
    "Section",
    "Slide",
    "Tile",
    "Verdict",
]
