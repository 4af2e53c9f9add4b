"""Full captions as fluent paragraphs of an endpoint, checked against the texts of the files (PathoHR's expansion)."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.records import Rejection
from tasks.endpoint.answers import Failure
from tasks.endpoint.client import Endpoint
from tasks.endpoint.requests import Request
from tasks.generation.authorship import Author, Wordings
from tasks.generation.caption_styles import LEVELS, Draft, plain
from tasks.generation.checked_replies import Paragraph, SaysThat
from tasks.generation.claims import Claims
from tasks.generation.prompting import author, messages
from tasks.generation.view import FieldView, Tools

_MAX_TOKENS = 500


def write_paragraphs(
    asker: Endpoint, claims: Claims, views: Sequence[FieldView], tools: Tools
) -> tuple[Wordings, list[Rejection]]:
    """Return a paragraph for each first phrasing of a full caption; fields that show the same share one.

    A paragraph claims exactly what the caption claims, in the caption's words and in the order of its levels; where
    none is usable the caption stays as the files word it.
    """
    drafts: dict[str, tuple[Draft, FieldView]] = {}
    for view in views:
        for draft in plain(view, tools):
            if draft.level == "full" and draft.surface == 0:
                drafts.setdefault(draft.rendered.text, (draft, view))
    requests = [_request(draft, view, tools, claims) for draft, view in drafts.values()]
    paragraphs: dict[str, str] = {}
    authors: dict[str, Author] = {}
    rejections = []
    for text, outcome in zip(drafts, asker.ask(requests), strict=True):
        if isinstance(outcome, Failure):
            rejections.append(outcome.rejection())
        elif isinstance(outcome.value, Paragraph):
            paragraphs[text] = outcome.value.text
            authors[outcome.value.text] = author("paragraph", outcome)
    return Wordings(paragraphs=paragraphs, authors=authors), rejections


def _request(draft: Draft, view: FieldView, tools: Tools, claims: Claims) -> Request:
    text = draft.rendered.text
    stated = sorted(draft.features, key=lambda feature: LEVELS.index(tools.level(feature)))
    findings = [tools.say(feature.concept_id, draft.surface) for feature in stated]
    check = SaysThat(claims, text, findings, in_order=True)
    said = messages("paragraph", {"text": text, "findings": findings})
    return Request(view.field.field_id, "generation", said, Paragraph, {"text": check}, _MAX_TOKENS)
