"""Reader of the JSON that CELLxGENE's ontology guide publishes: label, names, and the distance to every ancestor.

Its ancestors mix is_a and part_of, and its synonyms have no scope; the source's entry says what its hierarchy is.
Reference: https://github.com/chanzuckerberg/cellxgene-ontology-guide
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from kg.curies import is_curie, known
from kg.parsers.categories import Categories
from kg.parsers.opening import line_of, read_json
from kg.parsers.parsed import Parsed, SourceSpec, make_edge
from kg.predicates import SUBCLASS_OF
from kg.records import Edge, Node, Synonym


def read(spec: SourceSpec) -> Parsed:
    """Return the terms and their nearest ancestors; deprecated terms are left out and counted.

    Raises:
        GraphError: the document is no map of terms, a term has no label, or an id has an unknown prefix.
    """
    document = read_json(spec)
    if not isinstance(document, dict):
        raise spec.fault(1, "no map of terms")
    hierarchy = str(spec.options.get("hierarchy", SUBCLASS_OF))
    scope = spec.options.get("synonym_scope", "related")
    categories = Categories.of(spec)
    nodes: list[Node] = []
    edges: list[Edge] = []
    skipped: Counter[str] = Counter()
    for curie, term in document.items():
        if isinstance(term, dict) and term.get("deprecated"):
            skipped["obsolete term"] += 1
            continue
        _check(spec, curie, term)
        nodes.append(
            Node(
                curie=curie,
                category=categories.fallback,
                label=term["label"],
                synonyms=tuple(Synonym(text, scope) for text in dict.fromkeys(term.get("synonyms", ()))),
                definition=term.get("description"),
                source=spec.name,
                source_version=spec.version,
                licence=spec.licence,
            )
        )
        for ancestor, distance in term["ancestors"].items():
            if distance == 1:
                edges.append(make_edge(spec, curie, hierarchy, ancestor, original="ancestor"))
    placed = categories.assign(nodes, edges)
    return Parsed(spec, placed, tuple(edges), skipped=dict(skipped))


def _check(spec: SourceSpec, curie: str, term: Any) -> None:
    if not is_curie(curie) or not known(curie):
        raise spec.fault(line_of(spec, curie), f"unknown prefix in {curie}", "register it in kg/prefixes.tsv")
    if not isinstance(term, dict) or not term.get("label") or not isinstance(term.get("ancestors"), dict):
        raise spec.fault(line_of(spec, curie), f"{curie} has no label or no ancestors")
