"""Explained paths between two concepts: meet in the middle, meaningful steps only, specific nodes before hubs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from kg.graph import Graph
from kg.metapaths import heads, meaningful, step, tails
from kg.predicates import PREDICATES
from kg.records import Edge

# How much a statement counts: `has` holds always, `may` in some cases; inherited ones are one remove away.
_MODALITY = {"has": 1.0, "may": 0.6, None: 0.9, "excludes": 0.0}
_INHERITED = 0.9
_PER_HOP = 0.8
_Half = tuple[tuple[str, ...], tuple[Edge, ...], str]


@dataclass(frozen=True, slots=True)
class Path:
    """A walk from one concept to another without visiting a concept twice.

    Attributes:
        nodes: CURIEs from start to end.
        edges: the statement of each hop; it may be walked against its direction.
        score: 0 to 1, higher is more specific; see `find_paths`.
    """

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    score: float

    def explain(self, graph: Graph) -> tuple[str, ...]:
        """Return one sentence per hop, each with its modality and its source."""
        return tuple(describe(graph, edge, start) for edge, start in zip(self.edges, self.nodes[:-1], strict=True))


def describe(graph: Graph, edge: Edge, start: str) -> str:
    """Return a statement in words, read from `start` to its other end, with modality, holder and source."""
    predicate = PREDICATES[edge.predicate]
    forward = edge.subject == start
    end = edge.object if forward else edge.subject
    notes = [text for text in (edge.modality, edge.citation or edge.primary_knowledge_source) if text]
    if edge.inherited_from:
        notes.insert(1, f"stated of {graph.nodes[edge.inherited_from].label}")
    words = predicate.words if forward else predicate.inverse
    return f"{graph.nodes[start].label} {words} {graph.nodes[end].label} ({'; '.join(notes)})"


def find_paths(
    graph: Graph, start: str, end: str, *, max_hops: int = 4, limit: int | None = 3, filtered: bool = True
) -> list[Path]:
    """Return the best simple paths between two concepts, the best first.

    The score is the product of the modality of each hop (has 1, may 0.6, hierarchy 0.9; inherited statements 0.9 of
    it), of 0.8 for each hop after the first, and of the mean information content of the nodes passed, so that a path
    over a hub ranks below one over specific concepts. Equal scores are ordered by edge ids: the result is one and the
    same for one graph.

    Args:
        graph: where to look.
        start: CURIE to start from, usually a finding.
        end: CURIE to arrive at, usually a diagnosis.
        max_hops: longest path, in hops.
        limit: how many paths to return; None returns all.
        filtered: follow only meaningful sequences of steps (`kg/metapaths.py`), never `excludes`, and return nothing
            where one end excludes the other. Unfiltered, the paths are those of `networkx.all_simple_edge_paths` on
            the undirected multigraph.

    Raises:
        GraphError: an end is no node of the graph.

    References: ranking after PathReasoner's knowledge-guided paths; information content as -log of the share of
        statements that touch a node (Resnik, IJCAI 1995, with statements in place of corpus counts).
    """
    for curie in (start, end):
        graph.node(curie)
    if start == end or max_hops < 1:
        return []
    if filtered and excluded_by(graph, start, end):
        return []
    found = [
        Path(nodes, edges, _score(graph, nodes, edges)) for nodes, edges in _join(graph, start, end, max_hops, filtered)
    ]
    found.sort(key=lambda path: (-path.score, tuple(edge.edge_id for edge in path.edges)))
    return found if limit is None else found[:limit]


def excluded_by(graph: Graph, one: str, other: str) -> Edge | None:
    """Return the statement by which one concept excludes the other, in either direction, None where there is none."""
    for subject, obj in ((one, other), (other, one)):
        for edge in graph.out_edges(subject):
            if edge.modality == "excludes" and edge.object == obj:
                return edge
    return None


def _steps(graph: Graph, curie: str) -> Iterator[tuple[Edge, str]]:
    for edge in graph.out_edges(curie):
        yield edge, edge.object
    for edge in graph.in_edges(curie):
        if edge.subject != edge.object:
            yield edge, edge.subject


def _halves(
    graph: Graph, start: str, avoid: str, hops: int, allowed: frozenset[str] | None, reverse: bool
) -> list[_Half]:
    found: list[_Half] = [((start,), (), "")]
    layer = found
    for _ in range(hops):
        grown: list[_Half] = []
        for nodes, edges, code in layer:
            here = nodes[-1]
            for edge, there in _steps(graph, here):
                if there in nodes or here == avoid:
                    continue
                letter = step(edge, there if reverse else here)
                longer = letter + code if reverse else code + letter
                if allowed is not None and (longer not in allowed or edge.modality == "excludes"):
                    continue
                grown.append(((*nodes, there), (*edges, edge), longer))
        found = found + grown
        layer = grown
    return found


def _join(
    graph: Graph, start: str, end: str, max_hops: int, filtered: bool
) -> Iterator[tuple[tuple[str, ...], tuple[Edge, ...]]]:
    near = (max_hops + 1) // 2
    forward = _halves(graph, start, end, near, heads(max_hops) if filtered else None, reverse=False)
    backward = _halves(graph, end, start, max_hops - near, tails(max_hops) if filtered else None, reverse=True)
    wanted = meaningful(max_hops)
    arrivals: dict[str, list[_Half]] = {}
    for half in backward:
        arrivals.setdefault(half[0][-1], []).append(half)
    for nodes, edges, code in forward:
        for back_nodes, back_edges, back_code in arrivals.get(nodes[-1], ()):
            # Each path is met once: the first half is as long as it may be unless the second is empty.
            if back_edges and len(edges) < near:
                continue
            if filtered and code + back_code not in wanted:
                continue
            if len(back_nodes) > 1 and not set(nodes).isdisjoint(back_nodes[:-1]):
                continue
            yield nodes + back_nodes[-2::-1], edges + back_edges[::-1]


def _score(graph: Graph, nodes: tuple[str, ...], edges: tuple[Edge, ...]) -> float:
    strength = 1.0
    for edge in edges:
        strength *= _MODALITY[edge.modality] * (_INHERITED if edge.inherited_from else 1.0)
    specific = sum(information_content(graph, curie) for curie in nodes) / len(nodes)
    return round(strength * _PER_HOP ** (len(edges) - 1) * specific, 6)


def information_content(graph: Graph, curie: str) -> float:
    """Return how specific a concept is, 0 (touched by every statement) to 1 (by one)."""
    touching = len(graph.out_edges(curie)) + len(graph.in_edges(curie))
    every = max(len(graph.edges), 2)
    return 1.0 - math.log(max(touching, 1)) / math.log(every)
