"""What becomes of captions, negatives and reasoning samples after review."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from schemas.records import Caption, Perturbation, Reasoning, Rejection
from tasks.review.config import ReviewConfig
from tasks.review.decisions import Ruling, edited_provenance, refused

NOBODY = Ruling("undecided", "drawn for review; nobody has decided")


@dataclass(frozen=True, slots=True)
class TextRows:
    """The texts of one slide."""

    captions: list[Caption]
    perturbations: list[Perturbation]
    reasoning: list[Reasoning]

    def __len__(self) -> int:
        return len(self.captions) + len(self.perturbations) + len(self.reasoning)

    def field_of(self) -> dict[str, str]:
        """Return the field of every text, by the text's id."""
        return {
            **{row.caption_id: row.field_id for row in self.captions},
            **{row.perturbation_id: row.field_id for row in self.perturbations},
            **{row.sample_id: row.field_id for row in self.reasoning},
        }


def apply_to_texts(
    rows: TextRows, known: Mapping[str, Ruling], config: ReviewConfig
) -> tuple[TextRows, list[Rejection]]:
    """Return the texts that go on, edits applied, and those that do not, with reasons.

    A caption takes its perturbations with it: where it is rejected, held or rewritten, what was made of it by one
    change is no longer that. Mirrored pairs that lose a side stay as negatives but are no longer called mirrored.

    Args:
        rows: the texts of one slide.
        known: what holds for the items that were reviewed or wait for it, by id.
        config: what to do where nobody has decided.
    """
    rejections: list[Rejection] = []
    captions: list[Caption] = []
    gone: dict[str, str] = {}
    for caption in rows.captions:
        ruling = known.get(caption.caption_id)
        refusal = ruling and refused(caption.caption_id, ruling, config)
        if refusal:
            rejections.append(refusal)
            gone[caption.caption_id] = "its caption was not passed on"
        elif ruling and ruling.outcome == "edit":
            gone[caption.caption_id] = "its caption was rewritten"
            text = str((ruling.edit or {}).get("text", caption.text))
            captions.append(replace(caption, text=text, provenance=edited_provenance(caption.provenance, ruling)))
        else:
            captions.append(caption)
    negatives: list[Perturbation] = []
    for negative in rows.perturbations:
        ruling = known.get(negative.perturbation_id)
        refusal = ruling and refused(negative.perturbation_id, ruling, config)
        if refusal:
            rejections.append(refusal)
        elif negative.caption_id in gone:
            detail = gone[negative.caption_id]
            rejections.append(Rejection(negative.perturbation_id, "review", "rejected_by_reviewer", detail))
        else:
            negatives.append(negative)
    samples, lost = _reasoning(rows.reasoning, known, config)
    return TextRows(captions, _still_mirrored(negatives, captions), samples), rejections + lost


def _reasoning(
    rows: Sequence[Reasoning], known: Mapping[str, Ruling], config: ReviewConfig
) -> tuple[list[Reasoning], list[Rejection]]:
    kept: list[Reasoning] = []
    rejections: list[Rejection] = []
    for row in rows:
        ruling = known.get(row.sample_id)
        refusal = ruling and refused(row.sample_id, ruling, config)
        words = ((ruling.edit if ruling else None) or {}).get("think", row.think)
        if refusal:
            rejections.append(refusal)
        elif len(words) != len(row.think):
            detail = f"the edit cannot be applied: {len(words)} steps in place of {len(row.think)}"
            rejections.append(Rejection(row.sample_id, "review", "awaiting_review", detail))
        else:
            kept.append(_rewritten(row, ruling) if ruling and ruling.outcome == "edit" else row)
    return kept, rejections


def _rewritten(row: Reasoning, ruling: Ruling) -> Reasoning:
    edit = ruling.edit or {}
    words = edit.get("think", [step.text for step in row.think])
    think = tuple(replace(step, text=text) for step, text in zip(row.think, words, strict=True))
    made = edited_provenance(row.provenance, ruling)
    return replace(row, observe=str(edit.get("observe", row.observe)), think=think, provenance=made)


def _still_mirrored(rows: Sequence[Perturbation], captions: Sequence[Caption]) -> list[Perturbation]:
    """Return the negatives; of a pair of texts as many stay mirrored in one direction as in the other."""
    text_of = {caption.caption_id: caption.text for caption in captions}
    sides: dict[frozenset[str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.mirrored:
            sides[frozenset((text_of[row.caption_id], row.text))][row.text] += 1
    left = {pair: {text: min(count[t] for t in pair) for text in pair} for pair, count in sides.items()}
    kept = []
    for row in rows:
        if row.mirrored:
            room = left[frozenset((text_of[row.caption_id], row.text))]
            room[row.text] -= 1
            kept.append(row if room[row.text] >= 0 else replace(row, mirrored=False))
        else:
            kept.append(row)
    return kept
