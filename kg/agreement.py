"""The starter graph held against the real ontologies: where they agree, where one is silent, where they contradict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kg.graph import Graph
from kg.predicates import FINDING_PREDICATES
from kg.records import Edge

STARTER = "infores:slidesmith-starter"
Verdict = Literal["agrees", "weaker", "stronger", "contradicts", "silent"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One statement of the starter graph and what the other source says of the same two concepts.

    Attributes:
        verdict: agrees (same modality), weaker (we say may, they say has), stronger (we say has, they say may),
            contradicts (one excludes what the other has or may have), silent (they say nothing).
        ours: the starter's statement.
        theirs: the other's statement, where there is one.
    """

    verdict: Verdict
    ours: Edge
    theirs: Edge | None


def compare(graph: Graph, other: str = "infores:ncit") -> list[Comparison]:
    """Return one comparison for each stated finding of the starter graph whose both ends are merged with the other.

    Args:
        graph: a graph built from the starter graph and the other source.
        other: primary_knowledge_source to compare with.
    """
    found = []
    for edge in graph.edges:
        if edge.primary_knowledge_source != STARTER or edge.predicate not in FINDING_PREDICATES:
            continue
        if edge.inherited_from is None and _merged(graph, edge.subject) and _merged(graph, edge.object):
            found.append(_compared(edge, _said(graph, edge, other)))
    return found


def gaps(graph: Graph, other: str = "infores:ncit") -> list[Edge]:
    """Return what the other source states of the starter's diagnoses and findings that the starter does not."""
    ours = {
        (edge.subject, edge.object)
        for edge in graph.edges
        if edge.primary_knowledge_source == STARTER and edge.predicate in FINDING_PREDICATES
    }
    return [
        edge
        for edge in graph.edges
        if edge.primary_knowledge_source == other
        and edge.predicate in FINDING_PREDICATES
        and edge.subject.startswith("SSG:")
        and edge.object.startswith("SSG:")
        and (edge.subject, edge.object) not in ours
    ]


def _merged(graph: Graph, curie: str) -> bool:
    return bool(graph.nodes[curie].equivalent_identifiers)


def _said(graph: Graph, edge: Edge, other: str) -> list[Edge]:
    return [
        theirs
        for theirs in graph.out_edges(edge.subject)
        if theirs.primary_knowledge_source == other
        and theirs.object == edge.object
        and theirs.predicate in FINDING_PREDICATES
    ]


def _compared(ours: Edge, said: Iterable[Edge]) -> Comparison:
    statements = sorted(said, key=lambda edge: (edge.inherited_from is not None, edge.edge_id))
    if not statements:
        return Comparison("silent", ours, None)
    theirs = statements[0]
    if (ours.modality == "excludes") != (theirs.modality == "excludes"):
        return Comparison("contradicts", ours, theirs)
    if ours.modality == theirs.modality:
        return Comparison("agrees", ours, theirs)
    return Comparison("weaker" if ours.modality == "may" else "stronger", ours, theirs)


def report(graph: Graph, other: str = "infores:ncit") -> str:
    """Return the comparison as text: counts, every contradiction, every difference of strength, every gap."""
    comparisons = compare(graph, other)
    lines = [f"The starter graph against {other}"]
    verdicts = ("agrees", "weaker", "stronger", "contradicts", "silent")
    lines += [f"{name:12}{sum(item.verdict == name for item in comparisons):6}" for name in verdicts]
    missing = gaps(graph, other)
    lines.append(f"{'gaps':12}{len(missing):6}")
    lines += [
        f"{name}: {_words(graph, item.ours)}; they say {item.theirs.modality}"
        for name in ("contradicts", "stronger", "weaker")
        for item in comparisons
        if item.verdict == name and item.theirs
    ]
    lines += [f"gap: {_words(graph, edge)}" for edge in missing]
    return "\n".join(lines) + "\n"


def _words(graph: Graph, edge: Edge) -> str:
    holder = f" (stated of {graph.nodes[edge.inherited_from].label})" if edge.inherited_from else ""
    return f"{graph.nodes[edge.subject].label} {edge.modality} {graph.nodes[edge.object].label}{holder}"
