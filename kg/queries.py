"""SPARQL over the graph: pyoxigraph underneath, rdflib's interface above where it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kg.rdf import namespaces, triples

if TYPE_CHECKING:
    import pyoxigraph as ox
    import rdflib

    from kg.graph import Graph


def store_of(graph: Graph) -> ox.Store:
    """Return the graph as an in-memory pyoxigraph store."""
    import pyoxigraph as ox

    store = ox.Store()
    store.bulk_extend(ox.Quad(*triple) for triple in triples(graph))
    return store


def select(store: ox.Store, query: str) -> list[dict[str, str]]:
    """Return the rows of a SELECT query as text by variable; the prefixes of the export are known.

    Raises:
        GraphError: the query is no SPARQL or no SELECT.
    """
    import pyoxigraph as ox

    from schemas.errors import GraphError

    try:
        solutions = store.query(query, prefixes=namespaces())
    except SyntaxError as error:
        raise GraphError(f"no SPARQL: {error}", remedy="correct the query") from error
    if not isinstance(solutions, ox.QuerySolutions):
        raise GraphError("the query is no SELECT", remedy="ask for rows with SELECT")
    names = [variable.value for variable in solutions.variables]
    return [
        {name: value.value for name, value in zip(names, row, strict=True) if value is not None} for row in solutions
    ]


def to_rdflib(graph: Graph, *, oxigraph: bool | None = None) -> rdflib.Graph:
    """Return the graph behind rdflib's interface.

    Args:
        graph: what to hold.
        oxigraph: True to hold it in pyoxigraph (needs oxrdflib): 7 times faster to load and twice as fast on
            `subClassOf*`; False for rdflib's own store, faster for many small look-ups such as SHACL's; None decides
            by what is installed.
    """
    import importlib.util

    import rdflib

    if oxigraph is None:
        oxigraph = importlib.util.find_spec("oxrdflib") is not None
    held = rdflib.Graph(store="Oxigraph") if oxigraph else rdflib.Graph()
    for name, base in namespaces().items():
        held.bind(name, base)
    held.addN((_term(t.subject), _term(t.predicate), _term(t.object), held) for t in triples(graph))
    return held


def _term(value: Any) -> Any:
    import pyoxigraph as ox
    import rdflib

    return rdflib.URIRef(value.value) if isinstance(value, ox.NamedNode) else rdflib.Literal(value.value)
