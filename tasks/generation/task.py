"""Prefect tasks of generation: linked reports, features and texts per slide, questions over all slides."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect import task

from kg.graph import Graph
from kg.link import Lexicon, Linker
from kg.vocabulary import load_vocabulary
from schemas.records import Field, Mention, Report, Slide
from tasks.generation.config import FeaturesConfig, GenerationConfig
from tasks.generation.expert_captions import ExpertCaption
from tasks.generation.features import generate_features
from tasks.generation.questions import generate_questions
from tasks.generation.reports import link_reports, read_reports
from tasks.generation.texts import generate_texts
from tasks.splits import assign_splits
from tasks.store import Shard, ShardInfo, ShardStore, ShardWriter

_BOX = ["tile_id", "x_px0", "y_px0", "box_width_px0", "box_height_px0"]


@functools.lru_cache(maxsize=2)
def _graph(folder: Path) -> Graph:
    return Graph.load(folder)


@functools.lru_cache(maxsize=2)
def _linker(folder: Path) -> Linker:
    return Linker(Lexicon.load(folder / "lexicon.parquet"))


@task(name="link reports", persist_result=False)
def link(store: ShardStore, key: str, files: Mapping[str, str], root: Path, graph: Shard) -> ShardInfo:
    """Read the report files (path -> patient, relative to `root`) and link their text to the graph."""

    def make(out: ShardWriter) -> None:
        reports, rejections = read_reports(files, root)
        out.write_records("reports", reports, Report)
        out.write_records("mentions", link_reports(reports, _linker(graph.folder)), Mention)
        out.count(items_in=len(reports) + len(rejections), items_out=len(reports), rejections=rejections)

    return store.ensure("reports", key, make)[0]


@task(name="attach features", persist_result=False)
def attach(
    store: ShardStore,
    key: str,
    tiles: Shard,
    reports: Shard,
    graph: Shard,
    config: FeaturesConfig,
    *,
    annotations: Path | None,
    captions: Sequence[ExpertCaption],
) -> ShardInfo:
    """Say what each field of one slide shows, from annotations, expert captions and the patient's reports."""

    def make(out: ShardWriter) -> None:
        slides = tiles.records("slides", Slide)
        if not slides:  # the slide was rejected while tiling
            out.write_records("fields", [], Field)
            out.count(items_in=0, items_out=0, rejections=[])
            return
        columns = tiles.table("tiles", _BOX).to_pydict()
        boxes = dict(zip(columns["tile_id"], zip(*(columns[name] for name in _BOX[1:]), strict=True), strict=True))
        generate_features(
            tiles.records("fields", Field),
            slides[0],
            boxes,
            config,
            load_vocabulary(),
            out=out,
            annotations=annotations,
            captions=captions,
            mentions=_mentions(reports, slides[0]),
            linker=_linker(graph.folder),
            graph=_graph(graph.folder),
        )

    return store.ensure("features", key, make)[0]


def _mentions(reports: Shard, slide: Slide) -> list[Mention]:
    of_slide = {
        report.report_id
        for report in reports.records("reports", Report)
        if report.patient_id == slide.patient_id and report.slide_id in (None, slide.slide_id)
    }
    return [mention for mention in reports.records("mentions", Mention) if mention.text_id in of_slide]


@task(name="write texts", persist_result=False)
def write_texts(store: ShardStore, key: str, features: Shard, graph: Shard, config: GenerationConfig) -> ShardInfo:
    """Write captions, perturbations and reasoning samples of one slide's fields."""

    def make(out: ShardWriter) -> None:
        generate_texts(features.records("fields", Field), _graph(graph.folder), load_vocabulary(), config, out)

    return store.ensure("texts", key, make)[0]


def split_patients(fields: Sequence[Field], config: GenerationConfig) -> dict[str, str]:
    """Return the split of every patient, balanced by fields within organs."""
    organs = {field.patient_id: field.organ for field in fields}
    counts = Counter(field.patient_id for field in fields)
    shares = config.splits.model_dump()
    return assign_splits(counts, shares=shares, seed=config.seed, organ_of_patient=organs)


@task(name="write questions", persist_result=False)
def write_questions(
    store: ShardStore, key: str, features: Sequence[Shard], graph: Shard, config: GenerationConfig
) -> ShardInfo:
    """Write counterbalanced questions over the fields of all slides, within each split."""

    def make(out: ShardWriter) -> None:
        fields = [field for shard in features for field in shard.records("fields", Field)]
        splits = split_patients(fields, config)
        out.facts["split_of_patient"] = splits
        generate_questions(fields, splits, _graph(graph.folder), load_vocabulary(), config, out)

    return store.ensure("questions", key, make)[0]
