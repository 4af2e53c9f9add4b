"""Which category a class has: that of the first listed ancestor that it descends from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from kg.curies import prefix
from kg.parsers.parsed import SourceSpec
from kg.predicates import SUBCLASS_OF
from kg.records import CATEGORIES, Category, Edge, Node
from schemas.errors import GraphError


@dataclass(frozen=True, slots=True)
class Categories:
    """The rules of one source, from its entry in `sources.yaml`.

    Attributes:
        fallback: category of a class under no listed ancestor.
        roots: CURIE of an ancestor to category, the most special first.
        prefixes: prefix of a class to category, for files that hold classes of several ontologies.
    """

    fallback: Category
    roots: Mapping[str, Category]
    prefixes: Mapping[str, Category]

    @classmethod
    def of(cls, spec: SourceSpec) -> Categories:
        """Return the rules of a source.

        Raises:
            GraphError: the entry names a category that there is not.
        """
        roots = cast(Mapping[str, Category], spec.options.get("categories", {}))
        prefixes = cast(Mapping[str, Category], spec.options.get("prefix_categories", {}))
        for category in (*roots.values(), *prefixes.values(), cls.default(spec)):
            if category not in CATEGORIES:
                raise GraphError(
                    f"{spec.name} in sources.yaml names the category {category}",
                    remedy=f"use one of {', '.join(CATEGORIES)}",
                )
        return cls(cls.default(spec), roots, prefixes)

    @staticmethod
    def default(spec: SourceSpec) -> Category:
        """Return the category of a class that no rule covers."""
        return cast(Category, spec.options.get("category", "Other"))

    def assign(self, nodes: Sequence[Node], edges: Iterable[Edge]) -> tuple[Node, ...]:
        """Return the nodes with their categories."""
        if not self.roots and not self.prefixes:
            return tuple(nodes)
        below: dict[str, list[str]] = {}
        for edge in edges:
            if edge.predicate == SUBCLASS_OF:
                below.setdefault(edge.object, []).append(edge.subject)
        found: dict[str, Category] = {}
        for root, category in self.roots.items():
            queue = deque([root])
            while queue:
                curie = queue.popleft()
                if curie in found:
                    continue
                found[curie] = category
                queue.extend(below.get(curie, ()))
        return tuple(self._placed(node, found.get(node.curie)) for node in nodes)

    def _placed(self, node: Node, category: Category | None) -> Node:
        chosen = category or self.prefixes.get(prefix(node.curie), self.fallback)
        return node if chosen == node.category else replace(node, category=chosen)
