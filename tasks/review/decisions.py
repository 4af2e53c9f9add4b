"""What annotators decided, and what becomes of the questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from schemas.ids import canonical_json
from schemas.records import Provenance, Question, Rejection, ReviewEvent
from tasks.rebalance import restore_balance
from tasks.review.config import ReviewConfig
from tasks.review.events import payload_of, read_events, verify_chain

Outcome = Literal["accept", "edit", "reject", "undecided"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What holds for one item now, and for people why."""

    outcome: Outcome
    detail: str
    reviewer: str = ""
    edit: Mapping[str, Any] | None = None


def read_decisions(path: Path) -> list[ReviewEvent]:
    """Return the events of a log of decisions, verified; an absent file means that nobody has decided yet.

    The log may hold the queue's `open` events or only what came after them.

    Raises:
        ReviewError: a line is not an event, the chain is broken, or a verdict came before its blind answer.
    """
    if not path.exists():
        return []
    events = read_events(path)
    verify_chain(events)
    return events


def _rule(payload: Mapping[str, Any], reviewer: str) -> Ruling:
    decision = payload["decision"]
    if decision == "skip":
        return Ruling("undecided", f"skipped by {reviewer}", reviewer)
    return Ruling(decision, str(payload.get("reason", "")), reviewer, payload.get("edit"))


def rulings(events: Sequence[ReviewEvent]) -> dict[str, Ruling]:
    """Return what holds for every item with a decision.

    The last verdict of a reviewer that was not taken back counts; reviewers who differ leave the item undecided; an
    adjudication overrides all verdicts.
    """
    undone = {payload_of(event)["event_id"] for event in events if event.kind == "undo"}
    by_item: dict[str, dict[str, Ruling]] = {}
    settled: dict[str, Ruling] = {}
    for event in events:
        if event.event_id in undone or event.kind not in ("verdict", "adjudicate"):
            continue
        ruling = _rule(payload_of(event), event.reviewer)
        if event.kind == "adjudicate":
            settled[event.item_id] = ruling
        by_item.setdefault(event.item_id, {})[event.reviewer] = ruling
    return {item_id: settled.get(item_id) or _agreed(verdicts) for item_id, verdicts in by_item.items()}


def _agreed(verdicts: Mapping[str, Ruling]) -> Ruling:
    decided = [ruling for ruling in verdicts.values() if ruling.outcome != "undecided"]
    if not decided:
        return next(iter(verdicts.values()))
    if len({(ruling.outcome, canonical_json(ruling.edit)) for ruling in decided}) > 1:
        said = ", ".join(f"{ruling.reviewer}: {ruling.outcome}" for ruling in decided)
        return Ruling("undecided", f"reviewers differ ({said}); it needs an adjudicator")
    return decided[-1]


def edited(question: Question, ruling: Ruling) -> Question:
    """Return the question as a reviewer rewrote it; it leaves its counterbalanced set, for its text is its own now.

    The id stays, so that events, verdicts and releases still find it; the provenance tells of the edit.

    Raises:
        ValueError: the key is none of the options.
    """
    edit = ruling.edit or {}
    options = tuple(edit.get("options", question.options))
    key = edit.get("answer_index", question.answer_index)
    if key >= len(options):
        raise ValueError(f"key {key} of {len(options)} options")
    concepts = dict(zip(question.options, question.option_concepts, strict=False))
    made = question.provenance
    provenance = Provenance(
        generator=made.generator,
        model=made.model,
        prompt_sha256=made.prompt_sha256,
        parameters=canonical_json({"made": made.parameters, "edited_by": ruling.reviewer, "edited": sorted(edit)}),
        code_version=made.code_version,
        input_ids=made.input_ids,
        ledger_id=made.ledger_id,
    )
    return replace(
        question,
        question=edit.get("question", question.question),
        options=options,
        option_concepts=tuple(concepts.get(option, "") for option in options),
        answer_index=key,
        rationale=edit.get("rationale", question.rationale),
        option_set_id=None,
        provenance=provenance,
    )


def _apply(question: Question, ruling: Ruling, config: ReviewConfig) -> Question | Rejection:
    if ruling.outcome == "edit":
        try:
            return edited(question, ruling)
        except ValueError as error:
            return Rejection(question.question_id, "review", "awaiting_review", f"the edit cannot be applied: {error}")
    if ruling.outcome == "reject":
        return Rejection(question.question_id, "review", "rejected_by_reviewer", ruling.detail)
    if ruling.outcome == "undecided" and config.undecided == "hold":
        return Rejection(question.question_id, "review", "awaiting_review", ruling.detail)
    return question


def apply_decisions(
    questions: Sequence[Question], queue: Sequence[ReviewEvent], decisions: Sequence[ReviewEvent], config: ReviewConfig
) -> tuple[list[Question], list[Rejection]]:
    """Return the questions that go on, edits applied, and those that do not, with reasons; order is kept.

    Args:
        questions: what screening passed on.
        queue: `open` events of the flagged ones.
        decisions: the log of decisions, verified.
        config: what to do with flagged questions on which nobody, or nobody in agreement, has decided.
    """
    known = rulings(decisions)
    opened = {event.item_id for event in queue if event.kind == "open"}
    waiting = Ruling("undecided", "flagged; nobody has decided")
    kept: list[Question] = []
    rejections: list[Rejection] = []
    for question in questions:
        ruling = known.get(question.question_id, waiting if question.question_id in opened else None)
        result = question if ruling is None else _apply(question, ruling, config)
        if isinstance(result, Question):
            kept.append(result)
        else:
            rejections.append(result)
    if config.rebalance:
        kept, lost = restore_balance(questions, kept, "review")
        rejections += lost
    return kept, rejections
