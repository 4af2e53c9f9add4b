"""Explained paths between two concepts: meet in the middle, meaningful steps only, specific nodes before hubs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from kg.graph import Graph
from kg.metapaths import INVERSE, heads, meaningful, step, tails
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


_STEPS: WeakKeyDictionary[Graph, dict[str, dict[str, list[tuple[Edge, str]]]]] = WeakKeyDictionary()


def _steps(graph: Graph) -> dict[str, dict[str, list[tuple[Edge, str]]]]:
    """Return the steps from every node by letter, in both directions; made once for a graph, when first asked for."""
    if graph not in _STEPS:
        steps: dict[str, dict[str, list[tuple[Edge, str]]]] = {}
        for edge in graph.edges:
            for here, there in ((edge.subject, edge.object), (edge.object, edge.subject))[
                : 1 + (edge.subject != edge.object)
            ]:
                steps.setdefault(here, {}).setdefault(step(edge, here), []).append((edge, there))
        _STEPS[graph] = steps
    return _STEPS[graph]


class _Side:
    """All partial paths from one end, grown by one hop at a time.

    Args:
        graph: where to walk.
        start: this end.
        other: the other end; partial paths stop there.
        max_hops: longest whole path, which decides what beginnings (or ends) make sense.
        backward: True for the side that starts at the end of the path.
        filtered: follow only what can become a meaningful path.
    """

    def __init__(self, graph: Graph, start: str, other: str, max_hops: int, *, backward: bool, filtered: bool) -> None:
        self._steps = _steps(graph)
        self._other = other
        self._backward = backward
        self._allowed = (tails if backward else heads)(max_hops) if filtered else None
        self.hops = 0
        self.layer: list[_Half] = [((start,), (), "")]
        self.halves: list[_Half] = list(self.layer)

    def grow(self) -> None:
        """Add every partial path that is one hop longer."""
        grown: list[_Half] = []
        for nodes, edges, code in self.layer:
            here = nodes[-1]
            if here == self._other:
                continue
            for letter, steps in self._steps.get(here, {}).items():
                longer = code + letter
                if self._backward:
                    longer = INVERSE[letter] + code
                if self._allowed is not None and longer not in self._allowed:
                    continue
                for edge, there in steps:
                    if there not in nodes and (self._allowed is None or edge.modality != "excludes"):
                        grown.append(((*nodes, there), (*edges, edge), longer))
        self.hops += 1
        self.layer = grown
        self.halves += grown


def _join(
    graph: Graph, start: str, end: str, max_hops: int, filtered: bool
) -> Iterator[tuple[tuple[str, ...], tuple[Edge, ...]]]:
    """Yield every path once, as a first half and a second half that meet; the smaller side grows first."""
    front = _Side(graph, start, end, max_hops, backward=False, filtered=filtered)
    back = _Side(graph, end, start, max_hops, backward=True, filtered=filtered)
    for _ in range(max_hops):
        (front if len(front.layer) <= len(back.layer) else back).grow()
    wanted = meaningful(max_hops)
    arrivals: dict[str, list[_Half]] = {}
    for half in back.halves:
        arrivals.setdefault(half[0][-1], []).append(half)
    for nodes, edges, code in front.halves:
        for back_nodes, back_edges, back_code in arrivals.get(nodes[-1], ()):
            # Each path is met once: its first half is as long as that side has grown, unless the second is empty.
            if back_edges and len(edges) < front.hops:
                continue
            if filtered and code + back_code not in wanted:
                continue
            if set(nodes).isdisjoint(back_nodes[:-1]):
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
