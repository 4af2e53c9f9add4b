"""Whether a graph keeps its promises: our own checks on every statement, and SHACL shapes where pyshacl is installed.

SHACL over every row of a large graph takes minutes and says one thing many thousand times: what the shapes ask of a
statement depends on its signature alone (predicate, modality, source file, level, categories of its ends), and what
they ask of a concept on its category, source, scale and what it has. So one row of each signature goes through the
shapes, with every source file; what looks at single values (labels, provenance) is checked on every row by ourselves.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg.cycles import find_cycle
from kg.findings import findings_of
from kg.graph import Graph
from kg.predicates import PREDICATES, SUBCLASS_OF
from kg.records import CATEGORIES, Edge, Node

SHAPES = Path(__file__).parent / "shapes.ttl"
_SHA256 = 64


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What was checked and what was found.

    Attributes:
        violations: one line each.
        nodes: concepts checked.
        edges: statements checked by our own rules.
        shacl_signatures: kinds of concept and statement that the shapes saw; None where pyshacl is not installed.
    """

    violations: tuple[str, ...]
    nodes: int
    edges: int
    shacl_signatures: int | None

    @property
    def conforms(self) -> bool:
        """True where nothing was found."""
        return not self.violations


def validate(graph: Graph, *, shacl: bool = True) -> ValidationReport:
    """Return what breaks a promise of the graph, as lines that name the concept or statement.

    Args:
        graph: what to check.
        shacl: False to leave the shapes out.
    """
    violations = [*_concepts(graph), *_provenance(graph), *_hierarchy(graph), *_contradictions(graph)]
    checked = None
    if shacl and importlib.util.find_spec("pyshacl") is not None:
        found, checked = _shapes(graph)
        violations += found
    return ValidationReport(tuple(violations), len(graph.nodes), len(graph.edges), checked)


def _concepts(graph: Graph) -> Iterator[str]:
    for node in graph.nodes.values():
        if not node.label:
            yield f"{node.curie} has no label"
        if not node.source or not node.source_version or not node.licence:
            yield f"{node.curie} has no source, source_version or licence"
        if node.category not in CATEGORIES:
            yield f"{node.curie} has the unknown category {node.category}"


def _provenance(graph: Graph) -> Iterator[str]:
    for edge in graph.edges:
        name = f"{edge.subject} {edge.predicate} {edge.object}"
        for column in ("primary_knowledge_source", "source_version", "licence", "knowledge_level", "agent_type"):
            if not getattr(edge, column):
                yield f"{name} has no {column}"
        if len(edge.source_sha256) != _SHA256:
            yield f"{name} has no source_sha256"
        if edge.predicate not in PREDICATES:
            yield f"{name} has an unknown predicate"
        if edge.inherited_from is not None and edge.inherited_from not in graph.nodes:
            yield f"{name} is inherited from {edge.inherited_from}, which is no node"


def _hierarchy(graph: Graph) -> Iterator[str]:
    cycle = find_cycle(edge for edge in graph.edges if edge.predicate == SUBCLASS_OF)
    if cycle:
        yield "subclass_of runs in a circle: " + " -> ".join([cycle[0].subject, *(edge.object for edge in cycle)])


def _contradictions(graph: Graph) -> Iterator[str]:
    """What one source both has and excludes for one concept; two sources may disagree, and are reported elsewhere."""
    for curie in graph.nodes:
        said: dict[tuple[str, str, str], set[bool]] = {}
        for edge in findings_of(graph, curie):
            key = (edge.predicate, edge.object, edge.primary_knowledge_source)
            said.setdefault(key, set()).add(edge.modality == "excludes")
        for (predicate, obj, source), polarities in said.items():
            if len(polarities) > 1:
                yield f"{source} says that {curie} {predicate} {obj} and excludes it"


def _signature(graph: Graph, edge: Edge) -> tuple[Any, ...]:
    ends = (graph.nodes[edge.subject].category, graph.nodes[edge.object].category)
    file = (edge.primary_knowledge_source, edge.source_version, edge.source_sha256, edge.licence)
    return (
        edge.predicate,
        edge.modality,
        edge.knowledge_level,
        edge.agent_type,
        edge.inherited_from is None,
        *file,
        *ends,
    )


def _kind(node: Node) -> tuple[Any, ...]:
    return (node.category, node.source, node.scale, bool(node.synonyms), node.definition is None)


def _shapes(graph: Graph) -> tuple[list[str], int]:
    import pyshacl
    import rdflib

    from kg.queries import to_rdflib

    edges = {_signature(graph, edge): edge for edge in reversed(graph.edges)}
    nodes = {_kind(node): node for node in reversed(list(graph.nodes.values()))}
    ends = {end for edge in edges.values() for end in (edge.subject, edge.object)}
    chosen = {node.curie: node for node in nodes.values()} | {curie: graph.nodes[curie] for curie in ends}
    data = to_rdflib(Graph(chosen.values(), edges.values()), oxigraph=False)
    _, results, _ = pyshacl.validate(data, shacl_graph=rdflib.Graph().parse(SHAPES), advanced=False)
    sh = rdflib.Namespace("http://www.w3.org/ns/shacl#")
    lines = [
        f"{results.value(result, sh.focusNode)}: {results.value(result, sh.resultMessage)}"
        for result in results.subjects(rdflib.RDF.type, sh.ValidationResult)
    ]
    return sorted(lines), len(nodes) + len(edges)
