"""What stands beside a finding outside the closed vocabulary in the graph: candidates to be exchanged for it."""

from __future__ import annotations

from kg.graph import Graph
from kg.siblings import siblings
from tasks.generation.open_findings import only_groups

_BROAD = 40  # kinds of one parent beyond which they have no more in common than its name ("morphologic finding")


def kin(graph: Graph, concept: str) -> frozenset[str]:
    """Return a concept with all that it is a kind of and all its kinds: what is true or may be true with it."""
    if concept not in graph.nodes:
        return frozenset((concept,))
    return frozenset((concept, *graph.ancestors(concept), *graph.descendants(concept)))


def beside(graph: Graph, concept: str) -> tuple[str, ...]:
    """Return the siblings of a concept that are seen at its scale, those that the graph certifies as excluded first.

    A heading over other findings is no sibling, and a concept without kinds has none that has some. Where nothing
    certifies a sibling, the parent that they share has to say something: it is no root and has not too many kinds.
    """
    here = graph.nodes.get(concept)
    if here is None:
        return ()
    narrow = {
        parent for parent in graph.parents(concept) if graph.parents(parent) and len(graph.children(parent)) <= _BROAD
    }
    leaf = not graph.children(concept)
    return tuple(
        sibling.concept_id
        for sibling in siblings(graph, concept)
        if graph.nodes[sibling.concept_id].scale == here.scale
        and not only_groups(sibling.concept_id, graph)
        and not (leaf and graph.children(sibling.concept_id))
        and (sibling.certified or not narrow.isdisjoint(graph.parents(sibling.concept_id)))
    )


def kinds(graph: Graph, concept: str) -> tuple[str, ...]:
    """Return the narrower findings that a finding can be specialised to: its kinds that are seen at its scale."""
    here = graph.nodes.get(concept)
    if here is None:
        return ()
    return tuple(sorted(kind for kind in graph.children(concept) if graph.nodes[kind].scale == here.scale))
