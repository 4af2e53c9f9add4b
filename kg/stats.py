"""One screen about a graph: what is in it, from where, and how much of it can be used."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kg.findings import findings_of
from kg.graph import Graph
from kg.lexicon import Lexicon


def stats(graph: Graph) -> dict[str, Any]:
    """Return counts of a graph: nodes by category and source, edges by predicate, modality and source, coverage."""
    nodes, edges = graph.nodes.values(), graph.edges
    return {
        "nodes": len(graph.nodes),
        "edges": len(edges),
        "surface_forms": len({entry.form for entry in Lexicon.from_graph(graph).entries}),
        "categories": _counted(node.category for node in nodes),
        "node_sources": _counted(node.source for node in nodes),
        "predicates": _counted(edge.predicate for edge in edges),
        "modalities": _counted(edge.modality or "none" for edge in edges),
        "edge_sources": _counted(edge.primary_knowledge_source for edge in edges),
        "licences": _counted(edge.licence for edge in edges),
        "inherited_edges": sum(edge.inherited_from is not None for edge in edges),
        "merged_nodes": sum(bool(node.equivalent_identifiers) for node in nodes),
        "duplicate_labels": len(duplicate_labels(graph)),
        "visible": _counted(node.scale for node in nodes if node.scale),
        "neoplasms_with_finding": round(coverage(graph, "has", "may"), 4),
        "neoplasms_with_exclusion": round(coverage(graph, "excludes"), 4),
    }


def _counted(items: Any) -> dict[str, int]:
    return dict(sorted(Counter(items).items(), key=lambda pair: (-pair[1], pair[0])))


def duplicate_labels(graph: Graph) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return labels that more than one node of a category bears, with those nodes."""
    bearers: dict[tuple[str, str], list[str]] = {}
    for node in graph.nodes.values():
        bearers.setdefault((node.category, node.label.casefold()), []).append(node.curie)
    return {key: tuple(curies) for key, curies in sorted(bearers.items()) if len(curies) > 1}


def coverage(graph: Graph, *modalities: Any) -> float:
    """Return the share of neoplasms that a finding or abnormal cell of the given modalities leads to."""
    neoplasms = [node.curie for node in graph.nodes.values() if node.category == "Neoplasm"]
    if not neoplasms:
        return 0.0
    return sum(bool(findings_of(graph, curie, *modalities)) for curie in neoplasms) / len(neoplasms)
