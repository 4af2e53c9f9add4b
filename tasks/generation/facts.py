"""What the graph says of two concepts: do they exclude one another, does a finding support a claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kg.graph import Graph
from kg.records import Edge

Verdict = Literal["supports", "contradicts", "open"]


@dataclass(frozen=True, slots=True)
class Stance:
    """What a finding says to a claim, and the edge that says so (None where nothing does)."""

    verdict: Verdict
    edge: Edge | None


class Facts:
    """Look-ups in one graph, remembered."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._between: dict[tuple[str, str], tuple[Edge, ...]] = {}
        self._stances: dict[tuple[str, str], Stance] = {}

    def between(self, first: str, second: str) -> tuple[Edge, ...]:
        """Return the statements that join two concepts, in either direction, in order of their id."""
        key = (first, second)
        if key not in self._between:
            there = [edge for edge in self.graph.out_edges(first) if edge.object == second]
            back = [edge for edge in self.graph.out_edges(second) if edge.object == first]
            self._between[key] = tuple(sorted((*there, *back), key=lambda edge: edge.edge_id))
        return self._between[key]

    def exclusion(self, first: str, second: str) -> Edge | None:
        """Return the statement that two concepts exclude one another, None where there is none."""
        return next((edge for edge in self.between(first, second) if edge.modality == "excludes"), None)

    def stance(self, claim: str, finding: str) -> Stance:
        """Return what a finding says to a claim.

        It supports where the claim *has* the finding; it contradicts where the two exclude one another, or where the
        finding excludes one that the claim has; in all other cases, `may` among them, the claim stays open.
        """
        key = (claim, finding)
        if key not in self._stances:
            self._stances[key] = self._judge(claim, finding)
        return self._stances[key]

    def _judge(self, claim: str, finding: str) -> Stance:
        edges = self.between(claim, finding)
        if (edge := self.exclusion(claim, finding)) is not None:
            return Stance("contradicts", edge)
        had = next((edge for edge in edges if edge.modality == "has" and edge.subject == claim), None)
        if had is not None:
            return Stance("supports", had)
        if edges:
            return Stance("open", edges[0])
        for edge in self.graph.out_edges(claim):
            if edge.modality == "has" and (conflict := self.exclusion(edge.object, finding)) is not None:
                return Stance("contradicts", conflict)
        return Stance("open", None)
