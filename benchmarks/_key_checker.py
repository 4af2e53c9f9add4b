"""Whether the key of a question follows from its evidence: written apart from the generator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from kg.graph import Graph
from schemas.records import Field, Question

PHRASES = Path(__file__).resolve().parent.parent / "tasks" / "generation" / "templates" / "phrases.yaml"


def wrong_keys(questions: Sequence[Question], fields: Sequence[Field], graph: Graph) -> int:
    """Count questions whose key is not the one option that the field's features make true.

    Written apart from the generator: options are read back from their text by the phrases that stand in it, and what
    they say to a claim is looked up in the edges.
    """
    phrases = yaml.safe_load(PHRASES.read_text(encoding="utf-8"))["phrases"]
    concept_of = {said: concept for concept, several in phrases.items() for said in several}
    finder = re.compile("|".join(sorted(map(re.escape, concept_of), key=len, reverse=True)), re.IGNORECASE)
    shown = {field.field_id: {feature.concept_id for feature in field.features} for field in fields}
    verdict = {"in support": "has", "against it": "excludes", "undecided": None}
    wrong = 0
    for row in questions:
        true = []
        for index, option in enumerate(row.options):
            said = [concept_of[match.group(0).lower()] for match in finder.finditer(option)]
            if said and set(said) <= shown[row.field_id]:
                true.append(index)
            if row.dimension == "confirmation" and (asked := finder.search(row.question)):
                words = re.findall("|".join(verdict), option)
                suspected = concept_of[asked.group(0).lower()]
                right = [_verdict(graph, suspected, concept) for concept in said[-len(words) :]]
                wrong += [verdict[word] for word in words] != right
        wrong += true != [row.answer_index]
    return wrong


def _verdict(graph: Graph, claim: str, finding: str) -> str | None:
    stated = {(e.subject, e.object): e.modality for e in graph.edges if {e.subject, e.object} == {claim, finding}}
    if "excludes" in stated.values():
        return "excludes"
    if stated:
        return "has" if stated.get((claim, finding)) == "has" else None
    had = {edge.object for edge in graph.out_edges(claim) if edge.modality == "has"}
    against = {frozenset((e.subject, e.object)) for e in graph.edges if e.modality == "excludes"}
    return "excludes" if any(frozenset((one, finding)) in against for one in had) else None
