"""Negatives that an endpoint proposes: one marked finding of a caption exchanged for another of the whole graph.

The rules exchange values of the closed vocabulary; a model knows more. What it proposes must be one concept of the
graph, of the same category, neither wider nor narrower than the marked one. It is certified only by an edge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from kg.link import Linker
from schemas.records import Caption, Feature, Rejection
from tasks.endpoint.answers import Failure
from tasks.endpoint.client import Endpoint
from tasks.endpoint.requests import Request
from tasks.generation.caption_styles import Draft
from tasks.generation.checked_replies import Replacements
from tasks.generation.open_findings import not_visible
from tasks.generation.operators import Change
from tasks.generation.prompting import author, messages
from tasks.generation.view import FieldView, Tools

Written = tuple[FieldView, list[tuple[Caption, Draft]]]
_MAX_TOKENS = 200
_LONGEST = 2.0  # of a proposal against the marked words
_GRACE = 12  # characters


class Replacement:
    """Checks what is proposed in place of one feature."""

    def __init__(self, feature: Feature, said: str, tools: Tools, linker: Linker) -> None:
        """Take the feature and the words that stand for it."""
        self._feature = feature
        self._said = said
        self._tools = tools
        self._linker = linker

    def concept(self, term: str) -> str | None:
        """Return the one concept that a term names as a whole, None where it names none or several."""
        links = self._linker.link(term)
        whole = len(links) == 1 and (links[0].start, links[0].end) == (0, len(term)) and links[0].status == "present"
        return links[0].concept_id if whole else None

    def fault(self, term: str) -> str | None:
        """Return why a term cannot take the feature's place."""
        graph, own = self._tools.graph, self._feature.concept_id
        concept = self.concept(term)
        if concept is None or concept not in graph.nodes or own not in graph.nodes:
            return f"{term!r} is not the name of one known finding"
        if concept == own or concept in graph.ancestors(own) or own in graph.ancestors(concept):
            return f"{term!r} does not make the caption false"
        if graph.nodes[concept].category != graph.nodes[own].category:
            return f"{term!r} is not of the same kind"
        seen = graph.nodes[concept].visible_scale
        if not_visible(concept, graph.nodes[concept].category, graph) or seen not in (None, self._feature.scale):
            return f"{term!r} is not seen at {self._feature.scale} magnification"
        if len(term) > _LONGEST * len(self._said) + _GRACE:
            return f"{term!r} is much longer than the marked words"
        return None


def propose(
    asker: Endpoint, linker: Linker, written: Sequence[Written], tools: Tools
) -> tuple[dict[str, list[Change]], list[Rejection]]:
    """Return caption id -> changes that the endpoint proposes for it, and what it proposed in vain.

    Each plain caption of one level, in its first phrasing, has one of its findings marked.
    """
    asked = []
    for view, captions in written:
        for caption, draft in captions:
            if draft.style == "plain" and draft.level != "full" and draft.features and draft.surface == 0:
                # by the place, not by the text: in other words as many calls are needed, so a dry run can count them
                feature = tools.choice(caption.field_id, draft.level, "proposal").choice(draft.features)
                asked.append((view, caption, draft, feature))
    requests = [_request(view, caption, draft, feature, tools, linker) for view, caption, draft, feature in asked]
    changes: dict[str, list[Change]] = defaultdict(list)
    rejections = []
    for (view, caption, draft, feature), request, outcome in zip(asked, requests, asker.ask(requests), strict=True):
        if isinstance(outcome, Failure):
            rejections.append(outcome.rejection())
            continue
        if not isinstance(outcome.value, Replacements):
            continue
        check: Replacement = request.context["replacements"]
        true = tools.may_hold(view)
        for term in outcome.value.replacements[: tools.config.proposed_negatives]:
            concept = check.concept(term)
            if concept is None or concept in true:
                detail = f"proposal {term!r}: the field shows it, or may"
                rejections.append(Rejection(caption.caption_id, "generation", "not_certified", detail))
                continue
            pair, role = (feature.concept_id, concept), tools.phrases.role(feature.attribute)
            span, by = draft.rendered.span(feature.attribute), author("negatives", outcome)
            changes[caption.caption_id].append(Change("replace", role, span, term, *pair, (feature,), pair, by))
    return dict(changes), rejections


def _request(
    view: FieldView, caption: Caption, draft: Draft, feature: Feature, tools: Tools, linker: Linker
) -> Request:
    span, text = draft.rendered.span(feature.attribute), caption.text
    marked = f"{text[: span.start]}**{text[span.start : span.end]}**{text[span.end :]}"
    slots = {"organ": view.field.organ, "marked": marked, "count": tools.config.proposed_negatives}
    check = Replacement(feature, text[span.start : span.end], tools, linker)
    said = messages("negatives", slots)
    return Request(caption.caption_id, "generation", said, Replacements, {"replacements": check}, _MAX_TOKENS)
