"""What each kind of review event says.

| kind | payload |
|---|---|
| open | `{cell, reasons: [{reader, p, cue}], readers}` |
| blind | `{answer}`: index of the option chosen from the images alone, null where they do not tell |
| verdict, adjudicate | `{decision}`, with `reason` for reject, `edit` for edit |
| undo | `{event_id}` of an own verdict |

An edit gives what it changes: `question`, `options`, `answer_index` and `rationale` of a question, `text` of a caption,
`observe` and `think` (the words of every step) of a reasoning sample; what it does not give stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from schemas.errors import ReviewError
from schemas.records.review import Decision, EventKind

EDITABLE = {
    "question": ("question", "options", "answer_index", "rationale"),
    "caption": ("text",),
    "negative": (),
    "reasoning": ("observe", "think"),
}
"""What can be edited, by kind of item; a negative is certified by its construction, so it is taken or left."""
REASONS = (
    "the key is wrong",
    "more than one option is right",
    "no option is right",
    "it cannot be seen in these images",
    "the images are not good enough",
    "the wording is unclear or wrong",
    "it can be answered without the images",
)
"""Why an item is rejected, to choose from; words of one's own may follow after a colon, or stand alone."""
_EDITABLE = tuple(name for names in EDITABLE.values() for name in names)
_TEXTS = ("question", "rationale", "text", "observe")
MAX_TEXT = 4000


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= MAX_TEXT


def _check_options(options: Any) -> str | None:
    if not isinstance(options, list) or not 2 <= len(options) <= 26:
        return "options are a list of 2 to 26 texts"
    texts = [" ".join(option.casefold().split()) if isinstance(option, str) else "" for option in options]
    if not all(texts) or any(len(option) > MAX_TEXT for option in options):
        return "an option is empty or too long"
    return "two options are the same text" if len(set(texts)) < len(texts) else None


def check_edit(edit: Any) -> str | None:
    """Return what is wrong with an edit by itself, or None."""
    if not isinstance(edit, Mapping) or not edit:
        return "an edit gives what it changes"
    faults = [f"{name!r} cannot be edited; {', '.join(_EDITABLE)} can" for name in sorted(set(edit) - set(_EDITABLE))]
    faults += [f"{name} is empty or too long" for name in _TEXTS if name in edit and not _is_text(edit[name])]
    steps = edit.get("think", ["-"])
    if not isinstance(steps, list) or not steps or not all(map(_is_text, steps)):
        faults.append("a step is empty or too long")
    if "options" in edit and (fault := _check_options(edit["options"])):
        faults.append(fault)
    if not _is_index(edit.get("answer_index", 0)):
        faults.append("answer_index is the index of an option, from 0")
    return faults[0] if faults else None


def _check_open(payload: Mapping[str, Any]) -> str | None:
    reasons = payload.get("reasons")
    whole = isinstance(reasons, list) and all(
        isinstance(reason, Mapping) and {"reader", "p", "cue"} <= set(reason) for reason in reasons
    )
    return None if whole else "reasons are a list of {reader, p, cue}"


def _check_blind(payload: Mapping[str, Any]) -> str | None:
    answer = payload.get("answer", "")
    return None if answer is None or _is_index(answer) else "answer is the index of an option, from 0, or null"


def _check_verdict(payload: Mapping[str, Any]) -> str | None:
    decision = payload.get("decision")
    if decision not in get_args(Decision):
        return f"decision is one of {', '.join(get_args(Decision))}"
    if decision == "reject" and not _is_text(payload.get("reason")):
        return "a rejection gives its reason"
    return check_edit(payload.get("edit")) if decision == "edit" else None


def _check_undo(payload: Mapping[str, Any]) -> str | None:
    return None if _is_text(payload.get("event_id")) else "event_id names the event to take back"


_CHECKS: dict[EventKind, Callable[[Mapping[str, Any]], str | None]] = {
    "open": _check_open,
    "blind": _check_blind,
    "verdict": _check_verdict,
    "adjudicate": _check_verdict,
    "undo": _check_undo,
}


def check_payload(kind: EventKind, payload: Mapping[str, Any], where: str) -> None:
    """Check that a payload says what its kind of event must say.

    Raises:
        ReviewError: it does not.
    """
    fault = _CHECKS[kind](payload)
    if fault:
        raise ReviewError(f"{where}: payload is not that of {kind}", remedy=fault)
