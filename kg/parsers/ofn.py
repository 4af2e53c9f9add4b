"""Reader of OWL 2 functional-style syntax: labels, synonyms, definitions, and the named part of the hierarchy.

Of class expressions, `ObjectSomeValuesFrom(part_of, C)` and the named conjuncts of definitions are read; the rest is
counted. Reference: OWL 2 Web Ontology Language, Structural Specification and Functional-Style Syntax, W3C 2012.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from kg.curies import OBO, from_iri
from kg.parsers.categories import Categories
from kg.parsers.opening import lines_of, read_text
from kg.parsers.parsed import Parsed, SourceSpec, make_edge
from kg.predicates import PART_OF, SUBCLASS_OF
from kg.records import Edge, Node, Scope, Synonym

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(?:@[\w-]+|\^\^\S+?(?=[\s)]))?|<[^>]*>|[()]|[^\s()"<>]+')
_AXIOM = re.compile(r"(\w+)\(")
_READ = frozenset({"AnnotationAssertion", "SubClassOf", "EquivalentClasses", "Declaration"})
_SCOPES: dict[str, Scope] = {
    "oboInOwl:hasExactSynonym": "exact",
    "oboInOwl:hasNarrowSynonym": "narrow",
    "oboInOwl:hasBroadSynonym": "broad",
    "oboInOwl:hasRelatedSynonym": "related",
}
_PART_OF = "obo:BFO_0000050"
_Term = str | list["_Term"]


class _Class:
    def __init__(self) -> None:
        self.label: str | None = None
        self.definition: str | None = None
        self.synonyms: list[Synonym] = []
        self.xrefs: list[str] = []
        self.obsolete = False


def read(spec: SourceSpec) -> Parsed:
    """Return the classes of a functional-syntax document that have a label.

    Raises:
        GraphError: an axiom's brackets do not close, or the document declares no class.
    """
    classes: dict[str, _Class] = {}
    edges: list[Edge] = []
    lines: dict[str, int] = {}
    skipped: Counter[str] = Counter()
    for line, axiom in _axioms(spec, read_text(spec)):
        name, terms = axiom[0], [term for term in axiom[1:] if not (isinstance(term, list) and term[0] == "Annotation")]
        if name == "Declaration" and isinstance(terms[0], list) and terms[0][0] == "Class":
            classes.setdefault(_text(terms[0][1]), _Class())
        elif name == "AnnotationAssertion":
            _annotate(classes, [_text(term) for term in terms])
        elif name in ("SubClassOf", "EquivalentClasses"):
            for edge in _hierarchy(spec, str(name), terms, skipped):
                edges.append(edge)
                lines[edge.edge_id] = line
    if not classes:
        raise spec.fault(None, "declares no class")
    nodes = [node for iri, entry in classes.items() if (node := _node(spec, iri, entry, skipped))]
    unique = list({edge.edge_id: edge for edge in edges}.values())
    return Parsed(spec, Categories.of(spec).assign(nodes, unique), tuple(unique), lines=lines, skipped=dict(skipped))


def _axioms(spec: SourceSpec, text: str) -> Iterator[tuple[int, list[_Term]]]:
    pending, start = "", 0
    for number, line in enumerate(lines_of(text), start=1):
        if not pending:
            opening = _AXIOM.match(line)
            if not opening or opening[1] not in _READ:
                continue
            start = number
        pending = f"{pending}\n{line}" if pending else line
        term = _parse(pending)
        if term is not None:
            yield start, term
            pending = ""
    if pending:
        raise spec.fault(start, "the brackets of this axiom do not close")


def _parse(text: str) -> list[_Term] | None:
    stack: list[list[_Term]] = [[]]
    for match in _TOKEN.finditer(text):
        part = match[0]
        if part == "(":
            head = stack[-1].pop() if stack[-1] else ""
            stack.append([head])
        elif part == ")":
            if len(stack) == 1:
                return None
            done = stack.pop()
            stack[-1].append(done)
            if len(stack) == 1:
                return done
        else:
            stack[-1].append(part)
    return None


def _text(term: _Term) -> str:
    return term if isinstance(term, str) else ""


def _curie(term: _Term) -> str | None:
    text = _text(term)
    if text.startswith("obo:"):
        return from_iri(OBO + text.removeprefix("obo:"))
    return from_iri(text[1:-1]) if text.startswith("<") else None


def _literal(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1 : text.rindex('"')]) if text.startswith('"') else text


def _annotate(classes: dict[str, _Class], terms: list[str]) -> None:
    prop, subject, value = (*terms, "", "", "")[:3]
    if not subject.startswith(("obo:", "<")):
        return
    entry = classes.setdefault(subject, _Class())
    if prop == "rdfs:label":
        entry.label = _literal(value)
    elif prop == "obo:IAO_0000115":
        entry.definition = _literal(value)
    elif prop in _SCOPES:
        entry.synonyms.append(Synonym(_literal(value), _SCOPES[prop]))
    elif prop == "oboInOwl:hasDbXref":
        entry.xrefs.append(_literal(value))
    elif prop == "owl:deprecated":
        entry.obsolete = _literal(value) == "true"


def _hierarchy(spec: SourceSpec, axiom: str, terms: list[_Term], skipped: Counter[str]) -> Iterator[Edge]:
    subject = _curie(terms[0])
    if subject is None:
        skipped["axiom about an unnamed class"] += 1
        return
    for term in terms[1:]:
        conjuncts = term[1:] if isinstance(term, list) and term[0] == "ObjectIntersectionOf" else [term]
        for conjunct in conjuncts:
            obj = _curie(conjunct)
            if obj:
                yield make_edge(spec, subject, SUBCLASS_OF, obj, original=f"owl:{axiom}")
            elif (
                isinstance(conjunct, list)
                and conjunct[:2] == ["ObjectSomeValuesFrom", _PART_OF]
                and (whole := _curie(conjunct[2]))
            ):
                yield make_edge(spec, subject, PART_OF, whole, original="BFO:0000050")
            else:
                skipped["class expression"] += 1


def _node(spec: SourceSpec, iri: str, entry: _Class, skipped: Counter[str]) -> Node | None:
    curie = _curie(iri)
    if curie is None or entry.label is None or entry.obsolete:
        skipped["obsolete term" if entry.obsolete else "class without label or of an unregistered prefix"] += 1
        return None
    return Node(
        curie=curie,
        category=Categories.default(spec),
        label=entry.label,
        synonyms=tuple(dict.fromkeys(entry.synonyms)),
        definition=entry.definition,
        source=spec.name,
        source_version=spec.version,
        licence=spec.licence,
        xrefs=tuple(dict.fromkeys(entry.xrefs)),
    )
