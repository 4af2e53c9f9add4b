"""Findings from linked text: expert captions bound to a place and scale, and reports of the patient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from kg.graph import Graph
from kg.link import Linker
from schemas.records import Mention, Rejection
from schemas.records.shared import Scale, Status
from tasks.generation.expert_captions import ExpertCaption
from tasks.generation.findings import Finding, ScaleBox, Terms

_NEVER_SEEN = frozenset({"StageGrade", "Biomarker", "MolecularAbnormality", "Gene"})
_FINDINGS = frozenset({"MorphologicFinding", "AbnormalCell", "Neoplasm", "Disease", "Quality"})


def not_visible(concept_id: str, category: str, graph: Graph | None) -> bool:
    """Return whether no slide can show the concept: the graph says so, or stages, markers and genes in general."""
    node = graph.nodes.get(concept_id) if graph is not None else None
    if node is not None and node.scale is not None:
        return node.scale == "not_visible"
    return category in _NEVER_SEEN


class ReportSource:
    """Findings that the patient's reports name, attached to every field: a report speaks of the case, not of a place.

    Statuses are kept. What a slide cannot show is rejected as `not_visible`, findings outside the vocabulary as
    `unknown_concept`; organs, cells and stains that a report merely names are no findings and are passed over.
    """

    def __init__(self, mentions: Iterable[Mention], terms: Terms, graph: Graph | None) -> None:
        self._held: dict[tuple[str, str], tuple[str, set[Status]]] = {}
        self._rejections: dict[str, Rejection] = {}
        for mention in mentions:
            self._take(mention, terms, graph)
        self._scale_of = terms.scale_of

    def _take(self, mention: Mention, terms: Terms, graph: Graph | None) -> None:
        term = terms.by_concept.get(mention.concept_id)
        if term is not None:
            _, statuses = self._held.setdefault((term.attribute, term.value.name), (term.value.concept_id, set()))
            statuses.add(mention.status)
        elif not_visible(mention.concept_id, mention.category, graph):
            row = Rejection(mention.concept_id, "features", "not_visible", f"{mention.label}: no slide shows it")
            self._rejections.setdefault(mention.concept_id, row)
        elif mention.category in _FINDINGS:
            row = Rejection(
                mention.concept_id, "features", "unknown_concept", f"{mention.label}: not in the vocabulary"
            )
            self._rejections.setdefault(mention.concept_id, row)

    def read(self, boxes: Sequence[ScaleBox]) -> tuple[list[Finding], list[Rejection]]:
        """Return each finding of the reports for each box of its scale."""
        findings = []
        for (attribute, value), (concept, statuses) in sorted(self._held.items()):
            status: Status = next(iter(statuses)) if len(statuses) == 1 else "uncertain"
            findings += [
                Finding(box.field_id, box.scale, attribute, value, concept, status, "report")
                for box in boxes
                if box.scale == self._scale_of[attribute]
            ]
        return findings, list(self._rejections.values())


class CaptionSource:
    """Findings that expert captions name, in the fields and at the scale that each caption was written for."""

    def __init__(
        self, captions: Iterable[ExpertCaption], linker: Linker, terms: Terms, graph: Graph | None, min_overlap: float
    ) -> None:
        self._min_overlap = min_overlap
        self._rejections: dict[str, Rejection] = {}
        self._said: list[tuple[ExpertCaption, list[tuple[str, str, str, Scale, Status]]]] = []
        for caption in captions:
            said = []
            for link in linker.link(caption.text):
                term = terms.by_concept.get(link.concept_id)
                if term is not None and term.scale == caption.scale:
                    said.append((term.attribute, term.value.name, term.value.concept_id, term.scale, link.status))
                elif not_visible(link.concept_id, link.category, graph):
                    row = Rejection(link.concept_id, "features", "not_visible", f"{link.label}: no slide shows it")
                    self._rejections.setdefault(link.concept_id, row)
            self._said.append((caption, said))

    def read(self, boxes: Sequence[ScaleBox]) -> tuple[list[Finding], list[Rejection]]:
        """Return the findings of the captions bound to each box, by id or by overlap."""
        by_id: dict[str, list[ScaleBox]] = defaultdict(list)
        for box in boxes:
            by_id[box.field_id].append(box)
            by_id[box.tile_id].append(box)
        findings: dict[Finding, None] = {}
        for caption, said in self._said:
            bound = by_id.get(caption.target, []) if caption.target else boxes
            for box in bound:
                if box.scale == caption.scale and caption.binds(box, self._min_overlap):
                    for attribute, value, concept, scale, status in said:
                        findings[Finding(box.field_id, scale, attribute, value, concept, status, "caption")] = None
        return list(findings), list(self._rejections.values())
