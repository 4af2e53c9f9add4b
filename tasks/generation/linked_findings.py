"""Findings from linked text: expert captions bound to a place and scale, and reports of the patient."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from kg.findings import sites_agree, sites_of
from kg.graph import Graph
from kg.link import Linker
from schemas.records import Mention, Rejection
from schemas.records.shared import Scale, Status
from schemas.rejection import Reason
from tasks.generation.expert_captions import ExpertCaption
from tasks.generation.findings import DIAGNOSIS, Finding, ScaleBox, Terms
from tasks.generation.open_findings import FINDINGS, named_sites, not_visible, only_groups, open_finding, readable

_CONCLUDING = ("diagnosis", "impression", "conclusion")
# Sections that say what was thought or asked before the slides were read to the end.
_PRELIMINARY = re.compile(
    r"\b(clinical|(pre|post|intra)[ -]?op\w*|differential|provisional|preliminary|working|presumptive|suspected"
    r"|admitting|admission|referr\w+|history|previous|prior|indication\w*|request\w*|frozen)\b",
    re.IGNORECASE,
)


class ReportSource:
    """Findings that the patient's reports name, attached to every field: a report speaks of the case, not of a place.

    Statuses are kept. With a graph, findings outside the vocabulary are taken too where the graph says at which scale
    they are seen, and so is the most specific neoplasm that a diagnosis section asserts and that arises in the slide's
    organ; what it is a kind of is said with it. A diagnosis that other sections assert is left open where a diagnosis
    section denies what it is a kind of. What a slide cannot show is rejected as `not_visible`, other findings as
    `unknown_concept`, those too of which only clinical or preliminary sections speak; organs, cells and stains that a
    report merely names are no findings and are passed over.
    """

    def __init__(
        self, mentions: Iterable[Mention], terms: Terms, graph: Graph | None, organ: str | None = None
    ) -> None:
        self._graph = graph
        self._terms = terms
        self._organ = organ
        self._held: dict[tuple[str, str], tuple[str, Scale, set[Status]]] = {}
        self._rejections: dict[str, Rejection] = {}
        every = list(mentions)
        rows = [mention for mention in every if not _preliminary(mention)]
        concluded = [mention for mention in rows if any(word in (mention.section or "") for word in _CONCLUDING)]
        diagnoses = self._diagnoses(concluded)
        wider = {general for concept in diagnoses for general in self._wider(concept)}
        doubtful = self._doubtful(rows, concluded)
        for mention in rows:
            if mention.concept_id in doubtful:
                self._reject(mention, "ambiguous_feature", f"{mention.label}: a diagnosis section denies its kind")
            elif mention.concept_id not in wider:
                self._take(mention, diagnoses)
        read = {mention.concept_id for mention in rows}
        for mention in every:
            if mention.concept_id not in read and mention.category in FINDINGS:
                self._reject(mention, "unknown_concept", f"{mention.label}: only {mention.section!r} speaks of it")

    def _wider(self, concept: str) -> Iterable[str]:
        return self._graph.ancestors(concept) if self._graph is not None else ()

    def _doubtful(self, rows: list[Mention], concluded: list[Mention]) -> set[str]:
        """Return the asserted diagnoses that no conclusion asserts, and of whose kind a conclusion denies any."""
        denied = {mention.concept_id for mention in concluded if mention.status == "absent"}
        asserted = {mention.concept_id for mention in concluded if mention.status == "present"}
        claimed = {mention.concept_id for mention in rows if mention.status == "present"} - asserted
        terms = {concept: self._terms.by_concept.get(concept) for concept in claimed}
        diagnoses = {concept for concept, term in terms.items() if term is not None and term.attribute == DIAGNOSIS}
        return {concept for concept in diagnoses if denied.intersection(self._wider(concept))}

    def _diagnoses(self, concluded: list[Mention]) -> set[str]:
        """Return the neoplasms that diagnosis sections assert, without those of which another one is a kind."""
        if self._graph is None:
            return set()
        named = {
            mention.concept_id
            for mention in concluded
            if mention.status == "present"
            and mention.category in {"Neoplasm", "Disease"}
            and mention.concept_id in self._graph.nodes
            and sites_agree(
                self._graph, named_sites(self._graph, self._organ), sites_of(self._graph, mention.concept_id)
            )
        }
        return named - {general for concept in named for general in self._wider(concept)}

    def _take(self, mention: Mention, diagnoses: set[str]) -> None:
        term = self._terms.by_concept.get(mention.concept_id)
        seen = open_finding(mention.concept_id, self._graph)
        if term is not None:
            self._hold(term.attribute, term.value.name, term.value.concept_id, term.scale, mention.status)
        elif mention.concept_id in diagnoses:
            # what the conclusion asserts holds, however other sections hedge it
            name = readable(mention.concept_id, mention.label)
            self._hold(DIAGNOSIS, name, mention.concept_id, "low", "present")
        elif not_visible(mention.concept_id, mention.category, self._graph):
            self._reject(mention, "not_visible", f"{mention.label}: no slide shows it")
        elif seen is not None:
            self._hold(seen[0], "present", mention.concept_id, seen[1], mention.status)
        elif mention.category in FINDINGS:
            self._reject(
                mention,
                "unknown_concept",
                f"{mention.label}: {_unusable(mention.concept_id, mention.category, self._graph)}",
            )

    def _hold(self, attribute: str, value: str, concept: str, scale: Scale, status: Status) -> None:
        self._held.setdefault((attribute, value), (concept, scale, set()))[2].add(status)

    def _reject(self, mention: Mention, reason: Reason, detail: str) -> None:
        row = Rejection(mention.concept_id, "features", reason, detail)
        self._rejections.setdefault(mention.concept_id, row)

    def read(self, boxes: Sequence[ScaleBox]) -> tuple[list[Finding], list[Rejection]]:
        """Return each finding of the reports for each box of its scale."""
        findings = []
        for (attribute, value), (concept, scale, statuses) in sorted(self._held.items()):
            status: Status = next(iter(statuses)) if len(statuses) == 1 else "uncertain"
            findings += [
                Finding(box.field_id, box.scale, attribute, value, concept, status, "report")
                for box in boxes
                if box.scale == scale
            ]
        return findings, list(self._rejections.values())


def _unusable(concept_id: str, category: str, graph: Graph | None) -> str:
    if category in {"Neoplasm", "Disease"}:
        return "no diagnosis of the organ's vocabulary, and no diagnosis section concludes it"
    if graph is not None and only_groups(concept_id, graph):
        return "a kind of finding, not one finding"
    return "scale at which it is seen is not known"


def _preliminary(mention: Mention) -> bool:
    return bool(_PRELIMINARY.search(mention.section or ""))


class CaptionSource:
    """Findings that expert captions name, in the fields and at the scale that each caption was written for.

    A finding that is seen at another scale is rejected as `not_visible`, what ReportSource would reject as there, and a
    caption that names the slide or a place in it, but binds to no field, as `unknown_place`.
    """

    def __init__(
        self,
        captions: Sequence[ExpertCaption],
        linker: Linker,
        terms: Terms,
        graph: Graph | None,
        min_overlap: float,
    ) -> None:
        self._captions = captions
        self._linker = linker
        self._terms = terms
        self._graph = graph
        self._min_overlap = min_overlap

    def read(self, boxes: Sequence[ScaleBox]) -> tuple[list[Finding], list[Rejection]]:
        """Return the findings of the captions bound to each box, by id or by overlap."""
        by_id: dict[str, list[ScaleBox]] = defaultdict(list)
        for box in boxes:
            by_id[box.field_id].append(box)
            by_id[box.tile_id].append(box)
        findings: dict[Finding, None] = {}
        concepts: dict[str, Rejection] = {}
        unplaced = []
        for caption in self._captions:
            near = by_id.get(caption.target, []) if caption.target else boxes
            bound = [box for box in near if box.scale == caption.scale and caption.binds(box, self._min_overlap)]
            if bound:
                said, rejected = self._said(caption)
                concepts = {row.item_id: row for row in rejected} | concepts
                findings |= dict.fromkeys(
                    Finding(box.field_id, box.scale, attribute, value, concept, status, "caption")
                    for box in bound
                    for attribute, value, concept, status in said
                )
            elif near or caption.slide_id:
                item = caption.target or caption.slide_id or ""
                detail = f"{caption.scale} caption binds to no field: no such target, scale or overlap"
                unplaced.append(Rejection(item, "features", "unknown_place", detail))
        return list(findings), [*concepts.values(), *unplaced]

    def _said(self, caption: ExpertCaption) -> tuple[list[tuple[str, str, str, Status]], list[Rejection]]:
        said, rejected = [], []
        for link in self._linker.link(caption.text):
            term = self._terms.by_concept.get(link.concept_id)
            seen = open_finding(link.concept_id, self._graph) if term is None else None
            scale = term.scale if term is not None else seen[1] if seen is not None else None
            if scale == caption.scale and term is not None:
                said.append((term.attribute, term.value.name, term.value.concept_id, link.status))
            elif scale == caption.scale and seen is not None:
                said.append((seen[0], "present", link.concept_id, link.status))
            elif scale is not None:
                detail = f"{link.label}: seen at the {scale} scale, named in a caption of the {caption.scale} one"
                rejected.append(Rejection(link.concept_id, "features", "not_visible", detail))
            elif not_visible(link.concept_id, link.category, self._graph):
                rejected.append(
                    Rejection(link.concept_id, "features", "not_visible", f"{link.label}: no slide shows it")
                )
            elif link.category in FINDINGS:
                detail = f"{link.label}: {_unusable(link.concept_id, link.category, self._graph)}"
                rejected.append(Rejection(link.concept_id, "features", "unknown_concept", detail))
        return said, rejected
