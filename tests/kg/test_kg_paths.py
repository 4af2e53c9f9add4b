"""Paths: the same as networkx finds when unfiltered, meaningful and explained when filtered."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.graph import Graph
from kg.metapaths import INVERSE, heads, meaningful, tails
from kg.parsers.parsed import SourceSpec, make_edge
from kg.paths import excluded_by, find_paths, information_content
from kg.predicates import PREDICATES
from kg.records import Node
from schemas.errors import GraphError

SPEC = SourceSpec("t", Path(), "obo", "1", "CC0-1.0", "infores:t", "0" * 64)
NAMES = "abcdefg"


@st.composite
def small_graphs(draw: st.DrawFn) -> Graph:
    pair = st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(PREDICATES)), st.sampled_from(NAMES))
    triples = {t for t in draw(st.lists(pair, max_size=14)) if t[0] != t[2]}
    edges = [make_edge(SPEC, subject, predicate, obj) for subject, predicate, obj in sorted(triples)]
    return Graph([Node(name, "Other", name) for name in NAMES], edges)


@settings(max_examples=120, deadline=None)
@given(graph=small_graphs(), hops=st.integers(1, 5))
def test_unfiltered_paths_are_those_of_networkx(graph: Graph, hops: int) -> None:
    undirected = graph.to_networkx().to_undirected()
    ours = find_paths(graph, "a", "b", max_hops=hops, limit=None, filtered=False)
    keys = [tuple(edge.edge_id for edge in path.edges) for path in ours]
    theirs = [tuple(key for _, _, key in path) for path in nx.all_simple_edge_paths(undirected, "a", "b", cutoff=hops)]
    assert sorted(keys) == sorted(theirs)
    nodes = {path.nodes for path in ours}
    assert nodes == {tuple(path) for path in nx.all_simple_paths(nx.Graph(undirected), "a", "b", cutoff=hops)}


@settings(max_examples=120, deadline=None)
@given(graph=small_graphs())
def test_filtered_paths_are_the_meaningful_ones_among_all(graph: Graph) -> None:
    every = {tuple(e.edge_id for e in p.edges) for p in find_paths(graph, "a", "b", limit=None, filtered=False)}
    for path in find_paths(graph, "a", "b", limit=None):
        assert tuple(edge.edge_id for edge in path.edges) in every
        assert len(set(path.nodes)) == len(path.nodes) == len(path.edges) + 1
        assert 0 <= path.score <= 1


def test_every_meaningful_sequence_is_meaningful_from_the_other_end_too() -> None:
    for code in meaningful(4):
        assert "".join(INVERSE[letter] for letter in reversed(code)) in meaningful(4)
        assert all(code[:cut] in heads(4) and code[cut:] in tails(4) for cut in range(len(code) + 1))
    assert max(map(len, meaningful(4))) == 4


def test_keratin_pearls_lead_to_squamous_cell_carcinoma_with_a_source_for_each_hop(starter: Graph) -> None:
    paths = find_paths(starter, "SSG:keratin_pearls", "SSG:lung_squamous_cell_carcinoma", limit=None)
    assert paths
    assert [path.score for path in paths] == sorted((path.score for path in paths), reverse=True)
    for path in paths:
        lines = path.explain(starter)
        assert len(lines) == len(path.edges)
        assert all("(" in line and line.endswith(")") for line in lines)
    assert paths[0].explain(starter)[0].startswith("keratin pearls is a")


def test_a_path_reads_the_same_from_its_other_end(starter: Graph) -> None:
    there = find_paths(starter, "SSG:keratin_pearls", "SSG:squamous_cell_carcinoma", limit=None)
    back = find_paths(starter, "SSG:squamous_cell_carcinoma", "SSG:keratin_pearls", limit=None)
    assert {path.nodes for path in there} == {path.nodes[::-1] for path in back}


def test_what_a_diagnosis_excludes_has_no_path_to_it(starter: Graph) -> None:
    edge = excluded_by(starter, "SSG:glandular_architecture", "SSG:breast_medullary_carcinoma")
    assert edge is not None
    assert edge.modality == "excludes"
    assert find_paths(starter, "SSG:glandular_architecture", "SSG:breast_medullary_carcinoma") == []
    assert find_paths(starter, "SSG:glandular_architecture", "SSG:breast_medullary_carcinoma", filtered=False)


def test_paths_are_bounded_and_unknown_ends_refused(starter: Graph) -> None:
    for path in find_paths(starter, "SSG:marked_pleomorphism", "SSG:colon_medullary_carcinoma", max_hops=2, limit=None):
        assert len(path.edges) <= 2
    assert len(find_paths(starter, "SSG:marked_pleomorphism", "SSG:colon_medullary_carcinoma", limit=1)) == 1
    assert find_paths(starter, "SSG:mucin", "SSG:mucin") == []
    with pytest.raises(GraphError, match="SSG:nothing is no node"):
        find_paths(starter, "SSG:nothing", "SSG:mucin")


def test_a_score_is_the_product_of_modality_hops_and_specificity() -> None:
    may = make_edge(SPEC, "a", "has_finding", "b", "may")
    others = [
        make_edge(SPEC, *triple) for triple in (("c", "subclass_of", "a"), *(("e", "related_to", x) for x in "fg"))
    ]
    graph = Graph([Node(name, "Other", name) for name in NAMES], [may, *others])
    assert [information_content(graph, name) for name in "bad"] == [1.0, 0.5, 1.0]  # in 1, 2 and none of 4 statements
    assert [path.score for path in find_paths(graph, "b", "a")] == [pytest.approx(0.6 * 1.5 / 2)]
    assert [path.score for path in find_paths(graph, "b", "c")] == [pytest.approx(0.6 * 0.9 * 0.8 * 2.5 / 3)]
    inherited = Graph(graph.nodes.values(), [may.between("a", "b", "d"), *others])
    assert [path.score for path in find_paths(inherited, "b", "a")] == [pytest.approx(0.9 * 0.6 * 1.5 / 2)]


def test_hubs_have_less_information_than_leaves(starter: Graph) -> None:
    assert information_content(starter, "SSG:organ") < information_content(starter, "SSG:apical_snouts")
