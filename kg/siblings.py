"""Concepts that could stand in a concept's place and be wrong: for replacements, distractors and option sets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kg.findings import excludes, findings_of, sites_agree, sites_of
from kg.graph import Graph
from kg.paths import excluded_by
from kg.records import Node

# Variants that differ from a diagnosis by stage, grade, age or course, not by what a slide shows.
_VARIANT = re.compile(
    r"\b(stage|grade|recurrent|refractory|metastatic|childhood|adult|pediatric|paediatric|ajcc|figo|tnm|unresectable|"
    r"resectable|locally advanced|advanced|progressive|limited|extensive|hereditary|familial|sporadic)\b",
    re.IGNORECASE,
)
UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Sibling:
    """One concept beside another.

    Attributes:
        certified: True where the graph states that it cannot hold where the other holds.
        certificate: `excludes:EDGE_ID`, or `unverified`.
    """

    concept_id: str
    label: str
    certified: bool
    certificate: str


def siblings(
    graph: Graph,
    curie: str,
    *,
    site: str | None = None,
    given: str | None = None,
    variants: bool = False,
) -> list[Sibling]:
    """Return the concepts of one category beside a concept, certified ones first, then in the order of CURIEs.

    Values of one attribute of the closed vocabulary are siblings of one another. Otherwise siblings share a parent; a
    diagnosis has siblings at a compatible site only. Never among them: ancestors, descendants, concepts that share a
    name with it, and (unless asked) variants by stage, grade, age or course.

    Args:
        graph: where to look.
        curie: the concept.
        site: CURIE of a site that the siblings must be compatible with; default: the concept's own sites.
        given: CURIE of a diagnosis that is known to hold: siblings that it excludes are certified false.
        variants: True to return stage, grade and course variants too.

    Raises:
        GraphError: the concept, the site or the diagnosis is no node of the graph.
    """
    node = graph.node(curie)
    for other in (site, given):
        if other is not None:
            graph.node(other)
    kin = {curie, *graph.ancestors(curie), *graph.descendants(curie)}
    names = names_of(node)
    found = []
    for candidate in sorted(_beside(graph, node, kin)):
        other_node = graph.nodes[candidate]
        if other_node.category != node.category or not names.isdisjoint(names_of(other_node)):
            continue
        if not variants and _VARIANT.search(other_node.label) and not node.attribute:
            continue
        if not _site_fits(graph, node, candidate, site):
            continue
        found.append(_certify(graph, curie, candidate, given))
    return sorted(found, key=lambda sibling: (not sibling.certified, sibling.concept_id))


def names_of(node: Node) -> set[str]:
    """Return the label and exact synonyms of a node, in one case."""
    return {node.label.casefold(), *(name.text.casefold() for name in node.synonyms if name.scope == "exact")}


def _beside(graph: Graph, node: Node, kin: set[str]) -> set[str]:
    if node.attribute:
        return {other.curie for other in graph.nodes.values() if other.attribute == node.attribute} - kin
    return {
        child
        for parent in graph.parents(node.curie)
        for child in graph.children(parent)
        if not graph.nodes[child].attribute
    } - kin


def _site_fits(graph: Graph, node: Node, candidate: str, site: str | None) -> bool:
    if node.category not in ("Neoplasm", "Disease"):
        return True
    wanted = frozenset({site}) if site else sites_of(graph, node.curie)
    return sites_agree(graph, wanted, sites_of(graph, candidate))


def _certify(graph: Graph, curie: str, candidate: str, given: str | None) -> Sibling:
    edge = excluded_by(graph, curie, candidate)
    if edge is None and given is not None:
        edge = excludes(graph, candidate, given)
    certificate = f"excludes:{edge.edge_id}" if edge else UNVERIFIED
    return Sibling(candidate, graph.nodes[candidate].label, edge is not None, certificate)


def excluded_findings(graph: Graph, diagnosis: str) -> list[Sibling]:
    """Return the findings that a diagnosis excludes, each with its certificate: what an inserted falsehood can be."""
    return [
        Sibling(edge.object, graph.nodes[edge.object].label, True, f"excludes:{edge.edge_id}")
        for edge in findings_of(graph, diagnosis, "excludes")
    ]
