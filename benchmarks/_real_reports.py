"""What generation makes of eleven published reports of real cases, with the starter graph and no annotation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks._claims import Claim, claim
from kg.graph import Graph
from kg.link import Lexicon, Linker
from kg.vocabulary import load_vocabulary
from schemas.records import Field, Provenance, Reasoning, ReasoningStep, Rejection, Report, Slide
from tasks.generation.config import FeaturesConfig, GenerationConfig
from tasks.generation.features import Evidence, attach_features
from tasks.generation.reasoning_filters import FILTERS
from tasks.generation.reports import link_reports, read_reports
from tasks.generation.texts import Texts, write_texts
from tasks.generation.view import FieldView, Tools

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
REPORTS = "text/pathreasoner_diagnosis_example.json"
BOXES = {scale: (0.0, 0.0, side, side) for scale, side in (("low", 4000.0), ("mid", 1000.0), ("high", 200.0))}
SLIDE = Slide("s", "p", "a.svs", "a.svs", "0" * 64, "generic", 4000, 4000, 0.5, 0.5, organ="urinary bladder")


def report_claims(graph: Graph) -> Iterator[Claim]:
    """Yield what is measured on the reports; nothing where they are not beside the checkout."""
    if not (SHARED / REPORTS).is_file():
        return
    reports, _ = read_reports({REPORTS: "p"}, SHARED)
    tools, linker = Tools(graph, load_vocabulary(), GenerationConfig()), Linker(Lexicon.from_graph(graph))
    fields, unseen = list[Field](), Counter[str]()
    for report in reports:
        field, rejections = _attached(report, graph, linker)
        fields.append(field)
        unseen.update(row.reason for row in rejections)
    texts = write_texts(fields, tools)
    features = [feature for field in fields for feature in field.features]
    held = Counter(feature.polarity for feature in features)
    name = f"features of {len(reports)} real reports ({held['absent']} denied, {held['uncertain']} uncertain)"
    yield claim(name, len(features), "features", "-", True)
    yield claim("findings that no slide shows, rejected", unseen["not_visible"], "concepts", "-", True)
    told = {concept for row in texts.captions for concept in row.concept_ids}
    told |= {concept for sample in texts.reasoning for concept in sample.concept_ids}
    bad = sum(graph.nodes[concept].scale == "not_visible" for concept in told)
    yield claim("concepts that no slide shows in their captions and reasoning", bad, "concepts", "0", bad == 0)
    true = shown_negatives(fields, texts, graph)
    name = f"negatives that the field shows, of {len(texts.perturbations)}"
    yield claim(name, true, "perturbations", "0", true == 0)
    yield claim(f"reasoning samples of {len(fields)} real reports", len(texts.reasoning), "samples", "-", True)
    yield from _published(reports, fields, tools)


def _attached(report: Report, graph: Graph, linker: Linker) -> tuple[Field, list[Rejection]]:
    field = Field(f"field_{report.report_id}", "s", "p", 2000, 2000, "low", "mid", "high", SLIDE.organ)
    evidence = Evidence(mentions=link_reports([report], linker), graph=graph)
    (made,), rejections = attach_features([field], SLIDE, BOXES, FeaturesConfig(), load_vocabulary(), evidence)
    return made, rejections


def shown_negatives(fields: Sequence[Field], texts: Texts, graph: Graph) -> int:
    """Count exchanges for a concept that the field shows, or that one it shows is a kind of."""
    shown = {
        field.field_id: {
            concept
            for feature in field.features
            if feature.polarity == "present"
            for concept in (feature.concept_id, *graph.ancestors(feature.concept_id))
        }
        for field in fields
    }
    return sum(
        row.operator in {"replace", "rehierarchise"} and row.to_concept in shown[row.field_id]
        for row in texts.perturbations
        if row.from_concept != row.to_concept
    )


def _published(reports: Sequence[Report], fields: Sequence[Field], tools: Tools) -> Iterator[Claim]:
    """Yield how many of the samples, as they were published, observe what no slide shows, and what else is found."""
    refused: Counter[str] = Counter()
    for report, field in zip(reports, fields, strict=True):
        said = {section.title: section.text for section in report.sections}
        steps = (ReasoningStep(said["reasoning"], None, None),)
        where = (report.report_id, field.field_id, "s", "p", "prompt")
        sample = Reasoning(*where, said["findings"], steps, said["diagnosis"], (), (), (), Provenance("rules"))
        refused.update(check.__name__ for check in FILTERS if next(iter(check(sample, FieldView(field), tools)), None))
    told = ", ".join(f"{name} {count}" for name, count in refused.items())
    count = refused["only_visible"]
    yield claim(f"published samples refused ({told})", count, "samples", f"{len(reports)}", count == len(reports))
