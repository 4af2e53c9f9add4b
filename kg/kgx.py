r"""KGX tables: nodes and edges as tab-separated text in Biolink's terms, with our own columns beside, without loss.

Lists are joined by `|`. Within a cell `\\`, `\t`, `\n`, `\r` and `\p` stand for a backslash, tab, line feed, carriage
return and pipe, and `\e` for an empty text, which an empty cell (nothing known) is not.
Reference: https://github.com/biolink/kgx/blob/master/specification/kgx-format.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast, get_args

from kg.curies import is_curie, known, normal
from kg.parsers.opening import read_text, rows
from kg.parsers.parsed import SourceSpec, make_edge
from kg.predicates import PREDICATES
from kg.records import BIOLINK, CATEGORIES, Category, Edge, Modality, Node, Scope, Synonym, Visibility, edge_id

Record = TypeVar("Record")

NODES_FILE, EDGES_FILE = "nodes.tsv", "edges.tsv"
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "|": "\\p"}
_ESCAPE = str.maketrans(_ESCAPES)
_UNESCAPE = {code[1]: char for char, code in _ESCAPES.items()} | {"e": ""}
_NODE_COLUMNS: dict[str, Callable[[Node], str]] = {
    "id": lambda node: node.curie,
    "category": lambda node: node.biolink,
    "name": lambda node: _cell(node.label),
    "description": lambda node: _cell(node.definition),
    "synonym": lambda node: _cells(synonym.text for synonym in node.synonyms),
    "xref": lambda node: _cells(node.xrefs),
    "provided_by": lambda node: _cell(node.source),
    "equivalent_identifiers": lambda node: _cells(node.equivalent_identifiers),
    "synonym_scope": lambda node: _cells(synonym.scope for synonym in node.synonyms),
    "slidesmith_category": lambda node: node.category,
    "source_version": lambda node: _cell(node.source_version),
    "licence": lambda node: _cell(node.licence),
    "scale": lambda node: _cell(node.scale),
    "attribute": lambda node: _cell(node.attribute),
    "citation": lambda node: _cell(node.citation),
}
_EDGE_COLUMNS: dict[str, Callable[[Edge], str]] = {
    "id": lambda edge: edge.edge_id,
    "subject": lambda edge: edge.subject,
    "predicate": lambda edge: PREDICATES[edge.predicate].biolink,
    "object": lambda edge: edge.object,
    "primary_knowledge_source": lambda edge: _cell(edge.primary_knowledge_source),
    "knowledge_level": lambda edge: _cell(edge.knowledge_level),
    "agent_type": lambda edge: _cell(edge.agent_type),
    "original_predicate": lambda edge: _cell(edge.original_predicate),
    "publications": lambda edge: _cell(edge.citation),
    "slidesmith_predicate": lambda edge: edge.predicate,
    "modality": lambda edge: _cell(edge.modality),
    "inherited_from": lambda edge: _cell(edge.inherited_from),
    "source_version": lambda edge: _cell(edge.source_version),
    "source_sha256": lambda edge: _cell(edge.source_sha256),
    "licence": lambda edge: _cell(edge.licence),
}
_OF_BIOLINK: dict[str, Category] = {biolink: name for name, biolink in reversed(BIOLINK.items())} | {
    "biolink:Disease": "Disease",
    "biolink:PhenotypicFeature": "ClinicalFinding",
    "biolink:Cell": "CellType",
}
_PREDICATE_OF: dict[str, tuple[str, Modality | None]] = {
    "biolink:subclass_of": ("subclass_of", None),
    "biolink:part_of": ("part_of", None),
    "biolink:has_phenotype": ("has_finding", "may"),
    "biolink:disjoint_with": ("disjoint_with", "excludes"),
}


def _cell(text: str | None) -> str:
    if text is None:
        return ""
    return text.translate(_ESCAPE) or "\\e"


def _cells(texts: Iterable[str]) -> str:
    return "|".join(_cell(text) for text in texts)


def _text(cell: str) -> str | None:
    if not cell:
        return None
    if "\\" not in cell:
        return cell
    parts = iter(cell)
    return "".join(_UNESCAPE.get(next(parts, ""), "") if char == "\\" else char for char in parts)


def _texts(cell: str) -> tuple[str, ...]:
    return tuple(_text(part) or "" for part in cell.split("|")) if cell else ()


def write_tables(nodes: Iterable[Node], edges: Iterable[Edge], folder: Path) -> None:
    """Write `nodes.tsv` and `edges.tsv`; the same records give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / NODES_FILE, _NODE_COLUMNS, nodes)
    _write(folder / EDGES_FILE, _EDGE_COLUMNS, edges)


