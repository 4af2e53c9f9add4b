"""Reader of OBO 1.2 and 1.4 documents.

Our own, because two of the five real files break the grammar that fastobo and pronto enforce (spaces in xref lists,
unescaped quotes); on those that obey it, the tests compare it with fastobo clause by clause.
Reference: OBO Flat File Format 1.4, https://owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from kg.curies import is_curie, known, normal
from kg.parsers.categories import Categories
from kg.parsers.opening import lines_of, read_text
from kg.parsers.parsed import Parsed, SourceSpec, make_edge
from kg.predicates import PART_OF, SUBCLASS_OF
from kg.records import Edge, Node, Scope, Synonym

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(.*)')
_SCOPES: dict[str, Scope] = {"EXACT": "exact", "NARROW": "narrow", "BROAD": "broad", "RELATED": "related"}
_RELATIONS = {"part_of": PART_OF, "BFO:0000050": PART_OF}
_TAG = re.compile(r"[\w-]+")
_ESCAPED = {"n": "\n", "t": "\t", "W": " "}
_ESCAPE = re.compile(r"\\(.)")
_Clause = tuple[int, str, str]


def read(spec: SourceSpec) -> Parsed:
    """Return the terms, names and hierarchy of an OBO document; obsolete terms are left out and counted.

    Raises:
        GraphError: a term has no id or name, an id is no CURIE or has an unknown prefix, or there is no term at all.
    """
    nodes: list[Node] = []
    edges: list[Edge] = []
    lines: dict[str, int] = {}
    skipped: Counter[str] = Counter()
    categories = Categories.of(spec)
    for line, clauses in _terms(read_text(spec), skipped):
        tags = {tag: value for _, tag, value in clauses}
        if tags.get("is_obsolete") == "true":
            skipped["obsolete term"] += 1
            continue
        node = _node(spec, line, clauses, skipped)
        nodes.append(node)
        for number, edge in _edges(spec, node.curie, clauses, skipped):
            edges.append(edge)
            lines[edge.edge_id] = number
    if not nodes:
        raise spec.fault(None, "holds no [Term]")
    return Parsed(spec, categories.assign(nodes, edges), tuple(edges), lines=lines, skipped=dict(skipped))


def _terms(text: str, skipped: Counter[str]) -> Iterator[tuple[int, list[_Clause]]]:
    clauses: list[_Clause] | None = None
    start = 0
    for number, raw in enumerate(lines_of(text), start=1):
        line = raw.strip()
        if line.startswith("["):
            if clauses:
                yield start, clauses
            clauses = [] if line == "[Term]" else None
            start = number
        elif clauses is not None and line and not line.startswith("!"):
            tag, colon, value = line.partition(":")
            if colon and _TAG.fullmatch(tag):
                clauses.append((number, tag, value.strip()))
            else:
                skipped["line without a tag"] += 1
    if clauses:
        yield start, clauses


def _curie(spec: SourceSpec, line: int, value: str) -> str:
    text = value.partition(" ")[0]
    curie = normal(text)
    if not is_curie(curie):
        raise spec.fault(line, f"{text!r} is no identifier")
    if not known(curie):
        raise spec.fault(line, f"unknown prefix in {text}", "register it in kg/prefixes.tsv")
    return curie


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)


def _value(value: str) -> str:
    return _plain(value.partition(" {")[0].strip())


def _node(spec: SourceSpec, start: int, clauses: list[_Clause], skipped: Counter[str]) -> Node:
    curie = name = definition = None
    synonyms: list[Synonym] = []
    xrefs: list[str] = []
    for line, tag, value in clauses:
        if tag == "id":
            curie = _curie(spec, line, value)
        elif tag == "name":
            name = _value(value)
        elif tag == "def" and (quoted := _QUOTED.match(value)):
            definition = _plain(quoted[1])
        elif tag == "synonym":
            if quoted := _QUOTED.match(value):
                scope = quoted[2].partition(" ")[0]
                stated = spec.options.get("synonym_scope") or _SCOPES.get(scope, "related")
                synonyms.append(Synonym(_plain(quoted[1]), stated))
            else:
                skipped["malformed synonym"] += 1
        elif tag == "xref":
            xrefs.append(normal(value.partition(" ")[0]))
    if curie is None or not name:
        raise spec.fault(start, f"a [Term] without {'id' if curie is None else 'name'}")
    return Node(
        curie=curie,
        category=Categories.default(spec),
        label=name,
        synonyms=tuple(dict.fromkeys(synonyms)),
        definition=definition,
        source=spec.name,
        source_version=spec.version,
        licence=spec.licence,
        xrefs=tuple(dict.fromkeys(xrefs)),
    )


def _edges(spec: SourceSpec, curie: str, clauses: list[_Clause], skipped: Counter[str]) -> Iterator[tuple[int, Edge]]:
    for line, tag, value in clauses:
        if tag == "is_a":
            yield line, make_edge(spec, curie, SUBCLASS_OF, _curie(spec, line, value), original="rdfs:subClassOf")
        elif tag == "relationship":
            relation, _, rest = value.partition(" ")
            if predicate := _RELATIONS.get(relation):
                yield line, make_edge(spec, curie, predicate, _curie(spec, line, rest.strip()), original=relation)
            else:
                skipped[f"relation {relation}"] += 1
