"""Prefect tasks of generation: linked reports, features and texts per slide, questions over all slides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect import task

from kg.vocabulary import load_vocabulary
from schemas.records import Field, Mention, Report, Slide
from tasks.endpoint.client import Endpoint
from tasks.generation.config import GenerationConfig
from tasks.generation.expert_captions import ExpertCaption
from tasks.generation.features import Evidence, generate_features
from tasks.generation.inputs import graph_of, linker_of, mentions_of, slide_inputs
from tasks.generation.questions import generate_questions
from tasks.generation.reports import link_reports, read_reports
from tasks.generation.texts import generate_texts
from tasks.generation.unplaced import unplaced
from tasks.generation.writer import Writer
from tasks.store import Shard, ShardInfo, ShardStore, ShardWriter


@task(name="link reports", persist_result=False)
def link(store: ShardStore, key: str, files: Mapping[str, str], root: Path, graph: Shard) -> ShardInfo:
    """Read the report files (path -> patient, relative to `root`) and link their text to the graph."""

    def make(out: ShardWriter) -> None:
        reports, rejections = read_reports(files, root)
        out.write_records("reports", reports, Report)
        out.write_records("mentions", link_reports(reports, linker_of(graph.folder)), Mention)
        out.count(items_in=len(reports) + len(rejections), items_out=len(reports), rejections=rejections)

    return store.ensure("reports", key, make)[0]


@task(name="attach features", persist_result=False)
def attach(
    store: ShardStore,
    key: str,
    tiles: Shard,
    reports: Shard,
    graph: Shard,
    config: GenerationConfig,
    endpoint: Path,
    *,
    annotations: Path | None,
    captions: Sequence[ExpertCaption],
) -> ShardInfo:
    """Say what each field of one slide shows, from annotations, expert captions, an endpoint and reports."""

    def make(out: ShardWriter) -> None:
        inputs = slide_inputs(tiles)
        if inputs is None:  # the slide was rejected while tiling
            out.write_records("fields", [], Field)
            out.count(items_in=0, items_out=0, rejections=[])
            return
        evidence = Evidence(
            annotations=annotations,
            corner_px0=inputs.corner_px0,
            captions=captions,
            mentions=mentions_of(reports, inputs.slide),
            linker=linker_of(graph.folder),
            graph=graph_of(graph.folder),
            tiles=inputs.tiles,
            asker=Endpoint(config.endpoint, endpoint) if config.endpoint else None,
        )
        vocabulary = load_vocabulary()
        generate_features(inputs.fields, inputs.slide, inputs.boxes, config.features, vocabulary, evidence, out)

    return store.ensure("features", key, make)[0]


@task(name="write texts", persist_result=False)
def write_texts(
    store: ShardStore, key: str, features: Shard, graph: Shard, config: GenerationConfig, endpoint: Path
) -> ShardInfo:
    """Write captions, perturbations and reasoning samples of one slide's fields."""

    def make(out: ShardWriter) -> None:
        fields, writer = features.records("fields", Field), _writer(graph, config, endpoint)
        generate_texts(fields, graph_of(graph.folder), load_vocabulary(), config, out, writer)

    return store.ensure("texts", key, make)[0]


@task(name="write questions", persist_result=False)
def write_questions(
    store: ShardStore,
    key: str,
    features: Sequence[Shard],
    graph: Shard,
    splits: Mapping[str, str],
    config: GenerationConfig,
    endpoint: Path,
    *,
    tiles: Sequence[Shard],
    reports: Shard,
    captions: Sequence[ExpertCaption],
) -> ShardInfo:
    """Write counterbalanced questions over the fields of all slides, within each split.

    Here, where all slides are known, the captions and reports that name none of them are rejected.
    """

    def make(out: ShardWriter) -> None:
        fields = [field for shard in features for field in shard.records("fields", Field)]
        out.facts["split_of_patient"] = dict(splits)
        slides = [slide for shard in tiles for slide in shard.records("slides", Slide)]
        lost = unplaced(slides, fields, captions, reports.records("reports", Report))
        writer = _writer(graph, config, endpoint)
        generate_questions(fields, splits, graph_of(graph.folder), load_vocabulary(), config, out, writer, lost)

    return store.ensure("questions", key, make)[0]


def _writer(graph: Shard, config: GenerationConfig, endpoint: Path) -> Writer | None:
    """Return the endpoint that words texts, None where the rules do."""
    if config.generator == "rules" or config.endpoint is None:
        return None
    return Writer(Endpoint(config.endpoint, endpoint), linker_of(graph.folder))
