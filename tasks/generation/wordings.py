"""Wordings by an endpoint: the templates of captions and questions said in other words, once for all fields.

What varies between fields stands in slots, so a wording cannot make a caption false, its perturbations keep their
declared span, and option sets stay counterbalanced: the same words are used whatever the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.ids import content_id
from schemas.records import Rejection
from schemas.records.generation import CaptionLevel
from tasks.endpoint.answers import Answer, Failure
from tasks.endpoint.client import Endpoint
from tasks.endpoint.requests import Request
from tasks.generation.authorship import Author, Wordings
from tasks.generation.checked_replies import CaptionWording, QuestionWording
from tasks.generation.claims import Claims
from tasks.generation.phrases import read_yaml
from tasks.generation.placeholders import Sentence, can_be_reworded
from tasks.generation.prompting import author, messages
from tasks.generation.question_plan import QuestionTemplate

_MAX_TOKENS = 600
_UNWORDED = frozenset({"site"})  # levels that only name the organ


def word_captions(asker: Endpoint, claims: Claims, count: int) -> tuple[Wordings, list[Rejection]]:
    """Return caption templates in other words; where none is usable the file's own stay in use.

    Args:
        asker: the endpoint.
        claims: reads what a wording claims.
        count: wordings of each template.
    """
    sentences = {
        (style, level): Sentence(texts[0], claims)
        for style, levels in read_yaml("captions.yaml")["styles"].items()
        for level, texts in levels.items()
        if level not in _UNWORDED and can_be_reworded(texts[0])
    }
    requests = [_caption_request(sentence, count) for sentence in sentences.values()]
    captions: dict[tuple[str, CaptionLevel], tuple[str, ...]] = {}
    authors: dict[str, Author] = {}
    rejections = []
    for (place, sentence), outcome in zip(sentences.items(), asker.ask(requests), strict=True):
        if isinstance(outcome, Failure) or not isinstance(outcome.value, CaptionWording):
            rejections += _rejected(outcome)
            continue
        captions[place] = tuple(sentence.template(text) for text in outcome.value.wordings[:count])
        authors.update(dict.fromkeys(captions[place], author("wordings", outcome)))
    return Wordings(captions=captions, authors=authors), rejections


def word_questions(
    asker: Endpoint, claims: Claims, templates: Sequence[QuestionTemplate]
) -> tuple[Wordings, list[Rejection]]:
    """Return free question templates in other words; fixed ones stay fixed."""
    free = [item for item in templates if item.kind == "free" and item.build != "composite" and _all_plain(item)]
    requests = [_question_request(item, claims) for item in free]
    questions: dict[str, QuestionTemplate] = {}
    authors: dict[str, Author] = {}
    rejections = []
    for item, request, outcome in zip(free, requests, asker.ask(requests), strict=True):
        if isinstance(outcome, Failure) or not isinstance(outcome.value, QuestionWording):
            rejections += _rejected(outcome)
            continue
        said, of = outcome.value, request.context
        changed: dict[str, Any] = {
            "questions": [of["questions"].template(text) for text in said.questions],
            "options": [of["options"].template(text) for text in said.options],
            "rationale": of["rationale"].template(said.rationale),
        }
        questions[item.name] = QuestionTemplate.model_validate({**item.model_dump(by_alias=True), **changed})
        authors[item.name] = author("questions", outcome)
    return Wordings(questions=questions, authors=authors), rejections


def _caption_request(sentence: Sentence, count: int) -> Request:
    said = messages("wordings", {"sentence": sentence.shown, "count": count})
    item = content_id("wording", sentence.source)
    return Request(item, "generation", said, CaptionWording, {"wordings": sentence}, _MAX_TOKENS)


def _question_request(template: QuestionTemplate, claims: Claims) -> Request:
    question, option = Sentence(template.questions[0], claims), Sentence(template.options[0], claims)
    rationale = Sentence(template.rationale, claims)
    slots = {"question": question.shown, "option": option.shown, "rationale": rationale.shown}
    context = {"questions": question, "options": option, "rationale": rationale}
    item = content_id("wording", template.name, slots)
    return Request(item, "generation", messages("questions", slots), QuestionWording, context, _MAX_TOKENS)


def _all_plain(template: QuestionTemplate) -> bool:
    return all(map(can_be_reworded, (template.questions[0], template.options[0], template.rationale)))


def _rejected(outcome: Answer | Failure) -> list[Rejection]:
    return [outcome.rejection()] if isinstance(outcome, Failure) else []
