"""From sources to one graph: read, merge, check, inherit; the same sources give the same graph, byte by byte."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from kg.curies import prefix
from kg.cycles import break_cycles, find_cycle
from kg.graph import Graph
from kg.inherit import inherited_edges
from kg.lexical import equal_labels
from kg.merge import Merging, Refusal, merge
from kg.parsers import reader
from kg.parsers.opening import line_of
from kg.parsers.parsed import Parsed, SourceSpec
from kg.predicates import SUBCLASS_OF
from kg.records import Edge, Node, Synonym
from schemas.errors import GraphError


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """What one source brought: counts in equal counts kept plus counts left out."""

    name: str
    version: str
    sha256: str
    nodes: int
    edges: int
    matches: int
    edges_kept: int
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was built from what, and everything that was left out, with the reason."""

    sources: tuple[SourceCounts, ...]
    merged: int
    merged_by_label: int
    unknown_matches: int
    refusals: tuple[Refusal, ...]
    cycles_broken: tuple[str, ...]
    inherited: int
    nodes: int
    edges: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a report; refusals as one line each."""
        return {
            "nodes": self.nodes,
            "edges": self.edges,
            "inherited": self.inherited,
            "merged": self.merged,
            "merged_by_label": self.merged_by_label,
            "unknown_matches": self.unknown_matches,
            "cycles_broken": list(self.cycles_broken),
            "refusals": [
                f"{item.match.subject} = {item.match.object} ({item.match.where}): {item.reason}, {item.detail}"
                for item in self.refusals
            ],
            "sources": [
                {
                    "name": counts.name,
                    "version": counts.version,
                    "sha256": counts.sha256,
                    "nodes": counts.nodes,
                    "edges": counts.edges,
                    "edges_kept": counts.edges_kept,
                    "matches": counts.matches,
                    "left_out": dict(counts.left_out),
                }
                for counts in self.sources
            ],
        }


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The graph and the account of how it came to be."""

    graph: Graph
    report: BuildReport


@contextmanager
def _without_collector() -> Iterator[None]:
    # Hundreds of thousands of records that all live on: the cycle collector looks at them again and again for nothing
    # (27% of the build's time).
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


@_without_collector()
def build_graph(sources: Sequence[SourceSpec]) -> BuildResult:
    """Build the graph from sources.

    Args:
        sources: what to read; earlier ones win where two give one CURIE another label.

    Raises:
        GraphError: a source is malformed, refers to a class of its own that it does not define, or is cyclic.
    """
    if not sources:
        raise GraphError("no source to build the graph from", remedy="name at least `starter`")
    parsed = [reader(spec.parser)(spec) for spec in sources]
    for item in parsed:
        _check_whole(item)
    nodes = _collect(node for item in parsed for node in item.nodes)
    curated = [match for item in parsed for match in item.matches]
    stated = merge(nodes, curated)
    merging = merge(nodes, [*curated, *equal_labels(nodes, stated.canonical)])
    merged_nodes = _merge_nodes(nodes, merging)
    edges, counts = _place_edges(parsed, merged_nodes, merging)
    edges, broken = break_cycles(edges)
    inherited = inherited_edges(merged_nodes, edges)
    graph = Graph(merged_nodes.values(), [*edges, *inherited])
    report = BuildReport(
        sources=tuple(counts),
        merged=merging.merged,
        merged_by_label=merging.merged - stated.merged,
        unknown_matches=merging.unknown,
        refusals=merging.refusals,
        cycles_broken=tuple(f"{edge.subject} {edge.predicate} {edge.object}" for edge in broken),
        inherited=len(inherited),
        nodes=len(graph.nodes),
        edges=len(graph.edges),
    )
    return BuildResult(graph, report)


def _check_whole(item: Parsed) -> None:
    cycle = find_cycle(edge for edge in item.edges if edge.predicate == SUBCLASS_OF)
    if cycle:
        ring = " -> ".join([cycle[0].subject, *(edge.object for edge in cycle)])
        raise item.spec.fault(_line(item, cycle[0]), f"subclass_of runs in a circle: {ring}")
    if not item.spec.complete:
        return
    defined = {node.curie for node in item.nodes}
    own = {prefix(curie) for curie in defined}
    for edge in item.edges:
        for end in (edge.subject, edge.object):
            if end not in defined and prefix(end) in own:
                problem = f"{edge.subject} {edge.predicate} {edge.object}: {end} is not defined"
                raise item.spec.fault(_line(item, edge), problem)


def _line(item: Parsed, edge: Edge) -> int | None:
    return item.lines.get(edge.edge_id) or line_of(item.spec, edge.subject, edge.object)


def _collect(nodes: Iterable[Node]) -> dict[str, Node]:
    collected: dict[str, Node] = {}
    for node in nodes:
        known = collected.get(node.curie)
        collected[node.curie] = _union(known, node) if known else node
    return collected


def _union(first: Node, second: Node) -> Node:
    names = {first.label.casefold(), *(synonym.text.casefold() for synonym in first.synonyms)}
    more = [synonym for synonym in second.synonyms if synonym.text.casefold() not in names]
    if second.label.casefold() not in names:
        more.insert(0, Synonym(second.label, "exact"))
    return replace(
        first,
        synonyms=(*first.synonyms, *more),
        definition=first.definition or second.definition,
        scale=first.scale or second.scale,
        xrefs=tuple(dict.fromkeys((*first.xrefs, *second.xrefs))),
    )


def _merge_nodes(nodes: Mapping[str, Node], merging: Merging) -> dict[str, Node]:
    merged: dict[str, Node] = {}
    for curie, node in nodes.items():
        if curie in merging.canonical:
            continue
        others = merging.members.get(curie, ())
        for other in others:
            node = _union(node, nodes[other])  # noqa: PLW2901
        merged[curie] = replace(node, equivalent_identifiers=others) if others else node
    return merged


def _place_edges(
    parsed: Sequence[Parsed], nodes: Mapping[str, Node], merging: Merging
) -> tuple[list[Edge], list[SourceCounts]]:
    placed: dict[str, Edge] = {}
    counts = []
    for item in parsed:
        left_out: Counter[str] = Counter(item.skipped)
        kept = 0
        for edge in item.edges:
            moved = _moved(edge, merging.canonical)
            if moved.subject not in nodes or moved.object not in nodes:
                left_out["edge to a class that no source defines"] += 1
            elif moved.subject == moved.object:
                left_out["edge within one merged node"] += 1
            elif moved.edge_id in placed:
                left_out["edge stated twice"] += 1
            else:
                placed[moved.edge_id] = moved
                kept += 1
        spec = item.spec
        counts.append(
            SourceCounts(
                name=spec.name,
                version=spec.version,
                sha256=spec.sha256,
                nodes=len(item.nodes),
                edges=len(item.edges),
                matches=len(item.matches),
                edges_kept=kept,
                left_out=dict(sorted(left_out.items())),
            )
        )
    return list(placed.values()), counts


def _moved(edge: Edge, canonical: Mapping[str, str]) -> Edge:
    subject, obj = canonical.get(edge.subject, edge.subject), canonical.get(edge.object, edge.object)
    return edge if subject == edge.subject and obj == edge.object else edge.between(subject, obj)
