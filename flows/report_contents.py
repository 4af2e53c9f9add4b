"""Gather what a run's report shows from its shards and its release."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from PIL import Image

from flows.candidate import as_reviewed, finished_shards
from flows.plan import Plan
from flows.spending import by_stage, read_spending
from flows.train_model import control_warnings
from schemas.arrow import from_table
from schemas.records import Caption, Field, Perturbation, Question, Reasoning
from schemas.records.shared import SCALES
from tasks.releases.read import Release
from tasks.report.contents import Contents, Example, count_stages, time_stages
from tasks.store import Shard

_EXAMPLES, _OVERLAYS = 6, 48
_PREVIEW_PX = 900
_NEGATIVES, _QUESTIONS = 5, 4


def gather_contents(plan: Plan, release: Release) -> Contents:
    """Return the contents of the report."""
    config = plan.config.release
    shards = finished_shards(plan)
    model = plan.store.find("model", plan.model) if plan.config.training else None
    screening = plan.store.open("screening", plan.screening)
    queue = plan.store.open("queue", plan.queue)
    evaluation = json.loads(model.path("evaluation.json").read_text()) if model else None
    history = model.path("history.jsonl").read_text().splitlines() if model else []
    return Contents(
        title=f"{config.title} {release.version}",
        headline=_headline(plan, release, evaluation),
        stages=count_stages([shard.info for shard in shards]),
        overlays=_overlays(plan),
        examples=_examples(plan, release),
        leaks=json.loads(screening.path("cells.json").read_text()),
        history=[json.loads(line) for line in history],
        evaluation=evaluation,
        flagged=queue.info.facts["flagged"],
        audited=queue.info.facts["audit"],
        release_path=f"{plan.config.releases or 'store'}/{config.dataset}/{release.version}",
        slides=len(plan.sources),
        confidence=plan.config.screening.confidence,
        margin=plan.config.screening.margin,
        spending=by_stage(read_spending(plan.endpoint_folders)),
        times=time_stages([shard.info for shard in shards]),
        warnings=control_warnings(evaluation) if evaluation else (),
        fingerprint=release.fingerprint,
    )


def _headline(plan: Plan, release: Release, evaluation: Any) -> list[tuple[str, str]]:
    rows = {name: table["rows"] for name, table in release.tables.items()}
    patients = len(set(plan.store.open("questions", plan.questions).info.facts["split_of_patient"]))
    headline = [
        ("slides", f"{rows.get('slides', 0):,}"),
        ("patients", f"{patients:,}"),
        ("fields", f"{rows.get('fields', 0):,}"),
        ("captions", f"{rows.get('captions', 0):,}"),
        ("negatives", f"{rows.get('perturbations', 0):,}"),
        ("questions", f"{rows.get('questions', 0):,}"),
        ("reasoning samples", f"{rows.get('reasoning', 0):,}"),
    ]
    if evaluation:
        headline.append(("4-way accuracy", f"{evaluation['multiple_choice']['accuracy']:.2f}"))
    return headline


def _overlays(plan: Plan) -> list[tuple[str, str, bytes]]:
    """Return the overlays of the slides that lost most, in the order of the manifest; a page holds so many."""
    tiled = [(source, plan.store.open("tiling", key)) for source, key in zip(plan.sources, plan.tiling, strict=True)]
    lost = sorted(range(len(tiled)), key=lambda at: (-sum(tiled[at][1].info.rejected.values()), at))
    overlays = []
    for source, shard in (tiled[at] for at in sorted(lost[:_OVERLAYS])):
        dropped = ", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in shard.info.rejected.items())
        text = f"{shard.info.rows.get('fields', 0)} fields; dropped: {dropped or 'none'}"
        if shard.path("overlay.png").is_file():
            overlays.append((source.name, text, _preview(shard.path("overlay.png"))))
    return overlays


def _preview(overlay: Path) -> bytes:
    """Return an overlay small enough for a page that holds one per slide; the whole one stays in its shard."""
    with Image.open(overlay) as image:
        image.thumbnail((_PREVIEW_PX, _PREVIEW_PX))
        stream = io.BytesIO()
        image.convert("RGB").save(stream, "JPEG", quality=82)
    return stream.getvalue()


def _examples(plan: Plan, release: Release) -> list[Example]:
    """One field from each of the first slides that have texts and questions, with everything made from it."""
    reviewed = plan.store.open("reviewed", plan.reviewed)
    by_field: dict[str, list[Question]] = {}
    for question in reviewed.records("questions", Question):
        by_field.setdefault(question.field_id, []).append(question)
    step = max(1, len(plan.sources) // _EXAMPLES)
    examples: list[Example] = []
    for place in range(0, len(plan.sources), step):
        tiles = plan.store.open("tiling", plan.tiling[place])
        texts = plan.store.open("texts", plan.texts[place])
        fields = plan.store.open("features", plan.features[place]).records("fields", Field)
        fields.sort(key=lambda field: (-len({q.dimension for q in by_field.get(field.field_id, [])}), field.field_id))
        if fields and len(examples) < _EXAMPLES:
            of_field = partial(_of_field, texts, reviewed, field_id=fields[0].field_id)
            examples.append(_example(fields[0], tiles, of_field, by_field.get(fields[0].field_id, [])))
    return examples


def _of_field(texts: Shard, reviewed: Shard, table: str, record: Any, field_id: str) -> list[Any]:
    shard, name = as_reviewed(texts, table, reviewed)
    if name not in shard.info.rows:
        return []
    rows = shard.table(name)
    return from_table(rows.filter(pc.equal(rows["field_id"], field_id)), record)


def _example(field: Field, tiles: Shard, of_field: Callable[..., list[Any]], questions: Sequence[Question]) -> Example:
    wanted = {field.tile_id(scale): scale for scale in SCALES if field.tile_id(scale)}
    table = tiles.table("tiles", ["tile_id", "field_id", "scale", "mpp", "image"])
    rows = table.filter(pc.equal(table["field_id"], field.field_id)).to_pylist()
    rows.sort(key=lambda row: SCALES.index(wanted[row["tile_id"]]))
    captions = [caption for caption in of_field("captions", Caption) if caption.phrasing == 0]
    by_id = {caption.caption_id: caption for caption in captions}
    negatives = _varied(
        [row for row in of_field("perturbations", Perturbation) if row.caption_id in by_id],
        lambda row: row.operator,
        _NEGATIVES,
    )
    reasoning = of_field("reasoning", Reasoning)
    return Example(
        field=field,
        images=[(row["scale"], round(row["mpp"], 3), row["image"]) for row in rows],
        captions=captions,
        negatives=[(by_id[row.caption_id], row) for row in negatives],
        questions=_varied(list(questions), lambda row: row.dimension, _QUESTIONS),
        reasoning=reasoning[0] if reasoning else None,
    )


def _varied(rows: Sequence[Any], kind: Any, limit: int) -> list[Any]:
    """Return at most `limit` rows, one of each kind first."""
    first: dict[Any, Any] = {}
    for row in rows:
        first.setdefault(kind(row), row)
    return list(first.values())[:limit]
