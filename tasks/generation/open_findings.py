"""Findings outside the closed vocabulary: which concepts of the graph a slide shows, at which scale, and which not."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from kg.graph import Graph
from kg.paths import excluded_by
from kg.siblings import names_of
from schemas.records import Rejection
from schemas.records.shared import Scale
from tasks.generation.findings import Finding, local_name

FINDINGS = frozenset({"MorphologicFinding", "AbnormalCell", "Neoplasm", "Disease", "Quality"})
"""Categories of what a slide can show."""
_NEVER_SEEN = frozenset({"StageGrade", "Biomarker", "MolecularAbnormality", "Gene"})
# Concepts that only group others ("nucleolar finding", "line of differentiation"): they say nothing of a field.
_GROUPS = re.compile(
    r"\b(findings?|patterns?|size|activity|location|line|disorders?)\b|^(abnormal|tumou?r) cell$|^disease$",
    re.IGNORECASE,
)
OPEN = "finding/"
"""How attributes outside the vocabulary begin."""


def not_visible(concept_id: str, category: str, graph: Graph | None) -> bool:
    """Return whether no slide can show the concept: the graph says so, or stages, markers and genes in general."""
    node = graph.nodes.get(concept_id) if graph is not None else None
    if node is not None and node.scale is not None:
        return node.scale == "not_visible"
    return category in _NEVER_SEEN


def only_groups(concept_id: str, graph: Graph) -> bool:
    """Return whether a concept is a heading over others and no finding itself, as `nucleolar finding` is."""
    return bool(graph.children(concept_id)) and bool(_GROUPS.search(graph.nodes[concept_id].label))


@functools.lru_cache(maxsize=64)
def named_sites(graph: Graph, organ: str | None) -> frozenset[str]:
    """Return the anatomic sites of the graph that are called as an organ is; none where it is not known."""
    name = (organ or "").casefold()
    return frozenset(
        curie for curie, node in graph.nodes.items() if node.category == "AnatomicSite" and name in names_of(node)
    )


def open_finding(concept_id: str, graph: Graph | None) -> tuple[str, Scale] | None:
    """Return attribute and scale of a finding outside the vocabulary that the graph says can be seen, else None.

    Such a finding is an attribute of its own, `finding/NAME`, with the one value `present`.
    """
    node = graph.nodes.get(concept_id) if graph is not None else None
    if graph is None or node is None or node.visible_scale is None or node.category not in FINDINGS:
        return None
    if only_groups(concept_id, graph):
        return None
    return f"{OPEN}{readable(concept_id, node.label)}", node.visible_scale


def readable(concept_id: str, label: str) -> str:
    """Return the local part of a CURIE, or the label in its form where that is a code (`NCIT:C140420`)."""
    local = local_name(concept_id)
    return re.sub(r"\W+", "_", label.lower()).strip("_") if re.search(r"\d", local) else local


def coherent(findings: Sequence[Finding], graph: Graph | None) -> tuple[list[Finding], list[Rejection]]:
    """Return the findings of one field that can hold together, and what is contradicted.

    Outside the vocabulary a finding of which another, present one is a kind is said with that one (`invasion` beside
    `perineural invasion`) and left out. A denial of it, or findings that exclude one another, are left open:
    `ambiguous_feature`.
    """
    if graph is None:
        return list(findings), []
    present = [row.concept_id for row in findings if row.polarity == "present" and row.concept_id in graph.nodes]
    wider = {general: concept for concept in present for general in graph.ancestors(concept)}
    kept: list[Finding] = []
    rejections = []
    for row in findings:
        against = wider.get(row.concept_id) if row.polarity == "absent" else None
        if row.attribute.startswith(OPEN) and row.polarity == "present":
            against = next((other for other in present if excluded_by(graph, row.concept_id, other)), None)
        if against is not None:
            detail = f"{row.attribute}: {row.polarity} beside {graph.nodes[against].label}"
            rejections.append(Rejection(row.field_id, "features", "ambiguous_feature", detail))
        elif row.polarity == "absent" or not row.attribute.startswith(OPEN) or row.concept_id not in wider:
            kept.append(row)
    return kept, rejections
