"""What leaves the graph: KGX without loss, Turtle with PROV-O, SPARQL, a neighbourhood's page, one screen of facts."""

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox
import pytest
import rdflib
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg.agreement import STARTER, compare, gaps, report
from kg.build import build_graph
from kg.curies import from_iri, is_curie, normal, to_iri
from kg.export import from_kgx, to_kgx, to_turtle
from kg.graph import Graph
from kg.parsers.parsed import SourceSpec, make_edge
from kg.queries import select, store_of, to_rdflib
from kg.records import Node, Synonym
from kg.stats import coverage, stats
from kg.validate import validate
from kg.view import neighbourhood_html
from schemas.errors import GraphError

SPEC = SourceSpec("t", Path(), "obo", "1", "CC0-1.0", "infores:t", "0" * 64)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


def test_kgx_tables_read_back_as_the_same_graph(starter: Graph, tmp_path: Path) -> None:
    to_kgx(starter, tmp_path / "kgx")
    again = from_kgx(tmp_path / "kgx")
    assert dict(again.nodes) == dict(starter.nodes)
    assert again.edges == starter.edges
    to_kgx(again, tmp_path / "twice")
    for name in ("nodes.tsv", "edges.tsv"):
        assert (tmp_path / "kgx" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(label=TEXT, definition=st.none() | TEXT, names=st.lists(TEXT, max_size=3), xrefs=st.lists(TEXT, max_size=2))
def test_kgx_keeps_any_text(
    tmp_path: Path, label: str, definition: str | None, names: list[str], xrefs: list[str]
) -> None:
    synonyms = tuple(Synonym(name, "narrow") for name in names)
    node = Node("SSG:x", "Quality", label, synonyms, definition, xrefs=tuple(xrefs), source="", licence="", citation="")
    to_kgx(Graph([node], []), tmp_path)
    assert from_kgx(tmp_path).nodes["SSG:x"] == node


def test_kgx_of_others_needs_six_columns_alone(tmp_path: Path) -> None:
    (tmp_path / "my_nodes.tsv").write_text("id\tcategory\tname\nncit:C1\tbiolink:Disease\ta\nHP:2\tbiolink:Cell\tb\n")
    (tmp_path / "my_edges.tsv").write_text("subject\tpredicate\tobject\nNCIT:C1\tbiolink:has_phenotype\tHP:2\n")
    spec = SourceSpec("x", tmp_path, "kgx", "2", "CC0-1.0", "infores:x", "0" * 64)
    graph = build_graph([spec]).graph
    (edge,) = graph.edges
    assert (edge.subject, edge.predicate, edge.modality, edge.source_version) == ("NCIT:C1", "has_finding", "may", "2")
    assert [node.category for node in graph.nodes.values()] == ["CellType", "Disease"]


@pytest.mark.parametrize(
    ("nodes", "edges", "complains"),
    [
        ("id\tname\n", "subject\tpredicate\tobject\n", ""),
        ("id\tcategory\tname\nZZ:1\tx\ty\n", "subject\tpredicate\tobject\n", "nodes.tsv.*ZZ:1"),
        ("id\tcategory\tname\nHP:1\tx\n", "subject\tpredicate\tobject\n", "nodes.tsv line 2: 2 cells"),
        ("id\tcategory\tname\nHP:1\tx\ty\n", "subject\tobject\nHP:1\tHP:1\n", "edges.tsv line 1: .*predicate"),
    ],
)
def test_a_faulty_kgx_table_is_named(tmp_path: Path, nodes: str, edges: str, complains: str) -> None:
    (tmp_path / "nodes.tsv").write_text(nodes)
    (tmp_path / "edges.tsv").write_text(edges)
    if not complains:
        assert len(from_kgx(tmp_path).nodes) == 0
        return
    with pytest.raises(GraphError, match=complains):
        from_kgx(tmp_path)


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"0 files \*nodes\.tsv"):
        from_kgx(tmp_path)


