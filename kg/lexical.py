"""Exact matches that no mapping file states: classes of different ontologies with one label in one category."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kg.curies import preference, prefix
from kg.forms import american, fold_name
from kg.merge import EXACT, family
from kg.parsers.parsed import Match
from kg.records import Node

SOURCE = "equal labels"


def equal_labels(nodes: Mapping[str, Node], canonical: Mapping[str, str]) -> list[Match]:
    """Return matches between classes whose labels are one name in one category.

    Only where the name is unique within each ontology: two classes of one ontology with one label say that the label
    alone does not tell what is meant.

    Args:
        nodes: every class, before merging.
        canonical: what curated matches have merged already.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for curie, node in nodes.items():
        if kind := family(node.category):
            groups.setdefault((kind, american(fold_name(node.label))), []).append(curie)
    return [match for group in groups.values() for match in _matches(group, canonical)]


def _matches(group: list[str], canonical: Mapping[str, str]) -> Iterable[Match]:
    if len({canonical.get(curie, curie) for curie in group}) < 2:
        return
    if len({prefix(curie) for curie in group}) < len(group):
        return
    first, *others = sorted(group, key=preference)
    for other in others:
        yield Match(first, EXACT, other, SOURCE, None)
