"""Circles in the hierarchy: an error within one source, cut open where merging made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kg.predicates import SUBCLASS_OF
from kg.records import Edge


def find_cycle(edges: Iterable[Edge]) -> list[Edge]:
    """Return the edges of one circle in walking order, empty where there is none.

    Depth-first search with an explicit stack; the order of the edges decides which circle is found first.
    """
    out: dict[str, list[Edge]] = {}
    for each in edges:
        out.setdefault(each.subject, []).append(each)
    done: set[str] = set()
    for start, first in out.items():
        if start in done:
            continue
        trail: list[Edge] = []
        on_trail = {start: 0}
        stack: list[tuple[str, Iterator[Edge]]] = [(start, iter(first))]
        while stack:
            here, remaining = stack[-1]
            edge = next(remaining, None)
            if edge is None:
                stack.pop()
                done.add(here)
                del on_trail[here]
                if trail:
                    trail.pop()
            elif edge.object in on_trail:
                return [*trail[on_trail[edge.object] :], edge]
            elif edge.object not in done:
                on_trail[edge.object] = len(stack)
                trail.append(edge)
                stack.append((edge.object, iter(out.get(edge.object, ()))))
    return []


def break_cycles(edges: list[Edge]) -> tuple[list[Edge], list[Edge]]:
    """Return the edges without circles of `subclass_of`, and those removed: the last of each circle by `Edge.key`."""
    removed: list[Edge] = []
    hierarchy = sorted((edge for edge in edges if edge.predicate == SUBCLASS_OF), key=lambda edge: edge.key)
    while cycle := find_cycle(hierarchy):
        worst = max(cycle, key=lambda edge: edge.key)
        removed.append(worst)
        hierarchy.remove(worst)
    gone = {edge.edge_id for edge in removed}
    return [edge for edge in edges if edge.edge_id not in gone], removed