def test_turtle_is_the_same_every_time_and_holds_one_activity_with_the_hash_of_its_inputs(
    starter: Graph, tmp_path: Path
) -> None:
    count = to_turtle(starter, tmp_path / "a.ttl")
    to_turtle(starter, tmp_path / "b.ttl")
    assert (tmp_path / "a.ttl").read_bytes() == (tmp_path / "b.ttl").read_bytes()
    parsed = rdflib.Graph().parse(tmp_path / "a.ttl")
    assert len(parsed) == count
    prov = rdflib.Namespace("http://www.w3.org/ns/prov#")
    (activity,) = parsed.subjects(rdflib.RDF.type, prov.Activity)
    hashes = {
        str(digest)
        for entity in parsed.objects(activity, prov.used)
        for digest in parsed.objects(entity, rdflib.URIRef("https://w3id.org/slidesmith/vocab/sha256"))
    }
    assert hashes == {edge.source_sha256 for edge in starter.edges}


def test_what_is_excluded_is_no_plain_triple(starter: Graph) -> None:
    store = store_of(starter)
    rows = select(
        store,
        """SELECT ?d WHERE { ?s rdf:subject ?d ; rdf:object SSG:glandular_architecture ; rdf:predicate ss:has_finding ;
           ss:modality "excludes" . ?d ss:has_finding SSG:glandular_architecture }""",
    )
    assert rows == []
    excluded = select(
        store, 'SELECT ?d WHERE { ?s rdf:subject ?d ; rdf:object SSG:glandular_architecture ; ss:modality "excludes" }'
    )
    assert {"d": to_iri("SSG:breast_medullary_carcinoma")} in excluded


def test_sparql_walks_the_hierarchy_as_the_graph_does(starter: Graph) -> None:
    rows = select(store_of(starter), "SELECT ?x WHERE { ?x rdfs:subClassOf+ SSG:carcinoma }")
    assert {row["x"] for row in rows} == {to_iri(curie) for curie in starter.descendants("SSG:carcinoma")}
    with pytest.raises(GraphError, match="no SPARQL"):
        select(store_of(Graph([], [])), "SELEKT")
    with pytest.raises(GraphError, match="no SELECT"):
        select(store_of(Graph([], [])), "ASK { ?s ?p ?o }")


def test_rdflib_sees_the_same_triples(starter: Graph) -> None:
    assert len(to_rdflib(starter, oxigraph=False)) == len(store_of(starter))


def test_rdflib_asks_pyoxigraph_and_gets_what_it_gets_itself(starter: Graph) -> None:
    query = "select (count(*) as ?n) where { ?a rdfs:subClassOf+ ?b }"
    (row,) = to_rdflib(starter).query(query).bindings
    assert str(row[rdflib.Variable("n")]) == select(store_of(starter), query)[0]["n"]
    assert ox.NamedNode(to_iri("SSG:carcinoma")).value.endswith("carcinoma")


def test_the_starter_graph_has_no_violation(starter: Graph) -> None:
    found = validate(starter)
    assert found.violations == ()
    assert found.conforms
    assert found.edges == len(starter.edges)


def test_a_statement_without_provenance_a_contradiction_and_an_unlabelled_concept_are_violations() -> None:
    bare = SourceSpec("t", Path(), "obo", "", "", "infores:t", "")
    nodes = [Node(c, "Neoplasm", c, source="t", source_version="1", licence="x") for c in ("SSG:a", "SSG:b")]
    edges = [
        make_edge(bare, "SSG:a", "part_of", "SSG:b"),
        make_edge(SPEC, "SSG:a", "has_finding", "SSG:b", "has"),
        make_edge(SPEC, "SSG:a", "has_finding", "SSG:b", "excludes"),
    ]
    lines = validate(Graph([*nodes, Node("SSG:c", "Quality", "")], edges), shacl=False).violations
    assert "SSG:a part_of SSG:b has no licence" in lines
    assert "SSG:a part_of SSG:b has no source_sha256" in lines
    assert "infores:t says that SSG:a has_finding SSG:b and excludes it" in lines
    assert "SSG:c has no label" in lines


