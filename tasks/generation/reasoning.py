"""Reasoning samples: from a field's findings along graph paths to its diagnosis, one step per hop (PathReasoner)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

from kg.paths import Path
from kg.predicates import PREDICATES
from kg.records import Edge
from schemas.ids import content_id, digest
from schemas.records import Feature, Reasoning, ReasoningStep, Rejection
from schemas.records.shared import SCALES
from tasks.generation.findings import DIAGNOSIS
from tasks.generation.grammar import enumerate_words, render
from tasks.generation.phrases import read_yaml
from tasks.generation.reasoning_filters import conflicts, refuse
from tasks.generation.view import FieldView, Tools, provenance


def _words() -> dict[str, Any]:
    return read_yaml("reasoning.yaml")


@functools.cache
def _sha256() -> str:
    return digest(_words())


def reason(view: FieldView, tools: Tools) -> tuple[Reasoning | None, Rejection | None]:
    """Return the reasoning sample of one field, or why there is none; both None where it has no diagnosis.

    A sample cites at most `findings_per_sample` findings, first those whose paths the graph ranks highest, and at least
    the best path of each. It must pass every filter of `reasoning_filters`.
    """
    diagnosis = view.present.get(DIAGNOSIS)
    if diagnosis is None:
        return None, None
    sample_id = content_id("reason", view.field.field_id, diagnosis.concept_id)
    paths = _paths(view, diagnosis, tools)
    if not paths:
        detail = f"no path of {tools.config.max_hops} hops from a finding to {diagnosis.concept_id}"
        return None, Rejection(sample_id, "generation", "no_path", detail)
    sample = _sample(sample_id, view, diagnosis, paths, tools)
    refused = refuse(sample, view, tools)
    if refused:
        return None, Rejection(sample_id, "generation", *refused)
    return sample, None


def _paths(view: FieldView, diagnosis: Feature, tools: Tools) -> list[tuple[Feature, Path]]:
    best: list[tuple[float, str, Feature, list[Path]]] = []
    for feature in view.present.values():
        if feature is diagnosis or not {feature.concept_id, diagnosis.concept_id} <= set(tools.graph.nodes):
            continue
        found = [path for path in tools.paths(feature.concept_id, diagnosis.concept_id) if _agrees(path, view, tools)]
        found = found[: tools.config.paths_per_finding]
        if found:
            best.append((-found[0].score, feature.attribute, feature, found))
    best.sort(key=lambda item: item[:2])
    return [(feature, path) for _, _, feature, found in best[: tools.config.findings_per_sample] for path in found]


def _agrees(path: Path, view: FieldView, tools: Tools) -> bool:
    """Return whether nothing that the field shows excludes a concept on the way."""
    return not any(conflicts(concept, view, tools) for concept in path.nodes[1:])


def _sample(
    sample_id: str, view: FieldView, diagnosis: Feature, paths: list[tuple[Feature, Path]], tools: Tools
) -> Reasoning:
    words = _words()
    prompts = words["prompts"]
    organ = view.field.organ or "body"
    prompt = render(tools.choice(sample_id).choice(prompts), {"organ": organ})
    steps = _once(step for _, path in paths for step in _steps(path, tools))
    steps += _rule_out(view, diagnosis, tools)
    shown = [feature for feature in view.present.values() if feature is not diagnosis]
    concepts = dict.fromkeys(
        [feature.concept_id for feature in shown] + [c for step in steps for c in step.concept_ids]
    )
    denied = {concept for step in steps if step.edge_id and _excludes(step, tools) for concept in step.concept_ids}
    denied -= {feature.concept_id for feature in view.present.values()}
    edges = dict.fromkeys(step.edge_id for step in steps if step.edge_id)
    return Reasoning(
        sample_id=sample_id,
        field_id=view.field.field_id,
        slide_id=view.field.slide_id,
        patient_id=view.field.patient_id,
        prompt=prompt,
        observe=_observe(shown, tools),
        think=tuple(steps),
        answer=render(words["answer"], {"diagnosis": tools.say(diagnosis.concept_id)}),
        kg_path=tuple(edges),
        concept_ids=tuple(concepts),
        concept_status=tuple("absent" if concept in denied else "present" for concept in concepts),
        provenance=provenance(_sha256(), (("max_hops", tools.config.max_hops),)),
    )


def _once(steps: Iterable[ReasoningStep]) -> list[ReasoningStep]:
    """Return the steps without hops that were taken before: paths of several findings may end alike."""
    taken: dict[tuple[str | None, tuple[str, ...]], ReasoningStep] = {}
    for step in steps:
        taken.setdefault((step.edge_id, step.concept_ids), step)
    return list(taken.values())


def _excludes(step: ReasoningStep, tools: Tools) -> bool:
    return tools.graph.by_id[step.edge_id or ""].modality == "excludes"


def _observe(shown: list[Feature], tools: Tools) -> str:
    seen = []
    for scale in SCALES:
        said = [tools.say(feature.concept_id) for feature in shown if feature.scale == scale]
        if said:
            seen.append((scale, enumerate_words(said)))
    return render(_words()["observe"], {"seen": seen})


def _steps(path: Path, tools: Tools) -> Iterator[ReasoningStep]:
    words = _words()
    for hop, (edge, start, end) in enumerate(zip(path.edges, path.nodes[:-1], path.nodes[1:], strict=True)):
        predicate, said = PREDICATES[edge.predicate], tools.say(start)
        slots = {
            "start": said,
            "end": tools.say(end),
            "words": tools.phrases.agree(said, predicate.words if edge.subject == start else predicate.inverse),
            "modality": words["modality"].get(edge.modality, ""),
        }
        text = render(words["next_step" if hop else "first_step"], slots)
        yield ReasoningStep(text[:1].upper() + text[1:], edge.edge_id, edge.primary_knowledge_source, (start, end))


def _rule_out(view: FieldView, diagnosis: Feature, tools: Tools) -> list[ReasoningStep]:
    """Return at most one step that excludes another diagnosis of the organ by a finding of the field."""
    found: list[tuple[str, Edge, Feature]] = []
    for _, other in tools.values.siblings(DIAGNOSIS, diagnosis.value, view.field.organ):
        for feature in view.present.values():
            edge = tools.facts.exclusion(other, feature.concept_id) if feature is not diagnosis else None
            if edge is not None:
                found.append((other, edge, feature))
    if not found:
        return []
    other, edge, feature = tools.choice(view.field.field_id, "rule out").choice(found)
    finding = tools.say(feature.concept_id)
    slots = {"other": tools.say(other), "finding": finding, "does": tools.phrases.agree(finding, "does not")}
    text = render(_words()["rule_out"], slots)
    cited = (feature.concept_id, other)
    return [ReasoningStep(text[:1].upper() + text[1:], edge.edge_id, edge.primary_knowledge_source, cited)]
