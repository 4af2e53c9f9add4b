"""Which CURIEs mean the same: union-find over exact matches, with every refusal on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from kg.curies import preference, prefix
from kg.parsers.parsed import Match
from kg.records import Category, Node

EXACT = "skos:exactMatch"
# Categories that mean one thing in different ontologies, so that a merge across them is no contradiction.
_FAMILY: dict[str, str] = {"Neoplasm": "Disease", "ClinicalFinding": "MorphologicFinding", "Other": ""}
RefusalReason = Literal["same_ontology", "two_categories"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One exact match that was not followed."""

    match: Match
    reason: RefusalReason
    detail: str


@dataclass(frozen=True, slots=True)
class Merging:
    """The outcome of merging.

    Attributes:
        canonical: every merged CURIE to the CURIE that names its node.
        members: canonical CURIE to the other CURIEs of its clique, sorted.
        unknown: exact matches of which one end is in no source.
    """

    canonical: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]
    refusals: tuple[Refusal, ...]
    merged: int
    unknown: int


def family(category: Category) -> str:
    """Return the kind of thing a category is, for merging: neoplasms are diseases; "" agrees with every kind."""
    return _FAMILY.get(category, category)


class _Cliques:
    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._root: dict[str, str] = {}
        self._members: dict[str, set[str]] = {}

    def find(self, curie: str) -> str:
        root = self._root.get(curie, curie)
        while root != (up := self._root.get(root, root)):
            root = up
        self._root[curie] = root
        return root

    def members(self, curie: str) -> set[str]:
        return self._members.get(self.find(curie), {curie})

    def objection(self, one: str, other: str) -> tuple[RefusalReason, str] | None:
        left, right = self.members(one), self.members(other)
        shared = {prefix(curie) for curie in left} & {prefix(curie) for curie in right}
        if shared:
            name = min(shared)
            pair = sorted(curie for curie in left | right if prefix(curie) == name)
            return "same_ontology", " and ".join(pair)
        families = {family(self._nodes[curie].category) for curie in left | right} - {""}
        if len(families) > 1:
            return "two_categories", " and ".join(sorted(families))
        return None

    def join(self, one: str, other: str) -> None:
        joined = self.members(one) | self.members(other)
        root = min(joined, key=preference)
        for end in (self.find(one), self.find(other)):
            self._root[end] = root
            self._members.pop(end, None)
        self._root[root] = root
        self._members[root] = joined

    def roots(self) -> dict[str, set[str]]:
        return self._members


def merge(nodes: Mapping[str, Node], matches: Iterable[Match]) -> Merging:
    """Return which nodes are one, following exact matches in the order given.

    A match is refused where it would join two CURIEs of one ontology (an ontology's own classes are never the same) or
    two categories. References: SSSOM, Matentzoglu et al., Database 2022, baac035.
    """
    cliques = _Cliques(nodes)
    refusals: list[Refusal] = []
    merged = unknown = 0
    for match in matches:
        if match.predicate != EXACT:
            continue
        if match.subject not in nodes or match.object not in nodes:
            unknown += 1
        elif cliques.find(match.subject) == cliques.find(match.object):
            continue
        elif objection := cliques.objection(match.subject, match.object):
            refusals.append(Refusal(match, *objection))
        else:
            cliques.join(match.subject, match.object)
            merged += 1
    members = {root: tuple(sorted(every - {root})) for root, every in sorted(cliques.roots().items())}
    canonical = {curie: root for root, others in members.items() for curie in others}
    return Merging(canonical, members, tuple(refusals), merged, unknown)
