"""Filters of reasoning samples: each looks for one fault, whoever wrote the sample (PathReasoner's quality control)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from schemas.records import Reasoning, Rejection
from schemas.rejection import Reason
from tasks.generation.findings import DIAGNOSIS
from tasks.generation.view import FieldView, Tools

# Models that are shown the answer give it away in such words.
_PROVIDED = re.compile(
    r"\b(provided|given|stated|reference|correct|expected|ground[- ]truth|supplied)\s+(final\s+)?"
    r"(answer|diagnosis|label|conclusion)\b|\bthe answer (key|says|states)\b"
    r"|\bas (provided|given|stated) (above|in the)\b",
    re.IGNORECASE,
)
# What no slide shows: nodes counted, margins, stage, size of the specimen (all 11 published examples claim such).
_INVISIBLE = re.compile(
    r"\b[pc]?T[0-4][a-d]?\s*[pc]?N[0-3x]|\bp?[TNM][0-4x][a-d]?\b"
    r"|\b(lymph nodes?|nodes) (are |were |is )?(negative|positive|examined)"
    r"|(?<!pushing )(?<!invasive )(?<!infiltrative )\bmargins?\b|\b\d+\s*/\s*\d+ (lymph )?nodes\b|\bstag(e|ing)\b",
    re.IGNORECASE,
)


def refuse(sample: Reasoning, view: FieldView, tools: Tools) -> tuple[Reason, str] | None:
    """Return the first fault of a sample, None where it passes every filter; the detail begins with the filter."""
    for check in FILTERS:
        for reason, detail in check(sample, view, tools):
            return reason, f"{check.__name__}: {detail}"
    return None


def refused_by(rejections: Iterable[Rejection]) -> dict[str, int]:
    """Return how many samples each filter refused, filters that refused none among them."""
    named = Counter(row.detail.partition(":")[0] for row in rejections)
    return {check.__name__: named[check.__name__] for check in FILTERS}


Fault = Iterator[tuple[Reason, str]]


def answer_follows(sample: Reasoning, view: FieldView, tools: Tools) -> Fault:
    """Find an answer that the thinking does not reach, excludes, or that is not the field's diagnosis."""
    diagnosis = view.present.get(DIAGNOSIS)
    wanted = tools.say(diagnosis.concept_id) if diagnosis else ""
    if diagnosis is None or sample.answer.strip().rstrip(".").lower() != wanted.lower():
        yield "answer_contradicts_thinking", f"answers {sample.answer!r} where the field is {wanted!r}"
        return
    reached = False
    for step in sample.think:
        edge = tools.graph.by_id.get(step.edge_id or "")
        if edge is not None and diagnosis.concept_id in (edge.subject, edge.object):
            if edge.modality == "excludes":
                yield "answer_contradicts_thinking", f"a step excludes the answer: {step.text}"
                return
            reached = True
    if not reached:
        yield "answer_contradicts_thinking", "no step arrives at the answer"


def concepts_supported(sample: Reasoning, view: FieldView, tools: Tools) -> Fault:
    """Find a step about concepts that are neither findings of the field nor on a cited path, or an unknown edge."""
    supported = {feature.concept_id for feature in view.field.features}
    for edge_id in sample.kg_path:
        edge = tools.graph.by_id.get(edge_id)
        if edge is None:
            yield "asserts_unsupported_concept", f"cites {edge_id}, which the graph does not hold"
            return
        supported |= {edge.subject, edge.object}
    for concept in sample.concept_ids:
        if concept not in supported:
            yield "asserts_unsupported_concept", f"{concept} is neither a finding nor on a path"
            return


def polarity_kept(sample: Reasoning, view: FieldView, _tools: Tools) -> Fault:
    """Find a concept whose status contradicts the field's."""
    known = {feature.concept_id: feature.polarity for feature in view.field.features}
    for concept, status in zip(sample.concept_ids, sample.concept_status, strict=True):
        if known.get(concept, status) != status:
            yield (
                "answer_contradicts_thinking",
                f"{concept} is {known[concept]} in the field and {status} in the sample",
            )
            return


def conflicts(concept: str, view: FieldView, tools: Tools) -> str | None:
    """Return a finding of the field that excludes a concept by an edge of the graph, None where none does."""
    for feature in view.present.values():
        if tools.facts.exclusion(feature.concept_id, concept) is not None:
            return feature.concept_id
    return None


def nothing_excluded(sample: Reasoning, view: FieldView, tools: Tools) -> Fault:
    """Find a concluded concept, the answer among them, that a finding of the field excludes."""
    observed = {feature.concept_id for feature in view.present.values() if feature.attribute != DIAGNOSIS}
    for concept, status in zip(sample.concept_ids, sample.concept_status, strict=True):
        other = conflicts(concept, view, tools) if status == "present" and concept not in observed else None
        if other is not None:
            yield "answer_contradicts_thinking", f"{concept} cannot hold where {other} does"
            return


def only_visible(sample: Reasoning, _view: FieldView, tools: Tools) -> Fault:
    """Find an observation that no slide can show."""
    said = _INVISIBLE.search(sample.observe)
    if said:
        yield "claims_invisible_finding", f"observes {said.group(0)!r}"
        return
    for concept, status in zip(sample.concept_ids, sample.concept_status, strict=True):
        node = tools.graph.nodes.get(concept)
        if status == "present" and node is not None and node.scale == "not_visible":
            yield "claims_invisible_finding", f"{node.label} cannot be seen on a slide"
            return


def answer_not_given(sample: Reasoning, _view: FieldView, _tools: Tools) -> Fault:
    """Find talk of an answer that the writer was shown."""
    for text in (sample.observe, *(step.text for step in sample.think), sample.answer):
        said = _PROVIDED.search(text)
        if said:
            yield "mentions_provided_answer", f"says {said.group(0)!r}"
            return


def needs_the_image(sample: Reasoning, view: FieldView, tools: Tools) -> Fault:
    """Find a prompt whose text names the answer, or a finding from which the answer follows."""
    prompt = sample.prompt.lower()
    telling = [sample.answer] + [tools.say(f.concept_id) for f in view.present.values()]
    for text in telling:
        if text.lower() in prompt:
            yield "solvable_from_text", f"the prompt says {text!r}"
            return


FILTERS: tuple[Callable[[Reasoning, FieldView, Tools], Fault], ...] = (
    answer_follows,
    concepts_supported,
    polarity_kept,
    nothing_excluded,
    only_visible,
    answer_not_given,
    needs_the_image,
)
"""Every filter, in the order in which a sample meets them."""
