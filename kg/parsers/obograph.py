"""Reader of OBO Graphs JSON, with roles: the form in which NCIt's disease module comes.

Reference: OBO Graphs, https://github.com/geneontology/obographs
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from kg.curies import from_iri, is_curie, known, normal
from kg.parsers.categories import Categories
from kg.parsers.opening import line_of, read_json
from kg.parsers.parsed import Parsed, SourceSpec, make_edge
from kg.predicates import PART_OF, SUBCLASS_OF
from kg.records import Edge, Modality, Node, Scope, Synonym

_SCOPES: dict[str, Scope] = {
    "hasExactSynonym": "exact",
    "hasNarrowSynonym": "narrow",
    "hasBroadSynonym": "broad",
    "hasRelatedSynonym": "related",
}
_HIERARCHY = {"is_a": SUBCLASS_OF, "subClassOf": SUBCLASS_OF, "BFO:0000050": PART_OF}
_Role = tuple[str, Modality | None]


def read(spec: SourceSpec) -> Parsed:
    """Return the classes, names, hierarchy and roles of an OBO Graphs document.

    Which role becomes which predicate with which modality stands in the `roles` of the source's entry.

    Raises:
        GraphError: the document has no graph, a class has no label, or an identifier has an unknown prefix.
    """
    document = read_json(spec)
    try:
        graph = document["graphs"][0]
        raw_nodes, raw_edges = graph["nodes"], graph["edges"]
    except (KeyError, IndexError, TypeError) as error:
        raise spec.fault(None, f"no OBO Graphs document: {error} is missing") from error
    ids: dict[str, str] = {}
    skipped: Counter[str] = Counter()
    categories = Categories.of(spec)
    nodes = [node for raw in raw_nodes if (node := _node(spec, raw, ids, skipped))]
    roles = _roles(spec)
    edges: list[Edge] = []
    for raw in raw_edges:
        predicate = _curie(spec, raw["pred"], ids)
        role = roles.get(predicate)
        if role is None:
            skipped[f"role {predicate}"] += 1
            continue
        subject, obj = _curie(spec, raw["sub"], ids), _curie(spec, raw["obj"], ids)
        edges.append(make_edge(spec, subject, role[0], obj, role[1], original=predicate))
    return Parsed(spec, categories.assign(nodes, edges), tuple(edges), skipped=dict(skipped))


def _roles(spec: SourceSpec) -> dict[str, _Role]:
    roles: dict[str, _Role] = {name: (predicate, None) for name, predicate in _HIERARCHY.items()}
    stated = cast(Mapping[str, list[str]], spec.options.get("roles", {}))
    for curie, (predicate, *modality) in stated.items():
        roles[curie] = (predicate, cast(Modality, modality[0]) if modality else None)
    return roles


def _curie(spec: SourceSpec, iri: str, ids: dict[str, str]) -> str:
    if iri not in ids:
        curie = iri if iri in _HIERARCHY else from_iri(iri)
        if curie is None and is_curie(iri) and known(normal(iri)):
            curie = normal(iri)
        if curie is None:
            raise spec.fault(line_of(spec, iri), f"unknown prefix in {iri}", "register it in kg/prefixes.tsv")
        ids[iri] = curie
    return ids[iri]


def _node(spec: SourceSpec, raw: dict[str, Any], ids: dict[str, str], skipped: Counter[str]) -> Node | None:
    if raw.get("type", "CLASS") != "CLASS":
        skipped["not a class"] += 1
        return None
    meta = raw.get("meta", {})
    if meta.get("deprecated"):
        skipped["obsolete term"] += 1
        return None
    if not raw.get("lbl"):
        raise spec.fault(line_of(spec, raw["id"]), f"{raw['id']} has no label")
    names = [Synonym(item["val"], _SCOPES.get(item["pred"], "related")) for item in meta.get("synonyms", ())]
    return Node(
        curie=_curie(spec, raw["id"], ids),
        category=Categories.default(spec),
        label=raw["lbl"],
        synonyms=tuple(dict.fromkeys(name for name in names if name.text != raw["lbl"])),
        definition=meta.get("definition", {}).get("val"),
        source=spec.name,
        source_version=spec.version,
        licence=spec.licence,
        xrefs=tuple(normal(item["val"]) for item in meta.get("xrefs", ())),
    )
