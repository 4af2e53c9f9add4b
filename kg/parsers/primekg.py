"""Reader of PrimeKG's edge list (`kg.csv`): relation, display_relation, and id, type, name, source of both ends.

Reference: Chandak, Huang, Zitnik, Sci Data 2023;10:67.
"""

from __future__ import annotations

from collections import Counter

from kg.curies import is_curie, known, normal
from kg.parsers.opening import read_text, rows
from kg.parsers.parsed import Parsed, SourceSpec, make_edge
from kg.predicates import PART_OF, SUBCLASS_OF
from kg.records import Category, Edge, Modality, Node

_COLUMNS = ("relation", "x_id", "x_type", "x_name", "x_source", "y_id", "y_type", "y_name", "y_source")
_CATEGORIES: dict[str, Category] = {
    "disease": "Disease",
    "effect/phenotype": "ClinicalFinding",
    "anatomy": "AnatomicSite",
    "gene/protein": "Gene",
    "biological_process": "Process",
    "molecular_function": "Process",
    "cellular_component": "Other",
    "pathway": "Process",
}
# Relation to (predicate, modality, whether x is the subject). PrimeKG lists every edge in both directions; parent-child
# relations run from parent to child in one of them, which the file does not mark, so they become `related_to`.
_RELATIONS: dict[str, tuple[str, Modality | None]] = {
    "disease_phenotype_positive": ("has_finding", "may"),
    "disease_phenotype_negative": ("has_finding", "excludes"),
}
_OBO_SOURCES = {"MONDO": 7, "UBERON": 7, "HPO": 7, "GO": 7}
_ASYMMETRIC = (SUBCLASS_OF, PART_OF)


def read(spec: SourceSpec) -> Parsed:
    """Return PrimeKG's nodes and edges; each of its doubled edges is read once.

    `MONDO_grouped` nodes stand for several diseases under one name: their id is the group's, in PrimeKG's own prefix.

    Raises:
        GraphError: a column is missing, a row is short, or an id has no form of its source.
    """
    nodes: dict[str, Node] = {}
    edges: dict[str, Edge] = {}
    lines: dict[str, int] = {}
    skipped: Counter[str] = Counter()
    for line, row in rows(spec, read_text(spec), ","):
        missing = [column for column in _COLUMNS if column not in row]
        if missing:
            raise spec.fault(1, f"no PrimeKG: the column {missing[0]} is missing")
        ends = [_node(spec, line, row, side) for side in ("x", "y")]
        for node in ends:
            nodes.setdefault(node.curie, node)
        edge = _edge(spec, row, ends)
        if edge.edge_id in edges:
            skipped["edge given in both directions"] += 1
        else:
            edges[edge.edge_id] = edge
            lines[edge.edge_id] = line
    return Parsed(spec, tuple(nodes.values()), tuple(edges.values()), lines=lines, skipped=dict(skipped))


def _node(spec: SourceSpec, line: int, row: dict[str, str], side: str) -> Node:
    curie = _curie(row[f"{side}_source"], row[f"{side}_id"])
    if not is_curie(curie) or not known(curie):
        problem = f"unknown source {row[f'{side}_source']!r} or id {row[f'{side}_id']!r}"
        raise spec.fault(line, problem, "register the prefix in kg/prefixes.tsv")
    return Node(
        curie=curie,
        category=_CATEGORIES.get(row[f"{side}_type"], "Other"),
        label=row[f"{side}_name"],
        source=spec.name,
        source_version=spec.version,
        licence=spec.licence,
    )


def _curie(source: str, local: str) -> str:
    if source == "MONDO_grouped":
        return f"PRIMEKG:{local}"
    if source == "NCBI":
        return f"NCBIGene:{local}"
    width = _OBO_SOURCES.get(source)
    return normal(f"{source}:{local.zfill(width) if width else local}")


def _edge(spec: SourceSpec, row: dict[str, str], ends: list[Node]) -> Edge:
    predicate, modality = _RELATIONS.get(row["relation"], ("related_to", None))
    diseases = [node for node in ends if node.category == "Disease"]
    if predicate == "has_finding" and diseases:
        subject = diseases[0]
        other = ends[1] if ends[0] is subject else ends[0]
    else:
        subject, other = sorted(ends, key=lambda node: node.curie)
    return make_edge(spec, subject.curie, predicate, other.curie, modality, original=f"primekg:{row['relation']}")
