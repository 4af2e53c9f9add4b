"""Readers that are not ours work on a release as it lies."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import simplejpeg
from PIL import Image

from tasks.releases.read import Release

Rows = dict[str, list[Any]]


def test_duckdb_joins_the_tables_of_a_release(published: Release) -> None:
    data = published.path / "data"
    query = (
        "SELECT q.split, count(*), count(DISTINCT t.image) FROM read_parquet(?) q "
        "JOIN read_parquet(?) t USING (field_id) GROUP BY q.split ORDER BY q.split"
    )
    with duckdb.connect() as connection:
        files = [str(data / table / "*.parquet") for table in ("questions", "tiles")]
        found = connection.execute(query, files).fetchall()
    assert found == [("test", 6, 6), ("train", 24, 24), ("val", 6, 6)]


def test_pandas_reads_a_folder_and_its_images(published: Release, rows: Rows) -> None:
    tiles = pd.read_parquet(published.path / "data" / "tiles")
    assert len(tiles) == 36
    pixels = simplejpeg.decode_jpeg(tiles.image.iloc[0])
    assert pixels.shape == (64, 64, 3)
    questions = pd.read_parquet(published.path / "data" / "questions", filters=[("split", "==", "val")])
    assert {tuple(options) for options in questions.options} == {rows["questions"][0].options}


def test_polars_scans_a_release_lazily(published: Release) -> None:
    polars = pytest.importorskip("polars")
    captions = polars.scan_parquet(f"{published.path}/data/captions/*.parquet")
    counts = captions.group_by("split").len().sort("split").collect()
    assert counts.rows() == [("test", 2), ("train", 8), ("val", 2)]
    generators = captions.select(polars.col("provenance").struct.field("generator")).collect()
    assert generators["generator"].unique().to_list() == ["rules"]


def test_datasets_loads_every_config_with_its_splits_and_shows_images(
    published: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    folder, cache = str(published.path), str(tmp_path / "cache")
    assert sorted(datasets.get_dataset_config_names(folder)) == sorted(published.tables)
    for name, table in published.tables.items():
        loaded = datasets.load_dataset(folder, name, cache_dir=cache)
        assert {split: part.num_rows for split, part in loaded.items()} == table["splits"], name
    by_default = datasets.load_dataset(folder, split="train", cache_dir=cache)
    assert "question_id" in by_default.column_names
    image = datasets.load_dataset(folder, "tiles", split="test", cache_dir=cache)[0]["image"]
    assert isinstance(image, Image.Image)
    assert image.size == (64, 64)


@pytest.mark.filterwarnings("ignore")  # of the libraries that mlcroissant stands on
def test_croissant_is_valid_and_its_records_are_the_rows(published: Release, rows: Rows) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    dataset = mlcroissant.Dataset(jsonld=str(published.path / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    found = {record["questions/question_id"].decode(): record for record in dataset.records("questions")}
    assert set(found) == {row.question_id for row in rows["questions"]}
    one = rows["questions"][0]
    assert [text.decode() for text in found[one.question_id]["questions/options"]] == list(one.options)
    tiles = list(dataset.records("tiles"))
    assert len(tiles) == 36
    expected = {row.tile_id: row.image for row in rows["tiles"]}
    picture = tiles[0]["tiles/image"]
    original = Image.open(io.BytesIO(expected[tiles[0]["tiles/tile_id"].decode()]))
    assert np.array_equal(np.asarray(picture), np.asarray(original))
