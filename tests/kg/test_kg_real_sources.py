"""The real ontologies of ../shared/kg: readers held against fastobo, and a graph merged from several of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from kg.agreement import compare
from kg.build import BuildResult, build_graph
from kg.findings import findings_of
from kg.parsers import reader
from kg.paths import find_paths
from kg.sources import STARTER, load_sources, register, starter_source
from kg.validate import validate
from kg.vocabulary import load_vocabulary

pytestmark = pytest.mark.slide
_SCOPES = {"EXACT": "exact", "NARROW": "narrow", "BROAD": "broad", "RELATED": "related"}


@pytest.fixture(scope="module")
def built(shared: Path) -> BuildResult:
    names = ["ncit", "mpath", "hpath", "oncotree", "cl-edit", "tpo", "pathoml"]
    return build_graph([starter_source(), *load_sources(shared / "kg", names)])


def test_every_registered_source_is_there_with_its_checksum(shared: Path) -> None:
    assert {spec.name for spec in load_sources(shared / "kg")} == set(register())


def test_every_small_source_is_read(shared: Path) -> None:
    names = [name for name in register() if name not in ("ncit", "mondo", "uberon")]
    for spec in load_sources(shared / "kg", names):
        parsed = reader(spec.parser)(spec)
        assert parsed.nodes or parsed.matches, spec.name


@pytest.mark.parametrize("name", ["pato", "doid-cancer"])
def test_our_obo_reader_agrees_with_fastobo_clause_by_clause(shared: Path, name: str) -> None:
    fastobo = pytest.importorskip("fastobo")
    (spec,) = load_sources(shared / "kg", [name])
    ours = reader("obo")(spec)
    nodes = {node.curie: node for node in ours.nodes}
    parents: dict[str, set[str]] = {}
    for edge in ours.edges:
        if edge.predicate == "subclass_of":
            parents.setdefault(edge.subject, set()).add(edge.object)
    seen = 0
    with gzip.open(spec.path) as stream:
        for frame in fastobo.iter(stream):
            clauses = list(frame)
            kinds = {type(clause).__name__: clause for clause in clauses}
            if type(frame).__name__ != "TermFrame" or "IsObsoleteClause" in kinds:
                continue
            seen += 1
            node = nodes[str(frame.id)]
            assert node.label == kinds["NameClause"].name
            names = {(c.synonym.desc, _SCOPES[c.synonym.scope]) for c in clauses if type(c).__name__ == "SynonymClause"}
            assert {(synonym.text, synonym.scope) for synonym in node.synonyms} == names
            above = {str(c.term) for c in clauses if type(c).__name__ == "IsAClause"}
            assert parents.get(node.curie, set()) == above
            if "DefClause" in kinds:
                assert node.definition == str(kinds["DefClause"].definition)
    assert seen == len(nodes)


def test_the_merged_graph_keeps_every_vocabulary_concept_and_its_paths(built: BuildResult) -> None:
    vocabulary = load_vocabulary()
    patterns = vocabulary.attributes["architecture"].values
    for organ in vocabulary.diagnoses:
        for name, value in vocabulary.diagnoses[organ].items():
            assert find_paths(built.graph, patterns[name].concept_id, value.concept_id)
    for attribute in vocabulary.attributes.values():
        assert all(value.concept_id in built.graph.nodes for value in attribute.values.values())


def test_the_merged_graph_has_no_violation_and_no_unaccounted_edge(built: BuildResult) -> None:
    assert validate(built.graph).violations == ()
    for counts in built.report.sources:
        assert counts.edges <= counts.edges_kept + sum(counts.left_out.values())


def test_the_starter_graph_contradicts_ncit_nowhere(built: BuildResult) -> None:
    verdicts = [item.verdict for item in compare(built.graph)]
    assert verdicts.count("agrees") >= 10
    assert "contradicts" not in verdicts


def test_the_starter_mappings_name_classes_that_the_ontologies_have(shared: Path) -> None:
    labels: dict[str, str] = {}
    for spec in load_sources(shared / "kg", ["ncit", "mpath", "cl", "uberon"]):
        labels |= {node.curie: node.label for node in reader(spec.parser)(spec).nodes}
    for line in (STARTER / "mappings.tsv").read_text().splitlines()[1:]:
        _, _, _, curie, label, _ = line.split("\t")
        assert labels[curie] == label


def test_most_neoplasms_have_a_specific_finding(built: BuildResult) -> None:
    graph = built.graph
    kinds = [
        curie
        for curie in graph.descendants("SSG:neoplasm")
        if any(name.startswith("NCIT:") for name in (curie, *graph.nodes[curie].equivalent_identifiers))
    ]
    assert len(kinds) > 9000
    assert sum(bool(findings_of(graph, curie, "has", "may")) for curie in kinds) / len(kinds) >= 0.65
