"""What a diagnosis says of findings: which it has, may have and excludes, stated or inherited."""

from __future__ import annotations

from kg.graph import Graph
from kg.predicates import FINDING_PREDICATES, PART_OF
from kg.records import Edge, Modality


def findings_of(graph: Graph, diagnosis: str, *modalities: Modality) -> tuple[Edge, ...]:
    """Return the statements of a diagnosis about findings and cells, stated ones before inherited ones.

    Args:
        graph: where to look.
        diagnosis: CURIE of the diagnosis.
        modalities: which to return; none given means all.
    """
    chosen = [
        edge
        for edge in graph.out_edges(diagnosis)
        if edge.predicate in FINDING_PREDICATES and (not modalities or edge.modality in modalities)
    ]
    return tuple(sorted(chosen, key=lambda edge: (edge.inherited_from is not None, edge.key)))


def supports(graph: Graph, finding: str, diagnosis: str) -> Edge | None:
    """Return the statement by which a diagnosis has or may have a finding, None where there is none."""
    edges = [edge for edge in findings_of(graph, diagnosis, "has", "may") if edge.object == finding]
    return min(edges, key=lambda edge: (edge.modality != "has", edge.edge_id), default=None)


def excludes(graph: Graph, finding: str, diagnosis: str) -> Edge | None:
    """Return the statement by which a diagnosis excludes a finding, None where there is none."""
    return next((edge for edge in findings_of(graph, diagnosis, "excludes") if edge.object == finding), None)


def sites_of(graph: Graph, curie: str) -> frozenset[str]:
    """Return the anatomic sites where a disease arises: its own, or those of its nearest ancestors that have any."""
    level, seen = {curie}, {curie}
    while level:
        sites = {
            edge.object
            for here in level
            for edge in graph.out_edges(here)
            if edge.predicate == "has_primary_site" and edge.modality != "excludes"
        }
        if sites:
            return frozenset(sites)
        level = {up for here in level for up in graph.parents(here)} - seen
        seen |= level
    return frozenset()


def wholes_of(graph: Graph, site: str) -> frozenset[str]:
    """Return every site that a site is a part of, at any remove."""
    found: set[str] = set()
    stack = [site]
    while stack:
        for edge in graph.out_edges(stack.pop()):
            if edge.predicate == PART_OF and edge.object not in found:
                found.add(edge.object)
                stack.append(edge.object)
    return frozenset(found)


def sites_agree(graph: Graph, ones: frozenset[str], others: frozenset[str]) -> bool:
    """Return whether two sets of sites have a place in common, or one that is a part of the other's.

    Nothing known of one side agrees with everything.
    """
    if not ones or not others:
        return True
    wider = ones | {whole for site in ones for whole in wholes_of(graph, site)}
    return not wider.isdisjoint(others) or any(not wholes_of(graph, site).isdisjoint(ones) for site in others)
