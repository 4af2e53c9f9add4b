"""Reader of OncoTree's JSON: one tree of tumour types by tissue.

Reference: Kundra et al., JCO Clin Cancer Inform 2021;5:221-230.
"""

from __future__ import annotations

from typing import Any

from kg.parsers.opening import line_of, read_json
from kg.parsers.parsed import Match, Parsed, SourceSpec, make_edge
from kg.predicates import SUBCLASS_OF
from kg.records import Edge, Node

_TISSUE_LEVEL = 1


def read(spec: SourceSpec) -> Parsed:
    """Return the tumour types; references to NCIt are cross references, merged only where exact matches say so.

    Raises:
        GraphError: the document is no tree, a type has no name, or a code occurs twice.
    """
    document = read_json(spec)
    if not isinstance(document, dict) or "TISSUE" not in document:
        raise spec.fault(1, "no OncoTree document: TISSUE is missing")
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    matches: list[Match] = []
    stack: list[tuple[dict[str, Any], str | None]] = [(document["TISSUE"], None)]
    while stack:
        entry, parent = stack.pop()
        code = entry.get("code")
        if not code or not entry.get("name"):
            raise spec.fault(line_of(spec, str(code)), f"the type {code} has no code or no name")
        curie = f"ONCOTREE:{code}"
        if curie in nodes:
            raise spec.fault(line_of(spec, f'"{code}"'), f"the code {code} occurs twice")
        references = tuple(f"NCIT:{ref}" for ref in entry.get("externalReferences", {}).get("NCI", ()))
        nodes[curie] = _node(spec, curie, entry, references)
        matches += [Match(curie, "oboInOwl:hasDbXref", ref, spec.name, 1) for ref in references]
        if parent:
            edges.append(make_edge(spec, curie, SUBCLASS_OF, parent, original="parent"))
        stack += [(child, curie) for child in entry.get("children", {}).values()]
    return Parsed(spec, tuple(nodes.values()), tuple(edges), tuple(matches))


def _node(spec: SourceSpec, curie: str, entry: dict[str, Any], references: tuple[str, ...]) -> Node:
    tissue = entry.get("level", 0) <= _TISSUE_LEVEL
    return Node(
        curie=curie,
        category="AnatomicSite" if tissue else "Neoplasm",
        label=entry["name"],
        source=spec.name,
        source_version=spec.version,
        licence=spec.licence,
        xrefs=references,
    )
