"""The graph in the forms of others: Turtle with PROV-O, and KGX tables that read back without loss."""

from __future__ import annotations

from pathlib import Path

from kg.graph import Graph
from kg.kgx import read_tables, write_tables
from kg.parsers.parsed import SourceSpec


def to_turtle(graph: Graph, path: Path) -> int:
    """Write the graph as Turtle and return the number of triples; the same graph gives the same bytes.

    Raises:
        GraphError: a CURIE has an unregistered prefix.
    """
    import pyoxigraph as ox

    from kg.rdf import namespaces, triples

    rows = list(triples(graph))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        ox.serialize(rows, stream, format=ox.RdfFormat.TURTLE, prefixes=namespaces())
    return len(rows)


def to_kgx(graph: Graph, folder: Path) -> None:
    """Write `nodes.tsv` and `edges.tsv` in KGX's columns, with our own beside them."""
    write_tables(graph.nodes.values(), graph.edges, folder)


def from_kgx(folder: Path) -> Graph:
    """Return the graph of KGX tables that `to_kgx` wrote, equal to the one that was written.

    Raises:
        GraphError: a table is missing or malformed, or an edge ends at no node.
    """
    spec = SourceSpec(
        name=folder.name, path=folder, parser="kgx", version="", licence="", infores="infores:unknown", sha256=""
    )
    nodes, edges, _ = read_tables(spec)
    return Graph(nodes, edges)
