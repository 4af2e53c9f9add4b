from __future__ import annotations

from pathlib import Path

from kg.graph import Graph
from kg.parsers.parsed import SourceSpec, make_edge
from kg.records import Edge, Modality, Node
from kg.siblings import siblings

SPEC = SourceSpec("t", Path(), "obo", "1", "CC0-1.0", "infores:t", "0" * 64)


def state(subject: str, predicate: str, obj: str, modality: Modality | None = None) -> Edge:
    return make_edge(SPEC, subject, predicate, obj, modality)


def test_siblings_are_of_one_category_and_site_and_no_variants_unless_asked() -> None:
    labels = {"p": "growth", "a": "first", "b": "second", "c": "third", "v": "metastatic growth"}
    nodes = [Node(name, "Neoplasm", label) for name, label in labels.items()]
    nodes += [Node("m", "MorphologicFinding", "nodule"), Node("lung", "AnatomicSite", "lung")]
    edges = [state(name, "subclass_of", "p") for name in "abcvm"]
    edges += [state("a", "has_primary_site", "lung"), state("c", "has_primary_site", "colon")]
    graph = Graph([*nodes, Node("colon", "AnatomicSite", "colon")], edges)
    assert [one.concept_id for one in siblings(graph, "a")] == ["b"]
    assert [one.concept_id for one in siblings(graph, "a", variants=True)] == ["b", "v"]
    assert [one.concept_id for one in siblings(graph, "b")] == ["a", "c"]
    assert [one.concept_id for one in siblings(graph, "b", site="colon")] == ["c"]


def test_certified_siblings_come_first_by_a_statement_of_their_own_or_of_what_is_given() -> None:
    nodes = [Node(name, "MorphologicFinding", f"finding {name}") for name in "pabcd"]
    own, told = state("a", "disjoint_with", "c", "excludes"), state("x", "has_finding", "d", "excludes")
    edges = [*(state(name, "subclass_of", "p") for name in "abcd"), own, told]
    graph = Graph([*nodes, Node("x", "Neoplasm", "growth")], edges)
    assert [(one.concept_id, one.certified) for one in siblings(graph, "a")] == [
        ("c", True),
        ("b", False),
        ("d", False),
    ]
    assert [(one.concept_id, one.certificate) for one in siblings(graph, "a", given="x")] == [
        ("c", f"excludes:{own.edge_id}"),
        ("d", f"excludes:{told.edge_id}"),
        ("b", "unverified"),
    ]
