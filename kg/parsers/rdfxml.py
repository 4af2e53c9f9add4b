"""Reader of OWL in RDF/XML, through pyoxigraph: labels, synonyms, definitions, and named superclasses."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kg.curies import from_iri
from kg.parsers.categories import Categories
from kg.parsers.opening import read_bytes
from kg.parsers.parsed import Parsed, SourceSpec, make_edge
from kg.predicates import SUBCLASS_OF
from kg.records import Edge, Node, Scope, Synonym

_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_OWL = "http://www.w3.org/2002/07/owl#"
_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_OIO = "http://www.geneontology.org/formats/oboInOwl#"
_DEFINITION = ("http://purl.obolibrary.org/obo/IAO_0000115", f"{_RDFS}comment")
_SCOPES: dict[str, Scope] = {
    f"{_OIO}hasExactSynonym": "exact",
    f"{_OIO}hasNarrowSynonym": "narrow",
    f"{_OIO}hasBroadSynonym": "broad",
    f"{_OIO}hasRelatedSynonym": "related",
}


def read(spec: SourceSpec) -> Parsed:
    """Return the named classes of an RDF/XML document; a class without label is called by the end of its IRI.

    Raises:
        GraphError: the document is no RDF/XML or declares no class.
    """
    import pyoxigraph as ox

    raw = read_bytes(spec)
    try:
        quads = list(ox.parse(raw, format=ox.RdfFormat.RDF_XML))
    except SyntaxError as error:
        raise spec.fault(error.lineno, f"no RDF/XML ({error.msg})") from error
    facts: dict[str, dict[str, list[Any]]] = {}
    for quad in quads:
        if isinstance(quad.subject, ox.NamedNode):
            facts.setdefault(quad.subject.value, {}).setdefault(quad.predicate.value, []).append(quad.object)
    skipped: Counter[str] = Counter()
    nodes: list[Node] = []
    edges: list[Edge] = []
    for iri, said in sorted(facts.items()):
        if not any(_value(kind) == f"{_OWL}Class" for kind in said.get(_TYPE, ())):
            continue
        curie = from_iri(iri)
        if curie is None:
            skipped["class of an unregistered prefix"] += 1
            continue
        nodes.append(_node(spec, curie, said))
        for parent in said.get(f"{_RDFS}subClassOf", ()):
            above = from_iri(_value(parent)) if isinstance(parent, ox.NamedNode) else None
            if above:
                edges.append(make_edge(spec, curie, SUBCLASS_OF, above, original="rdfs:subClassOf"))
            else:
                skipped["class expression"] += 1
    if not nodes:
        raise spec.fault(None, "declares no class of a registered prefix", "register its prefix in kg/prefixes.tsv")
    return Parsed(spec, Categories.of(spec).assign(nodes, edges), tuple(edges), skipped=dict(skipped))


def _value(term: Any) -> str:
    return str(getattr(term, "value", ""))


def _node(spec: SourceSpec, curie: str, said: dict[str, list[Any]]) -> Node:
    labels = sorted(_value(label) for label in said.get(f"{_RDFS}label", ()))
    names = [(_value(term), scope) for prop, scope in _SCOPES.items() for term in said.get(prop, ())]
    definitions = [_value(term) for prop in _DEFINITION for term in sorted(said.get(prop, ()), key=_value)]
    return Node(
        curie=curie,
        category=Categories.default(spec),
        label=labels[0] if labels else curie.partition(":")[2].replace("_", " "),
        synonyms=tuple(Synonym(text, scope) for text, scope in dict.fromkeys(sorted(names))),
        definition=definitions[0] if definitions else None,
        source=spec.name,
        source_version=spec.version,
        licence=spec.licence,
    )
