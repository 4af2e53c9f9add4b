"""Slides behind urls: through fsspec's memory file system always, and through S3 where moto and s3fs are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from schemas.records import Slide, Tile
from tasks.store import Shard
from tasks.tiling.failures import RefusedSlideError
from tasks.tiling.manifest import SlideSource, read_sources
from tasks.tiling.readers.choice import explain_reader

Tiler = Callable[..., Shard]


@pytest.fixture(scope="module")
def s3() -> Iterator[None]:
    """Serve S3 on loopback and tell fsspec where it is."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    before = dict(fsspec.config.conf)
    fsspec.config.conf["s3"] = {
        "key": "k", "secret": "s", "endpoint_url": f"http://{host}:{port}",
        "client_kwargs": {"region_name": "eu-west-1"},
    }  # fmt: skip
    fsspec.filesystem("s3").mkdir("slides")
    yield
    fsspec.config.conf.clear()
    fsspec.config.conf.update(before)
    server.stop()


def _put(url: str, path: Path) -> str:
    with fsspec.open(url, "wb") as stream:
        stream.write(path.read_bytes())
    return url


def _source(folder: Path, url: str) -> SlideSource:
    manifest = folder / "manifest.csv"
    manifest.write_text(f"path,patient_id\n{url},P1\n")
    (source,), rejections = read_sources(folder, manifest=manifest)
    assert rejections == []
    return source


def _images(tiles: list[Tile]) -> dict[tuple[str, int, int], bytes]:
    return {(row.scale, row.x_px0, row.y_px0): row.image for row in tiles}


def _check(folder: Path, url: str, plain_slide: Path, tile: Tiler, small: Any) -> None:
    assert explain_reader(url).reader == "tiffslide"
    source = _source(folder, url)
    remote = tile(source, **small)
    local = tile(plain_slide, **small)
    (slide,) = remote.records("slides", Slide)
    assert (slide.uri, slide.name) == (url, "plain.svs")
    assert slide.sha256 == local.records("slides", Slide)[0].sha256
    tiles = remote.records("tiles", Tile)
    assert {row.reader for row in tiles} == {"tiffslide"}
    assert _images(tiles) == _images(local.records("tiles", Tile))


def test_a_slide_behind_a_url_gives_the_tiles_of_the_local_file(
    tmp_path: Path, plain_slide: Path, tile: Tiler, small: Any
) -> None:
    _check(tmp_path, _put("memory://slides/plain.svs", plain_slide), plain_slide, tile, small)


def test_a_slide_in_a_bucket_gives_the_tiles_of_the_local_file(
    s3: None, tmp_path: Path, plain_slide: Path, tile: Tiler, small: Any
) -> None:
    _check(tmp_path, _put("s3://slides/plain.svs", plain_slide), plain_slide, tile, small)


def test_a_url_that_leads_nowhere_is_rejected(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,patient_id\nmemory://slides/gone.svs,P1\nnosuch://slides/a.svs,P2\n")
    sources, rejections = read_sources(tmp_path, manifest=manifest)
    assert sources == []
    assert [row.reason for row in rejections] == ["missing_file", "unreadable"]


def test_a_url_cannot_be_read_natively(plain_slide: Path) -> None:
    url = _put("memory://slides/plain.svs", plain_slide)
    with pytest.raises(RefusedSlideError, match="it is a url"):
        explain_reader(url, "native")
    with pytest.raises(RefusedSlideError) as caught:
        explain_reader("memory://slides/gone.svs")
    assert caught.value.reason == "missing_file"
