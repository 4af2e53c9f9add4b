"""Scale-specific features of fields: several sources, one rule of precedence, and the derived diagnosis."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from kg.graph import Graph
from kg.link import Linker
from kg.vocabulary import Vocabulary
from schemas.errors import InputError
from schemas.ids import content_id
from schemas.origins import with_origin
from schemas.records import Feature, Field, Mention, Rejection, Slide
from schemas.records.shared import SCALES
from tasks.endpoint.client import Endpoint
from tasks.generation.annotations import AnnotationSource
from tasks.generation.config import FeaturesConfig
from tasks.generation.expert_captions import ExpertCaption
from tasks.generation.findings import DIAGNOSIS, Box, Finding, FindingSource, ScaleBox, Terms, local_name
from tasks.generation.inputs import StoredTile
from tasks.generation.linked_findings import CaptionSource, ReportSource
from tasks.generation.open_findings import coherent
from tasks.generation.tile_findings import TileSource, undecided
from tasks.store import ShardWriter


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Where one slide's findings can come from; what is empty is not read.

    Attributes:
        annotations: the slide's annotation file.
        corner_px0: upper left corner (x, y) of the slide's bounds, from which GeoJSON counts.
        captions: expert captions; those of other slides are passed over. A slide is named by its id, or by its path
            as the manifest has it.
        mentions: concepts linked in the reports of the slide's patient.
        linker: links expert captions; needed where there are any.
        graph: tells which concepts no slide can show; without it, their category does.
        tiles: tile id -> tile, for an endpoint to look at.
        asker: the endpoint.
    """

    annotations: Path | None = None
    corner_px0: tuple[int, int] = (0, 0)
    captions: Sequence[ExpertCaption] = ()
    mentions: Sequence[Mention] = ()
    linker: Linker | None = None
    graph: Graph | None = None
    tiles: Mapping[str, StoredTile] = dataclasses.field(default_factory=dict)
    asker: Endpoint | None = None


def attach_features(
    fields: Sequence[Field],
    slide: Slide,
    tiles_boxes: Mapping[str, Box],
    config: FeaturesConfig,
    vocabulary: Vocabulary,
    evidence: Evidence,
) -> tuple[list[Field], list[Rejection]]:
    """Return the fields of one slide with what can be seen in them at each scale.

    Per attribute the first source of `config.sources` that speaks of it decides. A source that names two values of one
    attribute, or both asserts and denies one, leaves it open (`ambiguous_feature`). Reports speak of the case, not of a
    place: their findings are attached (to every field) only where no source before them knows anything of the slide.
    An endpoint is shown only tiles of whose scale something is still undecided. The diagnosis is the annotated one,
    else what the vocabulary gives for the organ and the field's architecture, unless a source denies just that.

    Args:
        fields: fields of the slide.
        slide: the slide, for its organ.
        tiles_boxes: tile id -> xywh in level-0 pixels, for every tile that the fields name.
        config: shares, coverage and precedence.
        vocabulary: attributes, their values and scales.
        evidence: annotations, captions, mentions and tiles.

    Returns:
        Every field that came in, in order, and rejections: `no_features` for a field that nothing was found in (it
        stays, with no features), `ambiguous_feature`, `not_visible` and `unknown_concept` for what was not attached,
        `unknown_place` for a caption of this slide that binds to none of its fields, and why an endpoint did not
        answer.

    Raises:
        InputError: captions were given without a linker, or a tile has no box.
    """
    boxes = _boxes(fields, tiles_boxes)
    found: dict[str, list[list[Finding]]] = defaultdict(list)
    rejections: list[Rejection] = []
    for source in _sources(config, Terms(vocabulary, slide.organ), slide, evidence):
        asked = boxes
        if isinstance(source, TileSource):
            asked = undecided(boxes, {name: chain.from_iterable(rows) for name, rows in found.items()})
        findings, rejected = source.read(asked)
        rejections += rejected
        if found and isinstance(source, ReportSource):
            continue  # a report speaks of the case; where places are known it must not fill in what they leave out
        by_field: dict[str, list[Finding]] = defaultdict(list)
        for finding in findings:
            by_field[finding.field_id].append(finding)
        for field_id, rows in by_field.items():
            found[field_id].append(rows)
    featured = []
    for field in fields:
        row, dropped = _featured(
            field, found.get(field.field_id, []), vocabulary, field.organ or slide.organ, evidence.graph
        )
        featured.append(row)
        rejections += dropped
    return featured, rejections


def _featured(
    field: Field, by_source: list[list[Finding]], vocabulary: Vocabulary, organ: str | None, graph: Graph | None
) -> tuple[Field, list[Rejection]]:
    settled, rejections = _settle(by_source)
    kept, contradicted = coherent(settled, graph)
    rejections += contradicted
    features = _features(field, [*kept, *_derived(field, kept, vocabulary, organ)])
    if not features:
        rejections.append(Rejection(field.field_id, "features", "no_features", "no source says what it shows"))
    return dataclasses.replace(field, organ=organ, features=features), rejections


