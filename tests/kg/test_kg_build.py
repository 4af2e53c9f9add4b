"""Merging, inheriting, provenance and sameness of the built graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from kg.build import build_graph
from kg.cycles import break_cycles, find_cycle
from kg.graph import Graph
from kg.inherit import inherited_edges
from kg.lexical import equal_labels
from kg.merge import merge
from kg.parsers.parsed import Match, SourceSpec, make_edge
from kg.records import Category, Edge, Modality, Node
from kg.sources import load_sources, starter_source
from schemas.errors import GraphError
from schemas.ids import file_sha256

SPEC = SourceSpec("t", Path(), "obo", "1", "CC0-1.0", "infores:t", "0" * 64)


def node(curie: str, category: Category = "Neoplasm", label: str = "") -> Node:
    return Node(curie, category, label or curie, source="t", source_version="1", licence="CC0-1.0")


def is_a(subject: str, obj: str) -> Edge:
    return make_edge(SPEC, subject, "subclass_of", obj)


def finding(subject: str, obj: str, modality: Modality) -> Edge:
    return make_edge(SPEC, subject, "has_finding", obj, modality)


def exact(subject: str, obj: str) -> Match:
    return Match(subject, "skos:exactMatch", obj, "m", 1)


def test_exact_matches_merge_under_the_preferred_name_and_chains_hold_together() -> None:
    nodes = {curie: node(curie) for curie in ("MONDO:1", "NCIT:C1", "DOID:1")}
    merging = merge(nodes, [exact("MONDO:1", "DOID:1"), exact("MONDO:1", "NCIT:C1")])
    assert merging.members == {"NCIT:C1": ("DOID:1", "MONDO:1")}
    assert merging.canonical == {"DOID:1": "NCIT:C1", "MONDO:1": "NCIT:C1"}


def test_a_merge_that_joins_two_ids_of_one_ontology_is_refused_even_by_way_of_a_third() -> None:
    nodes = {curie: node(curie) for curie in ("MONDO:1", "NCIT:C1", "NCIT:C2")}
    merging = merge(nodes, [exact("MONDO:1", "NCIT:C1"), exact("MONDO:1", "NCIT:C2")])
    assert [refusal.reason for refusal in merging.refusals] == ["same_ontology"]
    assert merging.refusals[0].detail == "NCIT:C1 and NCIT:C2"
    assert "NCIT:C2" not in merging.canonical


def test_a_merge_across_categories_is_refused_but_a_neoplasm_is_a_disease() -> None:
    nodes = {"MONDO:1": node("MONDO:1", "Disease"), "NCIT:C1": node("NCIT:C1"), "CL:1": node("CL:1", "CellType")}
    merging = merge(nodes, [exact("MONDO:1", "NCIT:C1"), exact("MONDO:1", "CL:1")])
    assert merging.merged == 1
    assert [refusal.reason for refusal in merging.refusals] == ["two_categories"]


def test_only_exact_matches_merge_and_unknown_ends_are_counted() -> None:
    nodes = {curie: node(curie) for curie in ("MONDO:1", "NCIT:C1")}
    close = Match("MONDO:1", "skos:closeMatch", "NCIT:C1", "m", 1)
    merging = merge(nodes, [close, exact("MONDO:1", "NCIT:C9")])
    assert (merging.merged, merging.unknown) == (0, 1)


def test_equal_labels_match_across_ontologies_unless_one_of_them_has_the_label_twice() -> None:
    nodes = {
        "NCIT:C1": node("NCIT:C1", label="Tumor Stroma"),
        "MPATH:1": node("MPATH:1", label="tumour stroma"),
        "NCIT:C2": node("NCIT:C2", label="Polyp"),
        "MPATH:2": node("MPATH:2", label="polyp"),
        "MPATH:3": node("MPATH:3", label="Polyp"),
    }
    assert [(match.subject, match.object) for match in equal_labels(nodes, {})] == [("NCIT:C1", "MPATH:1")]


def test_a_disease_inherits_from_the_nearest_holder_and_its_own_word_outranks_it() -> None:
    nodes = {name: node(name) for name in ("a", "b", "c", "d")}
    nodes |= {name: node(name, "MorphologicFinding") for name in ("f", "g", "h")}
    edges = [
        is_a("b", "a"),
        is_a("c", "b"),
        is_a("d", "c"),
        finding("a", "f", "has"),
        finding("a", "h", "has"),
        finding("b", "g", "has"),
        finding("d", "g", "excludes"),
        finding("a", "g", "may"),
    ]
    found = {(e.subject, e.object, e.modality, e.inherited_from) for e in inherited_edges(nodes, edges)}
    assert found == {("c", "g", "has", "b")}
    assert all(e.knowledge_level == "logical_entailment" for e in inherited_edges(nodes, edges))


def test_holders_with_many_descendants_pass_nothing_on() -> None:
    nodes = {name: node(name) for name in ("root", *(f"k{i}" for i in range(3)))}
    nodes["f"] = node("f", "AbnormalCell")
    edges = [is_a(f"k{i}", "root") for i in range(3)] + [finding("root", "f", "has")]
    assert len(inherited_edges(nodes, edges, max_descendants=3)) == 3
    assert inherited_edges(nodes, edges, max_descendants=2) == []


def test_equally_near_holders_that_contradict_each_other_pass_nothing_on() -> None:
    nodes = {name: node(name) for name in ("a", "b", "c")} | {"f": node("f", "MorphologicFinding")}
    edges = [is_a("c", "a"), is_a("c", "b"), finding("a", "f", "has"), finding("b", "f", "excludes")]
    assert inherited_edges(nodes, edges) == []


def test_circles_made_by_merging_are_cut_and_nothing_else_is() -> None:
    edges = [is_a("a", "b"), is_a("b", "c"), is_a("c", "a"), is_a("d", "a"), finding("a", "b", "has")]
    kept, removed = break_cycles(edges)
    assert len(removed) == 1
    assert find_cycle(edge for edge in kept if edge.predicate == "subclass_of") == []
    assert len(kept) == 4


def test_a_graph_refuses_dangling_edges_and_twins() -> None:
    with pytest.raises(GraphError, match="ends at b, which is no node"):
        Graph([node("a")], [is_a("a", "b")])
    with pytest.raises(GraphError, match="two nodes are called a"):
        Graph([node("a"), node("a")], [])


def test_ancestors_and_descendants_carry_their_distance_and_never_the_node_itself() -> None:
    graph = Graph([node(name) for name in "abcd"], [is_a("c", "b"), is_a("b", "a"), is_a("c", "a"), is_a("d", "c")])
    assert graph.ancestors("d") == {"c": 1, "b": 2, "a": 2}
    assert graph.descendants("a") == {"b": 1, "c": 1, "d": 2}
    with pytest.raises(GraphError, match="zz is no node"):
        graph.node("zz")


def test_a_second_build_and_save_give_the_same_bytes_and_load_gives_the_same_graph(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        graph = build_graph([starter_source()]).graph
        graph.save(tmp_path / name)
        digests.append([file_sha256(tmp_path / name / file) for file in ("nodes.parquet", "edges.parquet")])
    assert digests[0] == digests[1]
    loaded = Graph.load(tmp_path / "one")
    assert loaded.edges == graph.edges
    assert dict(loaded.nodes) == dict(graph.nodes)


def test_loading_what_is_no_graph_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"nodes\.parquet is not in the graph folder"):
        Graph.load(tmp_path)
    (tmp_path / "nodes.parquet").write_bytes(b"nothing")
    with pytest.raises(GraphError, match="no graph table"):
        Graph.load(tmp_path)


def test_unknown_missing_and_altered_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="sources folder .* is missing"):
        load_sources(tmp_path / "none")
    with pytest.raises(GraphError, match=r"umls is no source of sources\.yaml"):
        load_sources(tmp_path, ["umls"])
    with pytest.raises(GraphError, match=r"oncotree_2025_10_03\.json\.gz \(oncotree\) is not in"):
        load_sources(tmp_path, ["oncotree"])
    (tmp_path / "PathoML.owl.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(GraphError, match=r"PathoML\.owl\.gz line 1: breaks off"):
        load_sources(tmp_path, ["pathoml"])
    assert load_sources(tmp_path, []) == []
    assert load_sources(tmp_path, ["starter"]) == [starter_source()]


def test_building_from_nothing_is_refused() -> None:
    with pytest.raises(GraphError, match="no source"):
        build_graph([])


def test_the_report_accounts_for_every_edge() -> None:
    report = build_graph([starter_source()]).report
    for counts in report.sources:
        assert counts.edges == counts.edges_kept + sum(counts.left_out.values())
    assert report.edges == sum(counts.edges_kept for counts in report.sources) + report.inherited
    assert report.as_dict()["sources"][0]["name"] == "starter"
