"""The starter graph: what the demo and the generation stage rely on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kg.build import build_graph
from kg.findings import excludes, findings_of
from kg.graph import Graph
from kg.paths import find_paths
from kg.siblings import siblings
from kg.sources import starter_source
from kg.vocabulary import load_vocabulary

VOCABULARY = load_vocabulary()
DIAGNOSES = [
    (organ, name, value) for organ, patterns in VOCABULARY.diagnoses.items() for name, value in patterns.items()
]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return build_graph([starter_source()]).graph


def test_every_vocabulary_concept_is_a_node_with_a_fitting_scale(graph: Graph) -> None:
    for attribute in VOCABULARY.attributes.values():
        for value in attribute.values.values():
            node = graph.node(value.concept_id)
            assert node.scale == attribute.scale, value
            assert node.attribute == attribute.name
    for _, _, value in DIAGNOSES:
        assert graph.node(value.concept_id).category == "Neoplasm"


def test_every_statement_of_the_starter_graph_has_a_citation(graph: Graph) -> None:
    assert all(edge.citation for edge in graph.edges)
    assert all(node.citation for node in graph.nodes.values())
    assert len(graph.nodes) >= 300


@pytest.mark.parametrize(("organ", "pattern", "diagnosis"), DIAGNOSES)
def test_a_diagnosis_is_reached_from_its_own_pattern_and_from_no_other(
    graph: Graph, organ: str, pattern: str, diagnosis: object
) -> None:
    value = VOCABULARY.diagnosis(organ, pattern)
    assert value == diagnosis
    assert value is not None
    patterns = VOCABULARY.attributes["architecture"].values
    own = find_paths(graph, patterns[pattern].concept_id, value.concept_id)
    assert own
    assert own[0].edges[0].modality == "has"
    for other in VOCABULARY.diagnoses[organ]:
        if other != pattern:
            assert not find_paths(graph, patterns[other].concept_id, value.concept_id)
            assert excludes(graph, patterns[other].concept_id, value.concept_id)


@pytest.mark.parametrize(("organ", "pattern", "diagnosis"), DIAGNOSES)
def test_a_diagnosis_is_reached_from_cytology(graph: Graph, organ: str, pattern: str, diagnosis: object) -> None:
    value = VOCABULARY.diagnoses[organ][pattern]
    reached = {
        attribute.name
        for attribute in VOCABULARY.attributes.values()
        for finding in attribute.values.values()
        if attribute.scale == "high" and find_paths(graph, finding.concept_id, value.concept_id)
    }
    assert {"nuclear_size", "pleomorphism"} <= reached


def test_no_diagnosis_both_has_and_excludes_a_finding(graph: Graph) -> None:
    for curie in graph.nodes:
        excluded = {edge.object for edge in findings_of(graph, curie, "excludes")}
        supported = {edge.object for edge in findings_of(graph, curie, "has", "may")}
        assert not excluded & supported, curie


def test_values_of_one_attribute_are_siblings_and_graded_ones_are_certified_false(graph: Graph) -> None:
    for attribute in VOCABULARY.attributes.values():
        for value in attribute.values.values():
            found = siblings(graph, value.concept_id)
            expected = {other.concept_id for other in attribute.values.values()} - {value.concept_id}
            assert {sibling.concept_id for sibling in found} == expected
            if attribute.ordered:
                assert all(s.certified and graph.by_id[s.certificate.removeprefix("excludes:")] for s in found)


def test_diagnoses_of_one_organ_are_siblings_and_those_of_another_are_not(graph: Graph) -> None:
    for organ, pattern, value in DIAGNOSES:
        found = {sibling.concept_id for sibling in siblings(graph, value.concept_id)}
        same = {other.concept_id for name, other in VOCABULARY.diagnoses[organ].items() if name != pattern}
        others = {v.concept_id for place, p in VOCABULARY.diagnoses.items() if place != organ for v in p.values()}
        assert same <= found
        assert not found & others


def test_findings_that_no_slide_shows_are_marked(graph: Graph) -> None:
    for name in ("lymph_node_count", "margin_status", "positive_margin", "pt2", "distant_metastasis"):
        assert graph.node(f"SSG:{name}").scale == "not_visible"
        assert graph.node(f"SSG:{name}").visible_scale is None


def test_importing_the_vocabulary_and_the_graph_is_light() -> None:
    code = (
        "import sys, kg.vocabulary, kg.graph, kg.link, kg.build, kg.sources, kg.paths, kg.siblings;"
        "heavy = {'pyarrow', 'networkx', 'rdflib', 'pyoxigraph', 'pandas', 'numpy', 'torch', 'prefect', 'fastobo'};"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
