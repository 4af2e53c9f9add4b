"""What generation would ask of an endpoint: the whole stage without a call, from the shards that are there."""

from __future__ import annotations

from dataclasses import dataclass, field

from flows.config import RunConfig
from flows.plan import Plan, make_plan
from kg.vocabulary import load_vocabulary
from schemas.records import Field
from tasks.endpoint.estimate import Estimate
from tasks.endpoint.rehearsal import Rehearsal
from tasks.generation.expert_captions import read_expert_captions
from tasks.generation.features import Evidence, attach_features
from tasks.generation.inputs import graph_of, linker_of, mentions_of, slide_inputs
from tasks.generation.questions import write_questions
from tasks.generation.texts import write_texts
from tasks.generation.view import Tools
from tasks.generation.writer import Writer
from tasks.store import Shard


@dataclass
class Rehearsed:
    """Calls by step, and what they do not contain."""

    steps: dict[str, Estimate] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def calls_table(found: Rehearsed) -> list[str]:
    """Return calls, tokens and cost by step as lines for people."""
    lines = [f"{'step':<12}{'calls':>8}{'answered':>10}{'prompt tokens':>15}{'answer tokens':>15}{'cost':>12}"]
    for step, cost in found.steps.items():
        price = "unknown" if cost.cost is None else f"{cost.cost:,.2f}"
        tokens = f"{cost.prompt_tokens:>15,}{cost.completion_tokens:>15,}"
        lines.append(f"{step:<12}{cost.calls:>8,}{cost.stored:>10,}{tokens}{price:>12}")
    lines += ["", "prompt tokens are about, answer tokens and cost at most; retries and repairs come on top"]
    return [*lines, *(f"not counted: {what}" for what in found.unknown)]


def rehearse_generation(config: RunConfig) -> Rehearsed:
    """Return what every step would ask that is not answered yet; nothing is sent and nothing is written.

    A step that another one's missing answers decide is estimated without them, and said so.
    """
    plan, found = make_plan(config), Rehearsed()
    endpoint = config.generation.endpoint
    if endpoint is None:
        return found
    shards = [plan.store.look("tiling", key) for key in plan.tiling]
    graph = plan.store.look("graph", plan.graph)
    if missing := sum(shard is None for shard in shards):
        found.unknown.append(f"calls for {missing} of {len(shards)} slides: they are not tiled yet")
    if graph is None:
        found.unknown.append("all calls: the graph is not built yet")
        return found
    asked = {step: Rehearsal(endpoint, plan.endpoint_folder) for step in ("features", "texts", "questions")}
    by_slide = [_fields(plan, place, shard, graph, asked["features"]) for place, shard in enumerate(shards) if shard]
    if config.generation.generator == "openai":
        _write(plan, by_slide, graph, asked["texts"], asked["questions"])
    found.steps = {step: rehearsal.so_far() for step, rehearsal in asked.items()}
    if found.steps["features"].calls:
        found.unknown.append("texts and questions on features that the endpoint has yet to see")
    if found.steps["texts"].calls and config.generation.judge_min_score is not None:
        found.unknown.append("one call of the judge for each reasoning sample that is written")
    return found


def _fields(plan: Plan, place: int, tiles: Shard, graph: Shard, rehearsal: Rehearsal) -> list[Field]:
    """Return a slide's fields with features: those of the shard, else as they can be had without a call."""
    done = plan.store.look("features", plan.features[place])
    if done is not None:
        return done.records("fields", Field)
    inputs = slide_inputs(tiles)
    if inputs is None:
        return []
    source, config = plan.sources[place], plan.config
    reports = plan.store.look("reports", plan.reports)
    evidence = Evidence(
        annotations=source.root / source.annotations if source.annotations else None,
        corner_px0=inputs.corner_px0,
        captions=read_expert_captions(config.captions) if config.captions else [],
        mentions=mentions_of(reports, inputs.slide) if reports else [],
        linker=linker_of(graph.folder),
        graph=graph_of(graph.folder),
        tiles=inputs.tiles,
        asker=rehearsal,
    )
    settings, vocabulary = config.generation.features, load_vocabulary()
    return attach_features(inputs.fields, inputs.slide, inputs.boxes, settings, vocabulary, evidence)[0]


def _write(plan: Plan, by_slide: list[list[Field]], graph: Shard, texts: Rehearsal, questions: Rehearsal) -> None:
    settings, vocabulary, known = plan.config.generation, load_vocabulary(), graph_of(graph.folder)
    linker = linker_of(graph.folder)
    for fields in by_slide:
        write_texts(fields, Tools(known, vocabulary, settings), Writer(texts, linker))
    fields = [field for several in by_slide for field in several]
    write_questions(fields, plan.splits, known, vocabulary, settings, Writer(questions, linker))
