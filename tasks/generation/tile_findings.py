"""Findings from a vision-language endpoint that looks at the tiles: the closed vocabulary asked as structured output.

What such a model says may be wrong, so it is no truth: nothing is certified by it (`view.trusted`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model

from kg.vocabulary import load_vocabulary
from schemas.records import Rejection
from schemas.records.shared import SCALES, Scale
from tasks.endpoint.answers import Failure
from tasks.endpoint.client import Endpoint, Outcome
from tasks.endpoint.requests import Request
from tasks.generation.findings import Finding, ScaleBox, Terms
from tasks.generation.inputs import StoredTile
from tasks.generation.prompting import messages

UNKNOWN = "not_assessable"
SOURCE = "endpoint"
_MAX_TOKENS = 300
_AT_ONCE = 256  # requests with their images in memory; a slide may have a hundred thousand tiles


@functools.cache
def reply_of(scale: Scale) -> type[BaseModel]:
    """Return the form of an answer about a tile of a scale: each attribute seen there, one of its values or unknown."""
    columns: dict[str, Any] = {
        name: (Literal[(*attribute.values, UNKNOWN)], ...)
        for name, attribute in load_vocabulary().attributes.items()
        if attribute.scale == scale
    }
    return create_model(f"{scale.capitalize()}Findings", __config__=ConfigDict(extra="forbid"), **columns)


def tile_request(box: ScaleBox, tile: StoredTile, organ: str | None) -> Request:
    """Return the question about one tile."""
    slots = {
        "organ": organ,
        "scale": box.scale,
        "mpp": f"{tile.mpp:g}",
        "unknown": UNKNOWN,
        "attributes": [
            (name, list(attribute.values))
            for name, attribute in load_vocabulary().attributes.items()
            if attribute.scale == box.scale
        ],
    }
    said = messages("tile_findings", slots, tile.image)
    return Request(box.tile_id, "features", said, reply_of(box.scale), max_tokens=_MAX_TOKENS)


class TileSource:
    """Findings that a vision endpoint names, in the field and at the scale of the tile that it was shown."""

    def __init__(self, tiles: Mapping[str, StoredTile], terms: Terms, organ: str | None, asker: Endpoint) -> None:
        """Take the tiles by id, the vocabulary for the organ, and whom to ask."""
        self._tiles = tiles
        self._terms = terms
        self._organ = organ
        self._asker = asker

    def read(self, boxes: Sequence[ScaleBox]) -> tuple[list[Finding], list[Rejection]]:
        """Return what is seen in each tile; a tile about which there is no answer is a rejection.

        Tiles are shown in the order in which they are stored, and only so many are held at once.
        """
        place = {tile_id: number for number, tile_id in enumerate(self._tiles)}
        stored = sorted(boxes, key=lambda box: place[box.tile_id])
        outcomes: dict[str, Outcome] = {}
        for start in range(0, len(stored), _AT_ONCE):
            batch = stored[start : start + _AT_ONCE]
            requests = [tile_request(box, self._tiles[box.tile_id], self._organ) for box in batch]
            outcomes.update(zip((box.tile_id for box in batch), self._asker.ask(requests), strict=True))
        findings: list[Finding] = []
        rejections: list[Rejection] = []
        for box in boxes:
            outcome = outcomes[box.tile_id]
            if isinstance(outcome, Failure):
                rejections.append(outcome.rejection())
            elif outcome.value is not None:
                findings += self._findings(box, outcome.value.model_dump())
        return findings, rejections

    def _findings(self, box: ScaleBox, said: Mapping[str, str]) -> Iterable[Finding]:
        for attribute, name in said.items():
            term = self._terms.named(attribute, name)
            if term is not None:
                value = term.value
                yield Finding(box.field_id, box.scale, attribute, value.name, value.concept_id, "present", SOURCE)


def undecided(boxes: Iterable[ScaleBox], known: Mapping[str, Iterable[Finding]]) -> list[ScaleBox]:
    """Return the boxes at whose scale some attribute is not decided yet, so that only they are looked at."""
    attributes: dict[Scale, set[str]] = {scale: set(reply_of(scale).model_fields) for scale in SCALES}
    decided = {field_id: {finding.attribute for finding in findings} for field_id, findings in known.items()}
    return [box for box in boxes if attributes[box.scale] - decided.get(box.field_id, set())]
