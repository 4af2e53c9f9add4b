"""Statements that a disease inherits from the nearest ancestor that holds one of their kind."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from kg.predicates import FINDING_PREDICATES, SUBCLASS_OF
from kg.records import Edge, Modality, Node

# Holders with more kinds say nothing specific: the root of NCIt's neoplasms "has" a Neoplastic Cell.
MAX_DESCENDANTS = 100
_Kind = tuple[str, Modality | None]


def inherited_edges(
    nodes: Mapping[str, Node], edges: Iterable[Edge], max_descendants: int = MAX_DESCENDANTS
) -> list[Edge]:
    """Return what diseases inherit of findings and abnormal cells, each naming its holder in `inherited_from`.

    A disease that states something of one kind (predicate and modality) itself inherits nothing of that kind; one that
    does not takes it from the nearest ancestors that do. What the disease itself or a nearer ancestor says of an object
    outranks what a farther one says, and where two equally near ones contradict each other neither is followed: no
    disease comes to both have and exclude a finding by inheritance.

    Args:
        nodes: all nodes.
        edges: stated edges.
        max_descendants: holders with more descendants pass nothing on.
    """
    parents: dict[str, list[str]] = {}
    children: dict[str, list[str]] = {}
    held: dict[str, dict[_Kind, list[Edge]]] = {}
    for edge in edges:
        if edge.predicate == SUBCLASS_OF:
            parents.setdefault(edge.subject, []).append(edge.object)
            children.setdefault(edge.object, []).append(edge.subject)
        elif edge.predicate in FINDING_PREDICATES and nodes[edge.subject].category in ("Neoplasm", "Disease"):
            held.setdefault(edge.subject, {}).setdefault((edge.predicate, edge.modality), []).append(edge)
    givers = {curie for curie in held if _few_descendants(curie, children, max_descendants)}
    heirs = {heir for giver in givers for heir in _walk(giver, children)}
    # Above these no giver stands, so nobody has to look there.
    useful = {curie: [up for up in ups if up in givers or up in heirs] for curie, ups in parents.items()}
    found: dict[str, Edge] = {}
    for heir in sorted(heirs):
        for edge in _inherit(heir, useful, held, givers):
            found[edge.edge_id] = edge
    return list(found.values())


def _walk(start: str, step: Mapping[str, list[str]]) -> Iterable[str]:
    seen = {start}
    queue = deque([start])
    while queue:
        for neighbour in step.get(queue.popleft(), ()):
            if neighbour not in seen:
                seen.add(neighbour)
                queue.append(neighbour)
                yield neighbour


def _few_descendants(curie: str, children: Mapping[str, list[str]], limit: int) -> bool:
    return all(count < limit for count, _ in enumerate(_walk(curie, children)))


def _inherit(
    heir: str, parents: Mapping[str, list[str]], held: Mapping[str, dict[_Kind, list[Edge]]], givers: set[str]
) -> Iterable[Edge]:
    own = held.get(heir, {})
    taken = set(own)
    settled = {edge.object for edges in own.values() for edge in edges}
    level, seen = sorted(parents.get(heir, ())), {heir}
    while level:
        offered = [
            (edge, holder)
            for holder in level
            if holder in givers
            for kind, edges in held[holder].items()
            if kind not in taken
            for edge in edges
            if edge.object not in settled
        ]
        disputed = _disputed(edge for edge, _ in offered)
        yield from (edge.between(heir, edge.object, holder) for edge, holder in offered if edge.object not in disputed)
        taken.update(kind for holder in level if holder in givers for kind in held[holder])
        settled |= {edge.object for edge, _ in offered}
        seen.update(level)
        level = sorted({up for holder in level for up in parents.get(holder, ())} - seen)


def _disputed(edges: Iterable[Edge]) -> set[str]:
    excluded: dict[str, set[bool]] = {}
    for edge in edges:
        excluded.setdefault(edge.object, set()).add(edge.modality == "excludes")
    return {curie for curie, said in excluded.items() if len(said) > 1}
