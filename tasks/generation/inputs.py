"""What generation reads from the shards before it: graph, linker, a slide's fields and tiles, its reports' mentions."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from kg.graph import Graph
from kg.link import Lexicon, Linker
from schemas.records import Field, Mention, Report, Slide
from tasks.generation.findings import Box
from tasks.store import Shard

_BOX = ("x_px0", "y_px0", "box_width_px0", "box_height_px0")


@functools.lru_cache(maxsize=2)
def graph_of(folder: Path) -> Graph:
    """Return the graph of a shard's folder, remembered."""
    return Graph.load(folder)


@functools.lru_cache(maxsize=2)
def linker_of(folder: Path) -> Linker:
    """Return the linker of a graph shard's folder, remembered."""
    return Linker(Lexicon.load(folder / "lexicon.parquet"))


@dataclass(frozen=True, slots=True)
class StoredTile:
    """A tile as an endpoint looks at it: JPEG bytes and micrometres per pixel."""

    image: bytes
    mpp: float


class StoredTiles(Mapping[str, StoredTile]):
    """The tiles of a shard by id, in the order in which they are stored; one row group's images are held at a time."""

    def __init__(self, tiles: Shard) -> None:
        """Take the tiling shard."""
        self._shard = tiles
        self._held: tuple[int, dict[str, StoredTile]] = (-1, {})

    @functools.cached_property
    def _group_of(self) -> dict[str, int]:
        with pq.ParquetFile(self._shard.path("tiles.parquet")) as file:
            groups = [file.read_row_group(group, ["tile_id"]) for group in range(file.num_row_groups)]
        return {tile_id: group for group, table in enumerate(groups) for tile_id in table["tile_id"].to_pylist()}

    def __getitem__(self, tile_id: str) -> StoredTile:
        group = self._group_of[tile_id]
        if self._held[0] != group:
            with pq.ParquetFile(self._shard.path("tiles.parquet")) as file:
                columns = file.read_row_group(group, ["tile_id", "image", "mpp"]).to_pydict()
            stored = map(StoredTile, columns["image"], columns["mpp"])
            self._held = group, dict(zip(columns["tile_id"], stored, strict=True))
        return self._held[1][tile_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._group_of)

    def __len__(self) -> int:
        return len(self._group_of)


@dataclass(frozen=True, slots=True)
class SlideInputs:
    """One tiled slide."""

    slide: Slide
    corner_px0: tuple[int, int]
    """Upper left corner (x, y) of the slide's bounds."""
    fields: list[Field]
    boxes: Mapping[str, Box]
    tiles: Mapping[str, StoredTile]


def slide_inputs(tiles: Shard) -> SlideInputs | None:
    """Return what a tiling shard holds, None for a slide that was rejected while tiling."""
    slides = tiles.records("slides", Slide)
    if not slides:
        return None
    columns = tiles.table("tiles", ["tile_id", *_BOX]).to_pydict()
    boxes = dict(zip(columns["tile_id"], zip(*(columns[name] for name in _BOX), strict=True), strict=True))
    x, y = tiles.info.facts["bounds_px0"][:2]
    return SlideInputs(slides[0], (x, y), tiles.records("fields", Field), boxes, StoredTiles(tiles))


def mentions_of(reports: Shard, slide: Slide) -> list[Mention]:
    """Return the mentions in reports of the slide, or of its patient where a report names no slide."""
    of_slide = {
        report.report_id
        for report in reports.records("reports", Report)
        if report.patient_id == slide.patient_id and report.slide_id in (None, slide.slide_id)
    }
    return [mention for mention in reports.records("mentions", Mention) if mention.text_id in of_slide]