def test_shacl_finds_what_the_shapes_forbid() -> None:
    pytest.importorskip("pyshacl")
    nodes = [Node(c, "Neoplasm", c, source="t", source_version="1", licence="x") for c in ("SSG:a", "SSG:b")]
    spec = SourceSpec("t", Path(), "obo", "1", "CC0-1.0", "infores:t", "x" * 64)
    lines = validate(Graph(nodes, [make_edge(spec, "SSG:a", "has_primary_site", "SSG:b", "has")])).violations
    assert any("a source has a SHA-256" in line for line in lines)
    assert any("where a disease arises is an anatomic site" in line for line in lines)


def test_the_page_of_a_neighbourhood_names_every_drawn_neighbour_and_escapes_text(starter: Graph) -> None:
    page = neighbourhood_html(starter, "SSG:breast_medullary_carcinoma", limit=8)
    edges = (*starter.out_edges("SSG:breast_medullary_carcinoma"), *starter.in_edges("SSG:breast_medullary_carcinoma"))
    assert f"8 of {len({e.subject for e in edges} | {e.object for e in edges}) - 1} neighbours" in page
    assert page.count("<circle") == 9
    assert "http" not in page.replace("https://www.cap.org", "")
    odd = Graph([Node("SSG:x", "Quality", "<script>alert(1)</script>")], [])
    assert "<script>" not in neighbourhood_html(odd, "SSG:x")
    with pytest.raises(GraphError, match="SSG:none is no node"):
        neighbourhood_html(starter, "SSG:none")


def test_the_facts_of_a_graph_add_up(starter: Graph) -> None:
    facts = stats(starter)
    assert facts["nodes"] == sum(facts["categories"].values()) == len(starter.nodes)
    assert facts["edges"] == sum(facts["modalities"].values()) == sum(facts["edge_sources"].values())
    assert facts["duplicate_labels"] == 0
    assert 0 < coverage(starter, "excludes") <= 1
    assert coverage(Graph([], []), "has") == 0.0


def test_the_starter_graph_is_compared_statement_by_statement(starter: Graph) -> None:
    other = SourceSpec("o", Path(), "obo", "1", "CC0-1.0", "infores:ncit", "1" * 64)
    nodes = [Node(c, "Neoplasm", c, equivalent_identifiers=("NCIT:C1",)) for c in ("SSG:a", "SSG:b", "SSG:c", "SSG:d")]
    ours = SourceSpec("s", Path(), "starter", "1", "x", STARTER, "2" * 64)
    edges = [
        make_edge(ours, "SSG:a", "has_finding", "SSG:b", "has"),
        make_edge(other, "SSG:a", "has_finding", "SSG:b", "excludes"),
        make_edge(ours, "SSG:a", "has_finding", "SSG:c", "may"),
        make_edge(other, "SSG:a", "has_finding", "SSG:c", "has"),
        make_edge(ours, "SSG:b", "has_finding", "SSG:c", "may"),
        make_edge(other, "SSG:b", "has_finding", "SSG:d", "may"),
    ]
    graph = Graph(nodes, edges)
    verdicts = {(item.ours.subject, item.ours.object): item.verdict for item in compare(graph)}
    assert verdicts == {
        ("SSG:a", "SSG:b"): "contradicts",
        ("SSG:a", "SSG:c"): "weaker",
        ("SSG:b", "SSG:c"): "silent",
    }
    assert [(edge.subject, edge.object) for edge in gaps(graph)] == [("SSG:b", "SSG:d")]
    assert "contradicts: SSG:a has SSG:b; they say excludes" in report(graph)
    assert compare(starter) == []


def test_curies_and_iris_go_both_ways() -> None:
    for curie in ("NCIT:C1", "SSG:keratin_pearls", "TPO:Architectural_Pattern", "MONDO:0000001"):
        assert from_iri(to_iri(curie)) == curie
    assert from_iri("http://nowhere.example/1") is None
    assert normal("ncit:C1") == "NCIT:C1"
    assert not is_curie("no curie")
