"""One annotation file, two stages: where tiling lays a field, generation finds the region that asked for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kg.graph import Graph
from kg.link import Lexicon
from schemas.errors import FileFormatError
from schemas.records import Field, Mention, Report
from tasks.generation.config import GenerationConfig
from tasks.generation.task import attach
from tasks.store import Shard, ShardStore, ShardWriter
from tasks.tiling.config import TilingConfig
from tasks.tiling.manifest import SlideSource, read_sources
from tasks.tiling.shard import tile_slide
from tests.generation.conftest import geojson, region
from tests.tiling.conftest import paint_tissue
from tests.tiling.test_tiling_formats import write_mrxs

CORNER = 512  # where the scanned part of the slide begins, both ways
BothStages = Callable[..., list[Field]]


@pytest.fixture(scope="module")
def slide_with_bounds(tmp_path_factory: pytest.TempPathFactory) -> SlideSource:
    not_scanned = {(0, 0), (1, 0), (2, 0), (0, 1), (0, 2)}
    path = write_mrxs(tmp_path_factory.mktemp("mirax") / "slide", paint_tissue(1536, 1536, margin=-0.4), not_scanned)
    (source,), _ = read_sources(path)
    return replace(source, organ="breast")


@pytest.fixture
def both_stages(slide_with_bounds: SlideSource, graph: Graph, tmp_path: Path) -> BothStages:
    """Fields of a slide that begin where its annotation file says, with what the same file says of them."""
    store = ShardStore(tmp_path / "store")

    def made(stage: str, make: Callable[[ShardWriter], None]) -> Shard:
        store.ensure(stage, "key", make)
        return store.open(stage, "key")

    def knowledge(out: ShardWriter) -> None:
        graph.save(out.path(""))
        Lexicon.from_graph(graph).save(out.path("lexicon.parquet"))

    def no_reports(out: ShardWriter) -> None:
        out.write_records("reports", [], Report)
        out.write_records("mentions", [], Mention)

    def run(annotations: Path, **centres: Any) -> list[Field]:
        source = replace(slide_with_bounds, root=annotations.parent, annotations=annotations.name)
        config = TilingConfig(scales_mpp={"low": 0.5}, tile_px=64, centres={"kind": "annotations", **centres})
        tiles = made("tiling", lambda out: tile_slide(source, config, out))
        shards = {"reports": made("reports", no_reports), "graph": made("graph", knowledge)}
        attach.fn(
            store, "key", tiles, **shards, config=GenerationConfig(), endpoint=tmp_path, annotations=annotations,
            captions=[],
        )  # fmt: skip
        return store.open("features", "key").records("fields", Field)

    return run


def test_both_stages_count_geojson_from_the_corner_of_the_bounds(tmp_path: Path, both_stages: BothStages) -> None:
    solid, papillary = region(100, 100, 200, 200), region(100 + CORNER, 100 + CORNER, 200, 200)
    solid["properties"], papillary["properties"] = (
        {"classification": {"name": name}} for name in ("Solid", "Papillary")
    )
    (field,) = both_stages(geojson(tmp_path / "a.geojson", solid, papillary), classes=("Solid",))
    assert (field.centre_x_px0, field.centre_y_px0) == (200 + CORNER, 200 + CORNER)
    assert [each.value for each in field.features if each.attribute == "architecture"] == ["solid"]


def test_columns_named_level_0_pixels_are_level_0_pixels_and_points_say_nothing(
    tmp_path: Path, both_stages: BothStages
) -> None:
    (tmp_path / "a.csv").write_text("x_px0,y_px0,class\n800,900,Solid\n")
    (field,) = both_stages(tmp_path / "a.csv")
    assert (field.centre_x_px0, field.centre_y_px0, field.features) == (800, 900, ())


@pytest.mark.parametrize("form", ["one feature", "byte order mark", "list"])
def test_every_form_that_tiling_reads_is_read(form: str, tmp_path: Path, attach: Callable[..., Any]) -> None:
    feature = {"type": "Feature", **region(0, 0, 1000, 1000, architecture="solid")}
    text = json.dumps(feature if form == "one feature" else [feature])
    (tmp_path / "a.geojson").write_text(text, encoding="utf-8-sig" if form == "byte order mark" else "utf-8")
    assert attach(annotations=tmp_path / "a.geojson")["architecture"] == "solid"


def test_an_annotation_file_that_is_missing_is_said_to_be_missing(tmp_path: Path, attach: Callable[..., Any]) -> None:
    with pytest.raises(FileFormatError, match="gone.geojson: there is no such annotation file"):
        attach(annotations=tmp_path / "gone.geojson")
