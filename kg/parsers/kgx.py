"""Reader of KGX tab-separated nodes and edges, ours without loss and those of others as far as Biolink goes.

Reference: KGX format, https://github.com/biolink/kgx/blob/master/specification/kgx-format.md
"""

from __future__ import annotations

from kg.kgx import read_tables
from kg.parsers.parsed import Parsed, SourceSpec


def read(spec: SourceSpec) -> Parsed:
    """Return a KGX folder with `*nodes.tsv` and `*edges.tsv`.

    Raises:
        GraphError: a table is missing, lacks a column, or has a malformed row.
    """
    nodes, edges, lines = read_tables(spec)
    return Parsed(spec, tuple(nodes), tuple(edges), lines=lines)
