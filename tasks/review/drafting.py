"""From rows of the tables to items of the queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kg.graph import Graph
from schemas.ids import digest
from schemas.records import Caption, Feature, Field, Perturbation, Question, Reasoning
from schemas.records.shared import SCALES
from tasks.review.items import Evidence, ReviewItem

HOLDS = ("It holds for this field", "It does not hold for this field")
ASK_HOLDS = "Does this description hold for the field?"
DESCRIPTION = "description"
_MOST_EDGES = 8
_MOST_DIAGNOSES = 4


class Drafter:
    """Writes items; knows the fields, the graph and why each item was opened.

    Args:
        fields: the fields that items are about, by id.
        graph: the knowledge graph, for labels and statements.
        opened: payload of each item's `open` event, by item id.
    """

    def __init__(self, fields: Mapping[str, Field], graph: Graph, opened: Mapping[str, Mapping[str, Any]]) -> None:
        self._fields, self._graph, self._opened = fields, graph, opened

    def _common(self, item_id: str, field_id: str) -> dict[str, Any]:
        field, opened = self._fields[field_id], self._opened[item_id]
        return {
            "item_id": item_id,
            "field_id": field_id,
            "slide_id": field.slide_id,
            "patient_id": field.patient_id,
            "reasons": tuple(opened["reasons"]),
            "readers": int(opened.get("readers", 1)),
        }

    def _features(self, field_id: str, ids: Iterable[str] | None) -> list[Feature]:
        wanted = None if ids is None else set(ids)
        held = [f for f in self._fields[field_id].features if wanted is None or f.feature_id in wanted]
        return sorted(held, key=lambda feature: SCALES.index(feature.scale))

    def _evidence(self, features: Iterable[Feature]) -> tuple[Evidence, ...]:
        return tuple(
            Evidence(f.scale, f"{f.attribute.replace('_', ' ')}: {self._label(f.concept_id, f.value)}", f.source)
            for f in features
        )

    def _label(self, curie: str, otherwise: str) -> str:
        node = self._graph.nodes.get(curie)
        return node.label if node else otherwise.replace("_", " ")

    def _statements(self, features: Iterable[Feature], concepts: Iterable[str]) -> tuple[str, ...]:
        """Return what the graph says between the findings and the concepts that the item names."""
        found = sorted({feature.concept_id for feature in features})
        others = {concept for joined in concepts for concept in joined.split("+") if concept}
        said = [
            self._in_words(edge)
            for curie in found
            for edge in (self._graph.out_edges(curie) if curie in self._graph.nodes else ())
            if edge.object in others and edge.object != curie
        ]
        return tuple(dict.fromkeys(said))[:_MOST_EDGES]

    def _in_words(self, edge: Any) -> str:
        modality = f" ({edge.modality})" if edge.modality else ""
        verb = edge.predicate.replace("_", " ")
        ends = self._label(edge.subject, edge.subject), self._label(edge.object, edge.object)
        return f"{ends[0]} - {verb}{modality} - {ends[1]}  [{edge.primary_knowledge_source}]"

    def question(self, row: Question) -> ReviewItem:
        """Return the item of a multiple-choice question."""
        features = self._features(row.field_id, row.evidence_ids)
        return ReviewItem(
            **self._common(row.question_id, row.field_id),
            kind="question",
            dimension=row.dimension,
            scales=row.scales,
            ask=row.question,
            statement="",
            options=row.options,
            key=row.answer_index,
            rationale=row.rationale,
            evidence=self._evidence(features),
            path=self._statements(features, row.option_concepts),
            editable={
                "question": row.question,
                "options": list(row.options),
                "answer_index": row.answer_index,
                "rationale": row.rationale,
            },
        )

    def caption(self, row: Caption) -> ReviewItem:
        """Return the item of a caption: does it hold?"""
        features = self._features(row.field_id, row.feature_ids)
        return ReviewItem(
            **self._common(row.caption_id, row.field_id),
            kind="caption",
            dimension=DESCRIPTION,
            scales=(row.scale,) if row.scale else SCALES,
            ask=ASK_HOLDS,
            statement=row.text,
            options=HOLDS,
            key=0,
            rationale=f"It is the caption of this field (level: {row.level}).",
            evidence=self._evidence(features),
            path=(),
            editable={"text": row.text},
        )

    def negative(self, row: Perturbation, caption: Caption) -> ReviewItem:
        """Return the item of a perturbed caption: does it hold? It must not."""
        features = self._features(row.field_id, caption.feature_ids)
        changed = caption.text[row.start : row.end] or "nothing"
        return ReviewItem(
            **self._common(row.perturbation_id, row.field_id),
            kind="negative",
            dimension=DESCRIPTION,
            scales=(row.scale,) if row.scale else SCALES,
            ask=ASK_HOLDS,
            statement=row.text,
            options=HOLDS,
            key=1,
            rationale=f"It was made false by one change ({row.operator} {row.role}): “{changed}” became "
            f"“{row.replacement or 'nothing'}”. Certificate: {row.certificate}.",
            evidence=self._evidence(features),
            path=self._statements(features, [row.to_concept or ""]),
        )

    def reasoning(self, row: Reasoning, diagnoses: Sequence[str]) -> ReviewItem:
        """Return the item of a reasoning sample; `diagnoses` are those of other samples, to choose from."""
        others = sorted(set(diagnoses) - {row.answer}, key=lambda text: digest(row.sample_id, text))
        options = sorted(
            [row.answer, *others[: _MOST_DIAGNOSES - 1]], key=lambda text: digest("order", row.sample_id, text)
        )
        if len(options) == 1:
            options.append("none that can be seen here")
        sources = [f"  [{step.edge_source}]" if step.edge_source else "" for step in row.think]
        return ReviewItem(
            **self._common(row.sample_id, row.field_id),
            kind="reasoning",
            dimension="reasoning",
            scales=SCALES,
            ask="Which diagnosis does this field support?",
            statement="",
            options=tuple(options),
            key=options.index(row.answer),
            rationale=row.observe,
            evidence=self._evidence(self._features(row.field_id, None)),
            path=tuple(step.text + source for step, source in zip(row.think, sources, strict=True)),
            editable={"observe": row.observe, "think": [step.text for step in row.think]},
        )
