"""All texts of one slide's fields: captions, perturbations and reasoning samples."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from kg.graph import Graph
from kg.vocabulary import Vocabulary
from schemas.records import Caption, Field, Perturbation, Reasoning, Rejection
from tasks.generation.caption_styles import Draft
from tasks.generation.captions import write_captions
from tasks.generation.config import GenerationConfig
from tasks.generation.mirror import mirrored
from tasks.generation.perturbations import perturb
from tasks.generation.reasoning import reason
from tasks.generation.similarity import TfIdf
from tasks.generation.view import FieldView, Tools
from tasks.store import ShardWriter


def generate_texts(
    fields: Sequence[Field], graph: Graph, vocabulary: Vocabulary, config: GenerationConfig, out: ShardWriter
) -> None:
    """Write the tables captions, perturbations, reasoning and rejections of one slide.

    The unit counted is the text: each caption, perturbation and reasoning sample that was attempted is written or
    rejected; a field without features is one rejection (`no_features`).
    """
    tools = Tools(graph, vocabulary, config)
    rejections: list[Rejection] = []
    written: list[tuple[FieldView, list[tuple[Caption, Draft]]]] = []
    for field in fields:
        view = FieldView(field)
        if not view.present:
            rejections.append(Rejection(field.field_id, "generation", "no_features", "nothing is known to be present"))
            continue
        captions, dropped = write_captions(view, tools)
        written.append((view, captions))
        rejections += dropped
    tfidf = TfIdf(caption.text for _, captions in written for caption, _ in captions)
    perturbations: list[Perturbation] = []
    samples: list[Reasoning] = []
    for view, captions in written:
        for caption, draft in captions:
            rows, dropped = perturb(caption, draft, view, tools, tfidf)
            perturbations += rows
            rejections += dropped
        sample, refused = reason(view, tools)
        samples += [sample] if sample else []
        rejections += [refused] if refused else []
    rows_out = [caption for _, captions in written for caption, _ in captions]
    perturbations = _with_mirrors(perturbations, rows_out, config)
    out.write_records("captions", rows_out, Caption)
    out.write_records("perturbations", perturbations, Perturbation)
    out.write_records("reasoning", samples, Reasoning)
    held = len(rows_out) + len(perturbations) + len(samples)
    out.count(items_in=held + len(rejections), items_out=held, rejections=rejections)
    counts = Counter(f"{row.operator}/{row.role}" for row in perturbations)
    out.facts.update(
        operators=dict(sorted(counts.items())),
        hard_negatives=sum(row.hard_negative for row in perturbations),
        mirrored=sum(row.mirrored for row in perturbations),
    )


def _with_mirrors(
    rows: Sequence[Perturbation], captions: Sequence[Caption], config: GenerationConfig
) -> list[Perturbation]:
    """Return the perturbations with those marked that make mirrored pairs within the slide."""
    hard = [row for row in rows if row.hard_negative]
    texts = {caption.caption_id: caption.text for caption in captions}
    kept = set(mirrored(hard, texts, {row.patient_id: "slide" for row in hard}, config.seed))
    return [dataclasses.replace(row, mirrored=True) if row.perturbation_id in kept else row for row in rows]
