"""The graph as RDF: concepts as SKOS, statements as reified edges with PROV-O, one activity for the build.

Plain triples carry what `has` or `may` hold; a statement that excludes is never a plain triple between its ends, so
that no query that ignores modality can read a denial as a fact. Every statement is also a resource of its own
(`edge:ID`) with predicate, modality, holder and the file it was read from; the file has version, checksum and licence.

References: PROV-O, W3C 2013; SKOS, W3C 2009; Biolink Model association slots.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kg.curies import bases, known, to_iri
from kg.predicates import PREDICATES
from kg.records import Edge, Node

if TYPE_CHECKING:
    import pyoxigraph as ox

    from kg.graph import Graph

SS = "https://w3id.org/slidesmith/vocab/"
EDGE = "https://w3id.org/slidesmith/edge/"
SOURCE = "https://w3id.org/slidesmith/source/"
BUILD = "https://w3id.org/slidesmith/build/"
PROV = "http://www.w3.org/ns/prov#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DCT = "http://purl.org/dc/terms/"
XSD = "http://www.w3.org/2001/XMLSchema#"
_SCOPES = {"exact": "altLabel", "related": "hiddenLabel", "narrow": "hiddenLabel", "broad": "hiddenLabel"}


def namespaces() -> dict[str, str]:
    """Return the prefixes that the export declares."""
    ours = {"ss": SS, "edge": EDGE, "source": SOURCE, "build": BUILD, "prov": PROV, "skos": SKOS, "rdfs": RDFS}
    return {**bases(), **ours, "rdf": RDF, "dcterms": DCT, "xsd": XSD}


@functools.cache
def predicate_iri(name: str) -> str:
    """Return the IRI of one of our predicates: rdfs:subClassOf for the hierarchy, ours for the rest."""
    return f"{RDFS}subClassOf" if name == "subclass_of" else f"{SS}{name}"


def triples(graph: Graph) -> Iterator[ox.Triple]:
    """Yield the graph as triples, in one order for one graph.

    Raises:
        GraphError: a CURIE has an unregistered prefix.
    """
    import pyoxigraph as ox

    iri = functools.cache(lambda curie: ox.NamedNode(_iri(curie)))
    name = functools.cache(ox.NamedNode)
    yield from _build(graph, ox)
    for node in graph.nodes.values():
        for predicate, value in _node_facts(node, ox):
            yield ox.Triple(iri(node.curie), name(predicate), value)
    for edge in graph.edges:
        subject, obj = iri(edge.subject), iri(edge.object)
        if edge.modality != "excludes":
            yield ox.Triple(subject, name(predicate_iri(edge.predicate)), obj)
        statement = ox.NamedNode(EDGE + edge.edge_id)
        for predicate, value in _edge_facts(edge, ox):
            yield ox.Triple(statement, name(predicate), value)
        yield ox.Triple(statement, name(f"{RDF}subject"), subject)
        yield ox.Triple(statement, name(f"{RDF}object"), obj)


def _iri(curie: str) -> str:
    from schemas.errors import GraphError

    if not known(curie):
        raise GraphError(f"{curie} has a prefix that is not registered", remedy="add it to kg/prefixes.tsv")
    return to_iri(curie).replace(" ", "%20")


def source_iri(edge: Edge) -> str:
    """Return the IRI of the very file that a statement was read from."""
    return f"{SOURCE}{edge.primary_knowledge_source.partition(':')[2]}/{edge.source_sha256[:16]}"


def _build(graph: Graph, ox: Any) -> Iterator[ox.Triple]:
    """One prov:Activity that used every source file, by its checksum."""
    from schemas.ids import digest

    sources: Mapping[str, Edge] = {source_iri(edge): edge for edge in reversed(graph.edges)}
    activity = ox.NamedNode(BUILD + digest(sorted(sources))[:16])
    yield ox.Triple(activity, ox.NamedNode(f"{RDF}type"), ox.NamedNode(f"{PROV}Activity"))
    yield ox.Triple(activity, ox.NamedNode(f"{RDFS}label"), ox.Literal("build of the medical knowledge graph"))
    for text in sorted(sources):
        edge, entity = sources[text], ox.NamedNode(text)
        yield ox.Triple(activity, ox.NamedNode(f"{PROV}used"), entity)
        yield ox.Triple(entity, ox.NamedNode(f"{RDF}type"), ox.NamedNode(f"{PROV}Entity"))
        yield ox.Triple(entity, ox.NamedNode(f"{RDFS}label"), ox.Literal(edge.primary_knowledge_source))
        yield ox.Triple(entity, ox.NamedNode(f"{SS}version"), ox.Literal(edge.source_version))
        yield ox.Triple(entity, ox.NamedNode(f"{SS}sha256"), ox.Literal(edge.source_sha256))
        yield ox.Triple(entity, ox.NamedNode(f"{DCT}license"), ox.Literal(edge.licence))


def _node_facts(node: Node, ox: Any) -> Iterator[tuple[str, Any]]:
    yield f"{RDF}type", ox.NamedNode(f"{SS}{node.category}")
    yield f"{SKOS}prefLabel", ox.Literal(node.label)
    for synonym in node.synonyms:
        yield f"{SKOS}{_SCOPES[synonym.scope]}", ox.Literal(synonym.text)
    if node.definition:
        yield f"{SKOS}definition", ox.Literal(node.definition)
    if node.scale:
        yield f"{SS}scale", ox.Literal(node.scale)
    yield f"{SS}source", ox.Literal(node.source)
    for other in node.equivalent_identifiers:
        yield f"{SKOS}exactMatch", ox.NamedNode(_iri(other))


def _edge_facts(edge: Edge, ox: Any) -> Iterator[tuple[str, Any]]:
    yield f"{RDF}type", ox.NamedNode(f"{SS}Statement")
    yield f"{RDF}predicate", ox.NamedNode(predicate_iri(edge.predicate))
    yield f"{SS}biolinkPredicate", ox.NamedNode(_iri(PREDICATES[edge.predicate].biolink))
    if edge.modality:
        yield f"{SS}modality", ox.Literal(edge.modality)
    yield f"{PROV}wasDerivedFrom", ox.NamedNode(source_iri(edge))
    yield f"{SS}knowledgeLevel", ox.Literal(edge.knowledge_level)
    yield f"{SS}agentType", ox.Literal(edge.agent_type)
    if edge.inherited_from:
        yield f"{SS}inheritedFrom", ox.NamedNode(_iri(edge.inherited_from))
    if edge.citation:
        yield f"{DCT}bibliographicCitation", ox.Literal(edge.citation)