def generate_features(
    fields: Sequence[Field],
    slide: Slide,
    tiles_boxes: Mapping[str, Box],
    config: FeaturesConfig,
    vocabulary: Vocabulary,
    evidence: Evidence,
    out: ShardWriter,
) -> list[Field]:
    """Attach features and write the tables `fields` and `rejections`; the unit counted is the finding.

    A finding is one attribute of one field, one rejected concept, or one field about which nothing is known.
    """
    featured, rejections = attach_features(fields, slide, tiles_boxes, config, vocabulary, evidence)
    known = {field.field_id for field in fields}
    rejections = with_origin(rejections, lambda item: None if item in known else slide.slide_id)
    held = sum(len(field.features) for field in featured)
    out.write_records("fields", featured, Field)
    out.count(items_in=held + len(rejections), items_out=held, rejections=rejections)
    out.facts.update(fields=len(featured), fields_with_features=sum(bool(field.features) for field in featured))
    return featured


def _boxes(fields: Iterable[Field], tiles_boxes: Mapping[str, Box]) -> list[ScaleBox]:
    boxes = []
    for field in fields:
        for scale in SCALES:
            tile_id = field.tile_id(scale)
            if tile_id is not None:
                if tile_id not in tiles_boxes:
                    raise InputError(
                        f"{field.field_id}: no box for its tile {tile_id}", remedy="pass the slide's tiles"
                    )
                boxes.append(ScaleBox(field.field_id, tile_id, scale, tiles_boxes[tile_id]))
    return boxes


def _sources(config: FeaturesConfig, terms: Terms, slide: Slide, evidence: Evidence) -> list[FindingSource]:
    captions = [caption for caption in evidence.captions if caption.slide_id in (None, slide.slide_id, slide.uri)]
    linker, graph = evidence.linker, evidence.graph
    sources: list[FindingSource] = []
    for name in config.sources:
        if name == "annotation" and evidence.annotations is not None:
            sources.append(AnnotationSource(evidence.annotations, evidence.corner_px0, terms, config))
        elif name == "caption" and captions:
            if linker is None:
                raise InputError("expert captions were given without a linker", remedy="pass the graph's linker")
            sources.append(CaptionSource(captions, linker, terms, graph, config.min_caption_overlap))
        elif name == "endpoint" and evidence.asker is not None:
            sources.append(TileSource(evidence.tiles, terms, slide.organ, evidence.asker))
        elif name == "report" and evidence.mentions:
            sources.append(ReportSource(evidence.mentions, terms, graph, slide.organ))
    return sources


def _settle(by_source: list[list[Finding]]) -> tuple[list[Finding], list[Rejection]]:
    """Return the findings of one field that hold, by precedence of their source, and what stays ambiguous."""
    kept: dict[str, list[Finding]] = {}
    rejections = []
    for findings in by_source:
        by_attribute: dict[str, list[Finding]] = defaultdict(list)
        for finding in findings:
            by_attribute[finding.attribute].append(finding)
        for attribute, rows in sorted(by_attribute.items()):
            if attribute in kept:
                continue
            if said := _contradiction(rows):
                detail = f"{attribute}: {rows[0].source} {said}"
                rejections.append(Rejection(rows[0].field_id, "features", "ambiguous_feature", detail))
            else:
                kept[attribute] = rows
    return [row for rows in kept.values() for row in rows], rejections


def _contradiction(rows: Sequence[Finding]) -> str | None:
    """Return how findings of one attribute and source contradict each other: two values, or one of two polarities."""
    present = sorted({row.value for row in rows if row.polarity == "present"})
    if len(present) > 1:
        return f"names {' and '.join(present)}"
    polarities: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        polarities[row.value].add(row.polarity)
    value = next((value for value in sorted(polarities) if len(polarities[value]) > 1), None)
    return None if value is None else f"says {value} is {' and '.join(sorted(polarities[value]))}"


def _derived(field: Field, findings: list[Finding], vocabulary: Vocabulary, organ: str | None) -> list[Finding]:
    if organ is None or any(row.attribute == DIAGNOSIS and row.polarity == "present" for row in findings):
        return []
    spoken_of = {row.concept_id for row in findings if row.attribute == DIAGNOSIS}
    derived = []
    for row in findings:
        value = vocabulary.diagnosis(organ, row.value) if row.attribute == "architecture" else None
        if value is not None and row.polarity == "present" and value.concept_id not in spoken_of:
            name = local_name(value.concept_id)
            derived.append(Finding(field.field_id, row.scale, DIAGNOSIS, name, value.concept_id, "present", row.source))
    return derived


def _features(field: Field, findings: list[Finding]) -> tuple[Feature, ...]:
    rows = {
        (SCALES.index(row.scale), row.attribute, row.value): Feature(
            feature_id=content_id("feat", field.field_id, row.scale, row.attribute, row.value, row.polarity),
            scale=row.scale,
            attribute=row.attribute,
            value=row.value,
            concept_id=row.concept_id,
            polarity=row.polarity,
            source=row.source,
        )
        for row in findings
    }
    return tuple(rows[key] for key in sorted(rows))
