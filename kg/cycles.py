"""Circles in the hierarchy: an error within one source, cut open where merging made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kg.predicates import SUBCLASS_OF
from kg.records import Edge


def find_cycle(edges: Iterable[Edge]) -> list[Edge]:
    """Return the edges of one circle in walking order, empty where there is none.

    The order of the edges decides which circle is found first.
    """
    out: dict[str, list[Edge]] = {}
    for each in _core(edges):
        out.setdefault(each.subject, []).append(each)
    for start in out:
        if cycle := _search(start, out):
            return cycle
    return []


def _core(edges: Iterable[Edge]) -> list[Edge]:
    """Return the edges that are left when classes without superclasses are peeled off again and again (Kahn 1962)."""
    every = list(edges)
    above: dict[str, int] = {}
    below: dict[str, list[str]] = {}
    for edge in every:
        above[edge.subject] = above.get(edge.subject, 0) + 1
        below.setdefault(edge.object, []).append(edge.subject)
    free = [curie for curie in below if curie not in above]
    while free:
        for curie in below.get(free.pop(), ()):
            above[curie] -= 1
            if not above[curie]:
                del above[curie]
                free.append(curie)
    return [edge for edge in every if edge.subject in above and edge.object in above]


def _search(start: str, out: dict[str, list[Edge]]) -> list[Edge]:
    done: set[str] = set()
    trail: list[Edge] = []
    on_trail = {start: 0}
    stack: list[tuple[str, Iterator[Edge]]] = [(start, iter(out[start]))]
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
    core = sorted(_core(edge for edge in edges if edge.predicate == SUBCLASS_OF), key=lambda edge: edge.key)
    while cycle := find_cycle(core):
        worst = max(cycle, key=lambda edge: edge.key)
        removed.append(worst)
        core.remove(worst)
    gone = {edge.edge_id for edge in removed}
    return [edge for edge in edges if edge.edge_id not in gone], removed
