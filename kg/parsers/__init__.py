"""One reader per file format: bytes of a source to nodes, edges and mappings, with the line of every fault."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from kg.parsers.parsed import Parsed, SourceSpec
from schemas.errors import GraphError

# Readers are imported when first used: several need libraries that the demo never touches.
_READERS = {
    "starter": "kg.parsers.starter",
    "obo": "kg.parsers.obo",
    "obograph": "kg.parsers.obograph",
    "cellxgene": "kg.parsers.cellxgene",
    "oncotree": "kg.parsers.oncotree",
    "sssom": "kg.parsers.sssom",
    "ofn": "kg.parsers.ofn",
    "rdfxml": "kg.parsers.rdfxml",
    "primekg": "kg.parsers.primekg",
    "kgx": "kg.parsers.kgx",
}
PARSERS: tuple[str, ...] = tuple(_READERS)


def reader(name: str) -> Callable[[SourceSpec], Parsed]:
    """Return the reader of a format.

    Raises:
        GraphError: there is no such reader.
    """
    if name not in _READERS:
        raise GraphError(f"there is no parser {name}", remedy=f"use one of {', '.join(PARSERS)}")
    read: Callable[[SourceSpec], Parsed] = importlib.import_module(_READERS[name]).read
    return read
