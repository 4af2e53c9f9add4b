"""Reader of the starter graph: three tab-separated tables in `kg/starter/`, written by us, a citation per fact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

from kg.parsers.parsed import Match, Parsed, SourceSpec, make_edge
from kg.predicates import PREDICATES, SUBCLASS_OF
from kg.records import CATEGORIES, Category, Edge, Modality, Node, Synonym, Visibility
from kg.vocabulary import load_vocabulary

FILES = ("nodes.tsv", "edges.tsv", "citations.tsv", "mappings.tsv")
PREFIX = "SSG:"
_MODALITIES = (*get_args(Modality), "")
_SCALES = (*get_args(Visibility), "")


def read(spec: SourceSpec) -> Parsed:
    """Return the starter graph.

    Raises:
        GraphError: a row has the wrong number of cells, an unknown category, predicate, modality, scale or citation.
    """
    citations = {row["key"]: row["citation"] for _, row in _rows(spec, "citations.tsv")}
    nodes: list[Node] = []
    edges: list[Edge] = []
    lines: dict[str, int] = {}
    for line, row in _rows(spec, "nodes.tsv"):
        nodes.append(_node(spec, line, row, citations))
        for parent in _cells(row["parents"]):
            edge = make_edge(spec, row["id"], SUBCLASS_OF, parent, citation=citations[row["citation"]])
            edges.append(edge)
            lines[edge.edge_id] = line
    for line, row in _rows(spec, "edges.tsv"):
        edge = _edge(spec, line, row, citations)
        edges.append(edge)
        lines[edge.edge_id] = line
    matches = tuple(
        Match(row["subject_id"], row["predicate_id"], row["object_id"], spec.name, line)
        for line, row in _rows(spec, "mappings.tsv")
    )
    return Parsed(spec, tuple(nodes), tuple(edges), matches, lines)


def _rows(spec: SourceSpec, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    path = spec.path / name
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise _fault(spec, path, None, "the file is missing") from None
    header = lines[0].split("\t") if lines else []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != len(header):
            raise _fault(spec, path, number, f"{len(cells)} cells where the header has {len(header)}")
        yield number, dict(zip(header, cells, strict=True))


def _fault(spec: SourceSpec, path: Path, line: int | None, problem: str) -> Exception:
    where = path.name if line is None else f"{path.name} line {line}"
    return spec.fault(None, f"{where}: {problem}", remedy="correct the table")


def _cells(text: str) -> list[str]:
    return [cell for cell in text.split("|") if cell]


def _check(spec: SourceSpec, name: str, line: int, what: str, value: str, known: Any) -> None:
    if value not in known:
        raise _fault(spec, spec.path / name, line, f"unknown {what} {value!r}")


def _node(spec: SourceSpec, line: int, row: dict[str, str], citations: dict[str, str]) -> Node:
    _check(spec, "nodes.tsv", line, "category", row["category"], CATEGORIES)
    _check(spec, "nodes.tsv", line, "scale", row["scale"], _SCALES)
    _check(spec, "nodes.tsv", line, "citation", row["citation"], citations)
    attribute = load_vocabulary().value_of(row["id"])
    exact = [Synonym(text, "exact") for text in _cells(row["exact_synonyms"])]
    related = [Synonym(text, "related") for text in _cells(row["related_synonyms"])]
    return Node(
        curie=row["id"],
        category=cast(Category, row["category"]),
        label=row["label"],
        synonyms=tuple(exact + related),
        source=spec.name,
        source_version=spec.version,
        licence=spec.licence,
        scale=cast(Visibility, row["scale"]) if row["scale"] else None,
        attribute=attribute[0].name if attribute else None,
        citation=citations[row["citation"]],
    )


def _edge(spec: SourceSpec, line: int, row: dict[str, str], citations: dict[str, str]) -> Edge:
    _check(spec, "edges.tsv", line, "predicate", row["predicate"], PREDICATES)
    _check(spec, "edges.tsv", line, "modality", row["modality"], _MODALITIES)
    _check(spec, "edges.tsv", line, "citation", row["citation"], citations)
    modality = cast(Modality, row["modality"]) if row["modality"] else None
    citation = citations[row["citation"]]
    return make_edge(spec, row["subject"], row["predicate"], row["object"], modality, citation=citation)
