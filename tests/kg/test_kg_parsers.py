"""Each reader on a small document of its format, and on the faults that real files have."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pytest
import zstandard

from kg.build import build_graph
from kg.parsers import reader
from kg.parsers.parsed import Parsed, SourceSpec
from kg.records import Synonym
from schemas.errors import GraphError

WriteSource = Callable[..., SourceSpec]

OBO = """format-version: 1.2

[Term]
id: MPATH:1
name: damage
def: "Harm \\"done\\"." [a: b c]
synonym: "harm" EXACT []
synonym: "hurt" NARROW [X]
synonym: broken EXACT []
xref: ncit:C1
a stray line

[Term]
id: MPATH:2
name: burn
is_a: MPATH:1 ! damage
relationship: part_of MPATH:1
relationship: develops_from MPATH:1

[Term]
id: MPATH:3
name: obsolete burn
is_obsolete: true

[Typedef]
id: part_of
name: part of
"""
OFN = """Prefix(obo:=<http://purl.obolibrary.org/obo/>)
Ontology(<http://purl.obolibrary.org/obo/cl.owl>
Declaration(Class(obo:CL_0000001))
Declaration(Class(obo:CL_0000002))
AnnotationAssertion(rdfs:label obo:CL_0000001 "cell (of a kind)")
AnnotationAssertion(Annotation(oboInOwl:hasDbXref "PMID:1") oboInOwl:hasExactSynonym obo:CL_0000001 "a \\"cell\\"")
AnnotationAssertion(rdfs:label obo:CL_0000002 "other cell"^^xsd:string)
EquivalentClasses(obo:CL_0000002 ObjectIntersectionOf(obo:CL_0000001
 ObjectSomeValuesFrom(obo:BFO_0000050 obo:UBERON_0000001)))
SubClassOf(Annotation(oboInOwl:is_inferred "true") obo:CL_0000002 obo:CL_0000001)
SubClassOf(obo:CL_0000002 ObjectSomeValuesFrom(obo:RO_0002202 obo:CL_0000001))
)
"""
RDF = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:owl="http://www.w3.org/2002/07/owl#"
 xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#">
<owl:Class rdf:about="http://purl.obolibrary.org/obo/NCIT_C1"><rdfs:label>Thing</rdfs:label></owl:Class>
<owl:Class rdf:about="http://purl.obolibrary.org/obo/NCIT_C2">
 <rdfs:subClassOf rdf:resource="http://purl.obolibrary.org/obo/NCIT_C1"/><rdfs:comment>Some thing.</rdfs:comment>
</owl:Class>
<owl:Class rdf:about="http://nowhere.example/X"/>
</rdf:RDF>
"""


def parse(spec: SourceSpec) -> Parsed:
    return reader(spec.parser)(spec)


def stated(parsed: Parsed) -> set[tuple[str, str, str, str | None]]:
    return {(edge.subject, edge.predicate, edge.object, edge.modality) for edge in parsed.edges}


def graphs(*edges: tuple[str, str, str]) -> str:
    base = "http://purl.obolibrary.org/obo/"
    names = sorted({end for subject, _, obj in edges for end in (subject, obj)})
    nodes = [{"id": base + name, "type": "CLASS", "lbl": f"name of {name}", "meta": {}} for name in names]
    rows = [{"sub": base + s, "pred": p if p == "is_a" else base + p, "obj": base + o} for s, p, o in edges]
    return json.dumps({"graphs": [{"nodes": nodes, "edges": rows}]}, indent=1)


def test_obo_gives_names_scopes_hierarchy_and_counts_what_it_leaves_out(write_source: WriteSource) -> None:
    parsed = parse(write_source("a.obo", OBO, "obo"))
    first, second = parsed.nodes
    assert (first.curie, first.label, first.definition) == ("MPATH:1", "damage", 'Harm "done".')
    assert first.synonyms == (Synonym("harm", "exact"), Synonym("hurt", "narrow"))
    assert first.xrefs == ("NCIT:C1",)
    assert second.curie == "MPATH:2"
    assert stated(parsed) == {("MPATH:2", "subclass_of", "MPATH:1", None), ("MPATH:2", "part_of", "MPATH:1", None)}
    assert parsed.skipped == {
        "obsolete term": 1,
        "malformed synonym": 1,
        "line without a tag": 1,
        "relation develops_from": 1,
    }
    assert {parsed.lines[edge.edge_id] for edge in parsed.edges} == {16, 17}


def test_obograph_turns_roles_into_predicates_with_modality(write_source: WriteSource) -> None:
    text = graphs(
        ("NCIT_C2", "is_a", "NCIT_C1"), ("NCIT_C2", "NCIT_R142", "NCIT_C3"), ("NCIT_C2", "NCIT_R9", "NCIT_C3")
    )
    spec = write_source(
        "n.json",
        text,
        "obograph",
        roles={"NCIT:R142": ["has_finding", "excludes"]},
        category="Other",
        categories={"NCIT:C1": "Neoplasm"},
    )
    parsed = parse(spec)
    assert stated(parsed) == {
        ("NCIT:C2", "subclass_of", "NCIT:C1", None),
        ("NCIT:C2", "has_finding", "NCIT:C3", "excludes"),
    }
    assert {node.curie: node.category for node in parsed.nodes} == {
        "NCIT:C1": "Neoplasm",
        "NCIT:C2": "Neoplasm",
        "NCIT:C3": "Other",
    }
    assert parsed.skipped == {"role NCIT:R9": 1}


def test_cellxgene_takes_the_nearest_ancestors_and_leaves_deprecated_terms_out(write_source: WriteSource) -> None:
    terms = {
        "UBERON:1": {"ancestors": {}, "label": "body", "deprecated": False},
        "UBERON:2": {"ancestors": {"UBERON:1": 1}, "label": "arm", "synonyms": ["limb"], "deprecated": False},
        "UBERON:3": {"ancestors": {"UBERON:2": 1, "UBERON:1": 2}, "label": "hand", "deprecated": False},
        "UBERON:4": {"ancestors": {}, "label": "obsolete claw", "deprecated": True},
    }
    packed = zstandard.compress(json.dumps(terms).encode())
    parsed = parse(write_source("u.json.zst", packed, "cellxgene", hierarchy="within", category="AnatomicSite"))
    assert stated(parsed) == {("UBERON:2", "within", "UBERON:1", None), ("UBERON:3", "within", "UBERON:2", None)}
    assert parsed.skipped == {"obsolete term": 1}
    assert parsed.nodes[1].synonyms == (Synonym("limb", "related"),)


def test_oncotree_is_read_as_a_tree_with_references_that_merge_nothing(write_source: WriteSource) -> None:
    leaf = {"code": "CMC", "name": "Medullary", "externalReferences": {"NCI": ["C60641"]}, "level": 2, "children": {}}
    organ = {"code": "BOWEL", "name": "Bowel", "level": 1, "children": {"CMC": leaf}}
    root = {"TISSUE": {"code": "TISSUE", "name": "Tissue", "level": 0, "children": {"BOWEL": organ}}}
    parsed = parse(write_source("o.json", json.dumps(root), "oncotree"))
    assert stated(parsed) == {
        ("ONCOTREE:CMC", "subclass_of", "ONCOTREE:BOWEL", None),
        ("ONCOTREE:BOWEL", "subclass_of", "ONCOTREE:TISSUE", None),
    }
    assert [match.predicate for match in parsed.matches] == ["oboInOwl:hasDbXref"]


def test_sssom_reads_mappings_with_their_lines(write_source: WriteSource) -> None:
    text = (
        "# curie_map:\n#   a: b\nsubject_id\tpredicate_id\tobject_id\tpredicate_modifier\n"
        "mondo:1\tskos:exactMatch\tncit:C1\t\nmondo:2\tskos:exactMatch\tncit:C2\tNot\n"
    )
    parsed = parse(write_source("m.tsv", text, "sssom"))
    assert [(m.subject, m.object, m.line) for m in parsed.matches] == [("MONDO:1", "NCIT:C1", 4)]
    assert parsed.skipped == {"negated mapping": 1}


def test_functional_syntax_gives_names_and_the_named_part_of_definitions(write_source: WriteSource) -> None:
    parsed = parse(write_source("c.ofn", OFN, "ofn", complete=False))
    assert [node.label for node in parsed.nodes] == ["cell (of a kind)", "other cell"]
    assert parsed.nodes[0].synonyms == (Synonym('a "cell"', "exact"),)
    assert stated(parsed) == {
        ("CL:0000002", "subclass_of", "CL:0000001", None),
        ("CL:0000002", "part_of", "UBERON:0000001", None),
    }
    assert parsed.skipped == {"class expression": 1}


def test_rdf_xml_gives_classes_of_registered_prefixes(write_source: WriteSource) -> None:
    parsed = parse(write_source("t.owl", RDF, "rdfxml"))
    assert [(node.curie, node.label) for node in parsed.nodes] == [("NCIT:C1", "Thing"), ("NCIT:C2", "C2")]
    assert parsed.nodes[1].definition == "Some thing."
    assert stated(parsed) == {("NCIT:C2", "subclass_of", "NCIT:C1", None)}


def test_primekg_reads_each_doubled_edge_once(write_source: WriteSource) -> None:
    header = "relation,display_relation,x_index,x_id,x_type,x_name,x_source,y_index,y_id,y_type,y_name,y_source\n"
    there = 'disease_phenotype_positive,x,1,5148,disease,"diabetes, type 2",MONDO,2,1513,effect/phenotype,Obesity,HPO\n'
    back = 'disease_phenotype_positive,x,2,1513,effect/phenotype,Obesity,HPO,1,5148,disease,"diabetes, type 2",MONDO\n'
    absent = "disease_phenotype_negative,x,1,5148,disease,d,MONDO,3,22,effect/phenotype,Tall,HPO\n"
    grouped = "disease_disease,x,1,13924_12592,disease,group,MONDO_grouped,2,5148,disease,d,MONDO\n"
    parsed = parse(write_source("kg.csv", header + there + back + absent + grouped, "primekg"))
    assert stated(parsed) == {
        ("MONDO:0005148", "has_finding", "HP:0001513", "may"),
        ("MONDO:0005148", "has_finding", "HP:0000022", "excludes"),
        ("MONDO:0005148", "related_to", "PRIMEKG:13924_12592", None),
    }
    assert parsed.skipped == {"edge given in both directions": 1}


@pytest.mark.parametrize(
    ("name", "content", "parser", "complains"),
    [
        ("cycle.obo", OBO + "[Term]\nid: MPATH:9\nname: x\nis_a: MPATH:9\n", "obo", "cycle.obo line 31: .*circle"),
        ("hole.obo", OBO + "[Term]\nid: MPATH:9\nname: x\nis_a: MPATH:77\n", "obo", "hole.obo line 31: .*MPATH:77"),
        ("alien.obo", "[Term]\nid: ZZZ:1\nname: x\n", "obo", "alien.obo line 2: unknown prefix in ZZZ:1"),
        ("nameless.obo", "[Term]\nid: MPATH:1\n", "obo", "nameless.obo line 1: .*without name"),
        ("empty.obo", "", "obo", "empty.obo: holds no"),
        ("half.json", '{"graphs": [', "obograph", "half.json line 1: no valid JSON"),
        ("none.json", "{}", "obograph", "none.json: no OBO Graphs document"),
        ("torn.obo.gz", gzip.compress((OBO * 400).encode())[:-300], "obo", r"torn.obo.gz line \d+: breaks off"),
        ("short.tsv", "subject_id\tpredicate_id\tobject_id\nMONDO:1\tx\n", "sssom", "short.tsv line 2: 2 cells"),
        ("wrong.tsv", "a\tb\n1\t2\n", "sssom", "wrong.tsv line 1: .*subject_id"),
        ("open.ofn", "SubClassOf(obo:CL_1 (obo:CL_2)\n", "ofn", "open.ofn line 1: .*do not close"),
        ("bad.owl", "<rdf:RDF", "rdfxml", "bad.owl.*no RDF/XML"),
        ("latin.obo", b"[Term]\nid: MPATH:1\nname: \xff\n", "obo", "latin.obo line 3: not UTF-8"),
    ],
)
def test_a_faulty_file_stops_the_build_with_its_name_and_line(
    write_source: WriteSource, name: str, content: str | bytes, parser: str, complains: str
) -> None:
    with pytest.raises(GraphError, match=complains):
        build_graph([write_source(name, content, parser)])


def test_a_circle_of_several_classes_is_told_in_walking_order(write_source: WriteSource) -> None:
    text = graphs(("NCIT_C1", "is_a", "NCIT_C2"), ("NCIT_C2", "is_a", "NCIT_C3"), ("NCIT_C3", "is_a", "NCIT_C1"))
    line = next(number for number, text_ in enumerate(text.split("\n"), 1) if '"sub"' in text_ and "NCIT_C1" in text_)
    with pytest.raises(GraphError, match=rf"ring.json line {line}: .*NCIT:C1 -> NCIT:C2 -> NCIT:C3 -> NCIT:C1"):
        build_graph([write_source("ring.json", text, "obograph")])


def test_an_unknown_parser_is_refused(write_source: WriteSource) -> None:
    with pytest.raises(GraphError, match="no parser xls"):
        build_graph([write_source("a.xls", "", "xls")])