def _write(path: Path, columns: Mapping[str, Callable[[Record], str]], records: Iterable[Record]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("\t".join(columns) + "\n")
        for record in records:
            stream.write("\t".join(cell(record) for cell in columns.values()) + "\n")


def read_tables(spec: SourceSpec) -> tuple[list[Node], list[Edge], dict[str, int]]:
    """Return the nodes and edges of a KGX folder, and the line of each edge.

    Tables of others need `id`, `category`, `name` and `subject`, `predicate`, `object` alone; what they lack is taken
    from the source.

    Raises:
        GraphError: a table is missing or lacks a column, a row is malformed, or a CURIE or category is none of ours.
    """
    nodes = [_node(table, line, row) for table, line, row in _table(spec, NODES_FILE, ("id", "category", "name"))]
    edges: list[Edge] = []
    lines: dict[str, int] = {}
    for table, line, row in _table(spec, EDGES_FILE, ("subject", "predicate", "object")):
        edge = _edge(table, line, row)
        edges.append(edge)
        lines[edge.edge_id] = line
    return nodes, edges, lines


def _table(spec: SourceSpec, name: str, needed: tuple[str, ...]) -> Iterator[tuple[SourceSpec, int, dict[str, str]]]:
    found = sorted(spec.path.glob(f"*{name}"))
    if len(found) != 1:
        raise spec.fault(None, f"{len(found)} files *{name} where one is needed", "give a folder with one of each")
    table = replace(spec, path=found[0])
    for line, row in rows(table, read_text(table), "\t"):
        missing = [column for column in needed if column not in row]
        if missing:
            raise table.fault(1, f"no KGX: the column {missing[0]} is missing")
        yield table, line, row


def _curie(spec: SourceSpec, line: int, text: str) -> str:
    curie = normal(text)
    if not is_curie(curie) or not known(curie):
        raise spec.fault(line, f"unknown prefix in {text!r}", "register it in kg/prefixes.tsv")
    return curie


def _node(spec: SourceSpec, line: int, row: dict[str, str]) -> Node:
    category = row.get("slidesmith_category") or _OF_BIOLINK.get(row["category"].split("|")[0], "Other")
    if category not in CATEGORIES:
        raise spec.fault(line, f"unknown category {category}", f"use one of {', '.join(CATEGORIES)}")
    names = _texts(row.get("synonym", ""))
    scopes = _texts(row.get("synonym_scope", "")) or ("exact",) * len(names)
    if len(scopes) != len(names) or not set(scopes) <= set(get_args(Scope)):
        raise spec.fault(line, "synonym and synonym_scope do not agree")
    return Node(
        curie=_curie(spec, line, row["id"]),
        category=category,
        label=_text(row["name"]) or "",
        synonyms=tuple(Synonym(name, cast(Scope, scope)) for name, scope in zip(names, scopes, strict=True)),
        definition=_text(row.get("description", "")),
        source=_value(row, "provided_by", spec.name),
        source_version=_value(row, "source_version", spec.version),
        licence=_value(row, "licence", spec.licence),
        scale=cast(Visibility | None, _text(row.get("scale", ""))),
        attribute=_text(row.get("attribute", "")),
        xrefs=_texts(row.get("xref", "")),
        equivalent_identifiers=_texts(row.get("equivalent_identifiers", "")),
        citation=_text(row.get("citation", "")),
    )


def _value(row: dict[str, str], column: str, missing: str) -> str:
    found = _text(row.get(column, ""))
    return missing if found is None else found


def _edge(spec: SourceSpec, line: int, row: dict[str, str]) -> Edge:
    subject, obj = _curie(spec, line, row["subject"]), _curie(spec, line, row["object"])
    if "slidesmith_predicate" not in row:
        predicate, modality = _PREDICATE_OF.get(row["predicate"], ("related_to", None))
        edge = make_edge(spec, subject, predicate, obj, modality, original=row["predicate"])
        return replace(edge, primary_knowledge_source=_value(row, "primary_knowledge_source", spec.infores))
    predicate, stated = row["slidesmith_predicate"], _text(row["modality"])
    if predicate not in PREDICATES or stated not in (None, *get_args(Modality)):
        raise spec.fault(line, f"unknown predicate {predicate} or modality {stated}")
    source, holder = _value(row, "primary_knowledge_source", ""), _text(row["inherited_from"])
    return Edge(
        edge_id=edge_id(subject, predicate, obj, cast(Modality | None, stated), source, holder),
        subject=subject,
        predicate=predicate,
        object=obj,
        modality=cast(Modality | None, stated),
        primary_knowledge_source=source,
        source_version=_value(row, "source_version", ""),
        source_sha256=_value(row, "source_sha256", ""),
        licence=_value(row, "licence", ""),
        knowledge_level=_value(row, "knowledge_level", ""),
        agent_type=_value(row, "agent_type", ""),
        inherited_from=holder,
        citation=_text(row["publications"]),
        original_predicate=_text(row["original_predicate"]),
    )
