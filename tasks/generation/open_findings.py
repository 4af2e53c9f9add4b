"""Findings outside the closed vocabulary: which concepts of the graph a slide shows, at which scale, and which not."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from kg.graph import Graph
from kg.siblings import names_of
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
    return f"{OPEN}{local_name(concept_id)}", node.visible_scale


def most_specific(findings: Sequence[Finding], graph: Graph | None) -> list[Finding]:
    """Return the findings of one field without those outside the vocabulary that another, present one is a kind of.

    `Invasion` beside `perineural invasion` would be said twice. What is denied stays.
    """
    if graph is None:
        return list(findings)
    present = [row.concept_id for row in findings if row.polarity == "present" and row.concept_id in graph.nodes]
    wider = {general for concept in present for general in graph.ancestors(concept)}
    return [
        row
        for row in findings
        if row.polarity == "absent" or not row.attribute.startswith(OPEN) or row.concept_id not in wider
    ]
