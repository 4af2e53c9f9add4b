"""What annotators decided, and what becomes of the questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from schemas.ids import canonical_json
from schemas.letters import names_a_letter
from schemas.records import Provenance, Question, Rejection, ReviewEvent
from tasks.rebalance import restore_balance, unbalanced_sets
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
    differ: bool = False
    readings: int = 0


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


def standing_verdicts(events: Sequence[ReviewEvent]) -> tuple[dict[str, dict[str, Ruling]], dict[str, Ruling]]:
    """Return the last verdict of every reviewer on every item that was not taken back, and the adjudications."""
    undone = {payload_of(event)["event_id"] for event in events if event.kind == "undo"}
    verdicts: dict[str, dict[str, Ruling]] = {}
    settled: dict[str, Ruling] = {}
    for event in events:
        if event.event_id in undone or event.kind not in ("verdict", "adjudicate"):
            continue
        ruling = _rule(payload_of(event), event.reviewer)
        if event.kind == "adjudicate":
            settled[event.item_id] = ruling
        else:
            verdicts.setdefault(event.item_id, {})[event.reviewer] = ruling
    return verdicts, settled


def rulings(events: Sequence[ReviewEvent], readers: Mapping[str, int] | None = None) -> dict[str, Ruling]:
    """Return what holds for every item with a decision.

    The last verdict of a reviewer that was not taken back counts; reviewers who differ leave the item undecided; an
    adjudication that decides overrides all verdicts.

    Args:
        events: the log, oldest first.
        readers: how many annotators must have read an item, by id; one where it says nothing.
    """
    verdicts, settled = standing_verdicts(events)
    final = {item_id: ruling for item_id, ruling in settled.items() if ruling.outcome != "undecided"}
    needed = readers or {}
    return {
        item_id: final.get(item_id) or _agreed(verdicts.get(item_id, {}), needed.get(item_id, 1), settled.get(item_id))
        for item_id in {**verdicts, **settled}
    }


def readers_wanted(queue: Sequence[ReviewEvent]) -> dict[str, int]:
    """Return how many annotators must read each item of a queue, by id."""
    return {event.item_id: int(payload_of(event).get("readers", 1)) for event in queue if event.kind == "open"}


def _agreed(verdicts: Mapping[str, Ruling], needed: int, skipped: Ruling | None) -> Ruling:
    decided = [ruling for ruling in verdicts.values() if ruling.outcome != "undecided"]
    if not decided:
        return next(iter(verdicts.values()), None) or skipped or Ruling("undecided", "nobody has decided")
    if len({(ruling.outcome, canonical_json(ruling.edit)) for ruling in decided}) > 1:
        said = ", ".join(f"{ruling.reviewer}: {ruling.outcome}" for ruling in decided)
        detail = f"reviewers differ ({said}); it needs an adjudicator"
        return Ruling("undecided", detail, differ=True, readings=len(decided))
    if len(decided) < needed:
        return Ruling("undecided", f"read by {len(decided)} of {needed} annotators", readings=len(decided))
    return decided[-1]


def edited(question: Question, ruling: Ruling) -> Question:
    """Return the question as a reviewer rewrote it; it leaves its counterbalanced set, for its text is its own now.

    The id stays, so that events, verdicts and releases still find it; the provenance tells of the edit.

    Raises:
        ValueError: the key is none of the options, or the rationale names a letter.
    """
    edit = ruling.edit or {}
    options = tuple(edit.get("options", question.options))
    key = edit.get("answer_index", question.answer_index)
    if key >= len(options):
        raise ValueError(f"key {key} of {len(options)} options")
    if said := names_a_letter(edit.get("rationale", "")):
        raise ValueError(f"the rationale says {said!r}")
    concepts = dict(zip(question.options, question.option_concepts, strict=False))
    return replace(
        question,
        question=edit.get("question", question.question),
        options=options,
        option_concepts=tuple(concepts.get(option, "") for option in options),
        answer_index=key,
        rationale=edit.get("rationale", question.rationale),
        option_set_id=None,
        round=question.round + 1,
        provenance=edited_provenance(question.provenance, ruling),
    )


def edited_provenance(made: Provenance, ruling: Ruling) -> Provenance:
    """Return the provenance of a row that a reviewer rewrote: how it was made, who edited it, and what."""
    edit = sorted(ruling.edit or {})
    told = canonical_json({"made": made.parameters, "edited_by": ruling.reviewer, "edited": edit})
    return replace(made, parameters=told)


def refused(item_id: str, ruling: Ruling, config: ReviewConfig) -> Rejection | None:
    """Return why an item does not go on: rejected by people, or held until they decide; None where it does."""
    if ruling.outcome == "reject":
        return Rejection(item_id, "review", "rejected_by_reviewer", ruling.detail)
    if ruling.outcome == "undecided" and config.undecided == "hold":
        return Rejection(item_id, "review", "awaiting_review", ruling.detail)
    return None


def _apply(question: Question, ruling: Ruling, config: ReviewConfig) -> Question | Rejection:
    if ruling.outcome == "edit":
        try:
            return edited(question, ruling)
        except ValueError as error:
            return Rejection(question.question_id, "review", "awaiting_review", f"the edit cannot be applied: {error}")
    return refused(question.question_id, ruling, config) or question


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
    opened = readers_wanted(queue)
    known = rulings(decisions, opened)
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
        kept, lost = restore_balance(kept, unbalanced_sets(questions), "review")
        rejections += lost
    return kept, rejections
