"""Label Studio in place of the page: items out without their key, annotations back as events.

Label Studio hides nothing that a task carries, so a task carries nothing that must stay hidden. Annotators answer and
say whether the item is sound without ever seeing the key; what that proves is written, and nothing more:

| annotation | events |
|---|---|
| an answer, "sound", and the answer is the key | blind, verdict accept |
| an answer and a fault | blind, verdict reject |
| an answer, "sound", but not the key | blind alone: somebody who sees the key decides on the page |
| skipped | none |
| another answer than was pulled before | none more: the first blind answer stands |
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import quoteattr

from schemas.errors import InputError, ReviewError
from schemas.records.shared import SCALES
from tasks.review.events import payload_of
from tasks.review.items import ReviewItem
from tasks.review.journal import events_of, record
from tasks.review.payloads import REASONS

UNTOLD = "The images do not tell"
SOUND = "sound"
FAULTS = REASONS[1:]  # whoever has not seen the key cannot say that it is wrong
_BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
_BATCH = 50


def labelling_config() -> str:
    """Return the labelling configuration: three images, the question, the answer, and whether the item is sound."""
    images = "".join(
        f'<View style="flex:1"><Header size="5" value="${scale}_caption"/>'
        f'<Image name="{scale}" value="${scale}"/></View>'
        for scale in SCALES
    )
    faults = "".join(f"<Choice value={quoteattr(fault)}/>" for fault in FAULTS)
    return (
        f'<View><View style="display:flex;gap:8px">{images}</View>'
        '<Text name="ask" value="$ask"/><Text name="statement" value="$statement"/>'
        '<Header size="5" value="Answer from the images"/>'
        '<Choices name="answer" toName="ask" value="$choices" choice="single" required="true"/>'
        '<Header size="5" value="Is the item sound?"/>'
        '<Choices name="sound" toName="ask" choice="single" required="true">'
        f'<Choice value="{SOUND}"/>{faults}</Choices>'
        '<TextArea name="words" toName="ask" rows="2" maxSubmissions="1" placeholder="In your words"/></View>'
    )


def task_of(item: ReviewItem, tiles: Mapping[str, tuple[float, bytes]]) -> dict[str, Any]:
    """Return what Label Studio is sent of an item: its blind view and its images, nothing else.

    Args:
        item: the item.
        tiles: scale -> (micrometres per pixel, JPEG bytes).
    """
    view = item.blind()
    data: dict[str, Any] = {
        "item": view.public_id,
        "ask": view.ask,
        "statement": view.statement or "-",
        "choices": [{"value": text} for text in (*view.options, UNTOLD)],
    }
    for scale in SCALES:
        mpp, image = tiles.get(scale, (0.0, b""))
        data[scale] = f"data:image/jpeg;base64,{base64.b64encode(image).decode()}" if image else _BLANK
        data[f"{scale}_caption"] = f"{scale}: {mpp:g} µm/px" if image else f"{scale}: none"
    return {"data": data}


def _project(client: Any, title: str) -> int | None:
    return next((int(project.id) for project in client.projects.list() if project.title == title), None)


def _demand(number: int | None, title: str) -> int:
    if number is None:
        raise InputError(f"there is no project {title!r}", remedy="push first, or name the project with --project")
    return number


def _items(desk: sqlite3.Connection, where: str) -> Iterable[ReviewItem]:
    rows = desk.execute(f"SELECT content FROM items WHERE {where} ORDER BY place")  # noqa: S608 - constants
    return [ReviewItem.from_json(row["content"]) for row in rows]


def push_items(desk: sqlite3.Connection, client: Any, title: str) -> tuple[int, int, int]:
    """Send the items that want a reader; return the project's number, how many were sent, and how many were there.

    Args:
        desk: the desk.
        client: a `label_studio_sdk.client.LabelStudio`.
        title: of the project; it is made where there is none.
    """
    number = _project(client, title)
    if number is None:
        number = int(client.projects.create(title=title, label_config=labelling_config()).id)
    there = {task.data["item"] for task in client.tasks.list(project=number, fields="all")}
    wanted = [item for item in _items(desk, "open AND state IN ('to_read', 'second')") if item.public_id not in there]
    for start in range(0, len(wanted), _BATCH):
        tasks = [task_of(item, _tiles(desk, item.field_id)) for item in wanted[start : start + _BATCH]]
        client.projects.import_tasks(id=number, request=tasks)
    return number, len(wanted), len(there)


def _tiles(desk: sqlite3.Connection, field_id: str) -> dict[str, tuple[float, bytes]]:
    rows = desk.execute("SELECT scale, mpp, image FROM tiles WHERE field_id = ?", (field_id,))
    return {row["scale"]: (row["mpp"], row["image"]) for row in rows}


def pull_annotations(desk: sqlite3.Connection, client: Any, title: str) -> dict[str, Any]:
    """Write annotations down as events of the reviewers `label-studio-<user number>`; known ones are left alone.

    Returns:
        `{annotations, events, refused}`: how many were found, how many events are new, and why any were refused.
    """
    number = _demand(_project(client, title), title)
    items = {item.public_id: item for item in _items(desk, "1")}
    found, written = 0, 0
    refused: list[str] = []
    for task in client.tasks.list(project=number, fields="all"):
        for annotation in task.annotations or []:
            found += 1
            try:
                item = items.get(str(task.data.get("item")))
                if item is None:
                    raise ReviewError("the item is not on this desk", remedy="pull with the run that was pushed")
                written += _write(desk, item, _plain(annotation))
            except ReviewError as error:
                refused.append(f"task {task.id}: {error}")
    return {"annotations": found, "events": written, "refused": refused}


def _plain(annotation: Any) -> Mapping[str, Any]:
    plain: Mapping[str, Any] = annotation if isinstance(annotation, Mapping) else annotation.model_dump(mode="json")
    return plain


def _write(desk: sqlite3.Connection, item: ReviewItem, annotation: Mapping[str, Any]) -> int:
    """Write the events of one annotation; return how many were new."""
    if annotation.get("was_cancelled"):
        return 0
    chosen = {part["from_name"]: part["value"] for part in annotation["result"]}
    answer = _answer(item, chosen)
    who = annotation["completed_by"]
    reviewer = f"label-studio-{who['id'] if isinstance(who, Mapping) else who}"
    query = "SELECT answered, decision, latest FROM standings WHERE item_id = ? AND reviewer = ?"
    standing = desk.execute(query, (item.item_id, reviewer)).fetchone()
    latest, written = (standing["latest"] if standing else ""), 0
    at = _utc(annotation["created_at"])
    if standing is None:
        spent = annotation.get("lead_time")
        event = record(desk, item, reviewer, "blind", {"answer": answer}, after="", duration_s=spent, at=at)
        latest, written = event.event_id, 1
    elif answer != _first_answer(desk, item, reviewer):
        raise ReviewError("the answer was changed after it was pulled", remedy="the first stands; decide on the page")
    verdict = _verdict(chosen, answer == item.key)
    if verdict and (standing is None or standing["decision"] is None):
        record(desk, item, reviewer, "verdict", verdict, after=latest, at=at)
        written += 1
    return written


def _first_answer(desk: sqlite3.Connection, item: ReviewItem, reviewer: str) -> int | None:
    mine = (e for e in events_of(desk, item.item_id) if e.kind == "blind" and e.reviewer == reviewer)
    return next((payload_of(event)["answer"] for event in mine), None)


def _answer(item: ReviewItem, chosen: Mapping[str, Any]) -> int | None:
    text = (chosen.get("answer", {}).get("choices") or [""])[0]
    if text == UNTOLD:
        return None
    if text not in item.options:
        raise ReviewError("the answer is none of the item's options", remedy="push the item again as it is now")
    return item.options.index(text)


def _verdict(chosen: Mapping[str, Any], is_key: bool) -> dict[str, Any] | None:
    said = (chosen.get("sound", {}).get("choices") or [""])[0]
    if said == SOUND:
        return {"decision": "accept"} if is_key else None
    words = " ".join(chosen.get("words", {}).get("text") or [])
    reason = ": ".join(part for part in (said, words) if part)
    return {"decision": "reject", "reason": reason} if reason else None


def _utc(at: str) -> str:
    moment = datetime.fromisoformat(at)
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
