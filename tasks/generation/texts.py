"""All texts of one slide's fields: captions, perturbations and reasoning samples."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from kg.graph import Graph
from kg.vocabulary import Vocabulary
from schemas.origins import with_origin
from schemas.records import Caption, Field, Perturbation, Reasoning, Rejection
from tasks.generation.caption_styles import Draft
from tasks.generation.captions import write_captions
from tasks.generation.config import GenerationConfig
from tasks.generation.findings import DIAGNOSIS
from tasks.generation.mirror import mirrored
from tasks.generation.operators import Change
from tasks.generation.paragraphs import write_paragraphs
from tasks.generation.perturbations import perturb
from tasks.generation.proposals import propose
from tasks.generation.reasoning import reason
from tasks.generation.reasoning_filters import refused_by
from tasks.generation.similarity import TfIdf
from tasks.generation.view import FieldView, Tools
from tasks.generation.wordings import word_captions
from tasks.generation.writer import Writer
from tasks.generation.written_reasoning import write_reasoning
from tasks.store import ShardWriter


@dataclasses.dataclass
class Texts:
    """What was written of one slide's fields, and what was not."""

    captions: list[Caption]
    perturbations: list[Perturbation]
    reasoning: list[Reasoning]
    rejections: list[Rejection]


def generate_texts(
    fields: Sequence[Field],
    graph: Graph,
    vocabulary: Vocabulary,
    config: GenerationConfig,
    out: ShardWriter,
    writer: Writer | None = None,
) -> None:
    """Write the tables captions, perturbations, reasoning and rejections of one slide.

    The unit counted is the text: each caption, perturbation and reasoning sample that was attempted is written or
    rejected; a field without features is one rejection (`no_features`), and so is what an endpoint could not word.
    """
    texts = write_texts(fields, Tools(graph, vocabulary, config), writer)
    out.write_records("captions", texts.captions, Caption)
    out.write_records("perturbations", texts.perturbations, Perturbation)
    out.write_records("reasoning", texts.reasoning, Reasoning)
    held = len(texts.captions) + len(texts.perturbations) + len(texts.reasoning)
    slide_of = {field.field_id: None for field in fields}  # whose own id tells
    rejections = with_origin(texts.rejections, lambda item: slide_of.get(item, fields[0].slide_id))
    out.count(items_in=held + len(rejections), items_out=held, rejections=rejections)
    counts = Counter(f"{row.operator}/{row.role}" for row in texts.perturbations)
    out.facts.update(
        operators=dict(sorted(counts.items())),
        hard_negatives=sum(row.hard_negative for row in texts.perturbations),
        mirrored=sum(row.mirrored for row in texts.perturbations),
        refused_by=refused_by(texts.rejections),
        without_diagnosis=sum(DIAGNOSIS not in FieldView(field).present for field in fields),
    )


def write_texts(fields: Sequence[Field], tools: Tools, writer: Writer | None = None) -> Texts:
    """Return captions, perturbations and reasoning samples of one slide's fields.

    With a writer, captions and reasoning samples are in the endpoint's words and it proposes negatives of its own.
    """
    texts = Texts([], [], [], [])
    views = []
    for field in fields:
        view = FieldView(field)
        if view.present:
            views.append(view)
        else:
            said = "nothing is known to be present"
            texts.rejections.append(Rejection(field.field_id, "generation", "no_features", said))
    if writer is not None:
        tools = _worded(views, tools, writer, texts)
    written = _captions(views, tools, texts)
    proposed: dict[str, list[Change]] = {}
    if writer is not None and tools.config.proposed_negatives:
        proposed, refused = propose(writer.asker, writer.linker, written, tools)
        texts.rejections += refused
    tfidf = TfIdf(caption.text for caption in texts.captions)
    for view, captions in written:
        for caption, draft in captions:
            rows, dropped = perturb(caption, draft, view, tools, tfidf, proposed.get(caption.caption_id, ()))
            texts.perturbations += rows
            texts.rejections += dropped
    texts.perturbations = _with_mirrors(texts.perturbations, texts.captions, tools.config)
    _reason(views, tools, writer, texts)
    return texts


def _worded(views: Sequence[FieldView], tools: Tools, writer: Writer, texts: Texts) -> Tools:
    """Return the tools with the endpoint's words for captions."""
    claims = writer.claims(tools)
    wordings, refused = word_captions(writer.asker, claims, tools.config.phrasings)
    texts.rejections += refused
    tools = dataclasses.replace(tools, wordings=wordings)
    paragraphs, refused = write_paragraphs(writer.asker, claims, views, tools)
    texts.rejections += refused
    return dataclasses.replace(tools, wordings=wordings | paragraphs)


def _captions(
    views: Sequence[FieldView], tools: Tools, texts: Texts
) -> list[tuple[FieldView, list[tuple[Caption, Draft]]]]:
    written = []
    for view in views:
        captions, dropped = write_captions(view, tools)
        written.append((view, captions))
        texts.captions += [caption for caption, _ in captions]
        texts.rejections += dropped
    return written


def _reason(views: Sequence[FieldView], tools: Tools, writer: Writer | None, texts: Texts) -> None:
    samples = []
    for view in views:
        sample, refused = reason(view, tools)
        samples += [(view, sample)] if sample else []
        texts.rejections += [refused] if refused else []
    if writer is None:
        texts.reasoning = [sample for _, sample in samples]
    else:
        texts.reasoning, faults = write_reasoning(writer.asker, writer.claims(tools), samples, tools)
        texts.rejections += faults


def _with_mirrors(
    rows: Sequence[Perturbation], captions: Sequence[Caption], config: GenerationConfig
) -> list[Perturbation]:
    """Return the perturbations with those marked that make mirrored pairs within the slide."""
    hard = [row for row in rows if row.hard_negative]
    texts = {caption.caption_id: caption.text for caption in captions}
    kept = set(mirrored(hard, texts, {row.patient_id: "slide" for row in hard}, config.seed))
    return [dataclasses.replace(row, mirrored=True) if row.perturbation_id in kept else row for row in rows]
