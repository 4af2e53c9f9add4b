"""A store that does not answer is waited for; what was read of a remote slide once is not read again."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from schemas.errors import StoreError
from tasks.store import ShardStore
from tasks.tiling import remote
from tasks.tiling.config import TilingConfig
from tasks.tiling.failures import UnsteadySlideError
from tasks.tiling.manifest import read_sources
from tasks.tiling.overview import read_overview
from tasks.tiling.readers.choice import open_reader
from tasks.tiling.shard import tile_slide

URL = "s3://lab/plain.svs"


class Store:
    """A real S3 server on loopback that can be stopped and started again."""

    def __init__(self) -> None:
        server = pytest.importorskip("moto.server")
        self._app = server.DomainDispatcherApplication(server.create_backend_app)
        self.asked: Counter[str] = Counter()
        self.to_fail = 0
        """How many of the next reads are answered with `SlowDown`."""
        self.port = 0

    def start(self) -> None:
        from werkzeug.serving import make_server

        self._server = make_server("127.0.0.1", self.port, self._counted, threaded=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _counted(self, environ: Any, start_response: Any) -> Any:
        self.asked[environ["REQUEST_METHOD"]] += 1
        if environ["REQUEST_METHOD"] == "GET" and self.to_fail:
            self.to_fail -= 1
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>reduce your request rate</Message></Error>"]
        return self._app(environ, start_response)


@pytest.fixture
def store(plain_slide: Path) -> Iterator[Store]:
    pytest.importorskip("s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    served = Store()
    served.start()
    before = dict(fsspec.config.conf)
    fsspec.config.conf["s3"] = {
        "key": "k", "secret": "s", "endpoint_url": f"http://127.0.0.1:{served.port}",
        "client_kwargs": {"region_name": "eu-west-1"}, "config_kwargs": {"retries": {"max_attempts": 0}},
    }  # fmt: skip
    try:
        files = fsspec.filesystem("s3")
        files.makedirs("lab", exist_ok=True)
        files.put_file(str(plain_slide), "lab/plain.svs")
        yield served
    finally:
        fsspec.config.conf.clear()
        fsspec.config.conf.update(before)
        served.stop()


def manifest(folder: Path) -> Path:
    (folder / "manifest.csv").write_text(f"path,patient_id\n{URL},P1\n")
    return folder / "manifest.csv"


def test_a_block_is_read_once_the_store_answers_again(store: Store, plain_slide: Path) -> None:
    expected, _ = open_reader(str(plain_slide), "openslide")
    reader, _ = open_reader(URL)
    store.stop()
    back = threading.Timer(4.0, store.start)  # longer than the client itself tries
    back.start()
    block = reader.block(0, 1, 1)
    back.join()
    corner = block.shape[1], block.shape[0]
    assert np.array_equal(block[..., :3], expected.block(0, 1, 1)[: corner[1], : corner[0], :3])
    reader.close()
    expected.close()


def test_a_store_that_stays_silent_ends_the_run_and_makes_no_rejection(
    store: Store, tmp_path: Path, small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PATIENCE_S", 0.0)
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    (source,), _ = read_sources(tmp_path, manifest=manifest(tmp_path))
    store.stop()
    shards = ShardStore(tmp_path / "shards")
    with pytest.raises(StoreError, match="does not answer"):
        shards.ensure("tiling", "key", lambda out: tile_slide(source, TilingConfig(**small), out))
    with pytest.raises(StoreError, match="does not answer"):
        read_sources(tmp_path, manifest=manifest(tmp_path))
    store.start()
    info, _ = shards.ensure("tiling", "key", lambda out: tile_slide(source, TilingConfig(**small), out))
    assert info.items_out > 0
    assert "unreadable" not in info.rejected


@pytest.fixture
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client itself does not try again, and pauses are short."""
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    monkeypatch.setattr(remote, "_FIRST_PAUSE_S", 0.001)


def test_a_read_that_fails_twice_in_a_row_is_tried_again(store: Store, tmp_path: Path, one_try: None) -> None:
    store.to_fail = 2
    (source,), rejections = read_sources(tmp_path, manifest=manifest(tmp_path))
    assert (source.uri, rejections, store.to_fail) == (URL, [], 0)


def test_a_store_that_lists_a_slide_and_never_hands_it_out_ends_the_run(
    store: Store, tmp_path: Path, one_try: None
) -> None:
    store.to_fail = 1000
    with pytest.raises(StoreError, match="fails 5 times in a row"):
        read_sources(tmp_path, manifest=manifest(tmp_path))
    assert store.to_fail == 995


def test_a_remote_slide_that_changes_is_noticed_before_and_while_it_is_read(
    store: Store, tmp_path: Path, small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,), _ = read_sources(tmp_path, manifest=manifest(tmp_path))
    shards = ShardStore(tmp_path / "shards")

    def overview(*arguments: Any) -> Any:
        with fsspec.open(URL, "ab") as stream:
            stream.write(b"more")
        return read_overview(*arguments)

    monkeypatch.setattr("tasks.tiling.shard.read_overview", overview)
    for _ in ("while it is read", "before"):
        with pytest.raises(UnsteadySlideError, match="changed since it was listed"):
            shards.ensure("tiling", "key", lambda out: tile_slide(source, TilingConfig(**small), out))


def test_a_remote_slide_is_hashed_once(store: Store, tmp_path: Path) -> None:
    cache = tmp_path / "digests"
    (first,), _ = read_sources(tmp_path, manifest=manifest(tmp_path), cache=cache)
    before = store.asked["GET"]
    (again,), _ = read_sources(tmp_path, manifest=manifest(tmp_path), cache=cache)
    assert again == first
    assert store.asked["GET"] == before
    with fsspec.open(URL, "ab") as stream:
        stream.write(b"more")
    (changed,), _ = read_sources(tmp_path, manifest=manifest(tmp_path), cache=cache)
    assert changed.sha256 != first.sha256


def test_an_unknown_protocol_is_rejected_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    (tmp_path / "manifest.csv").write_text("path,patient_id\nnope://lab/a.svs,P1\n")
    sources, (rejected,) = read_sources(tmp_path, manifest=tmp_path / "manifest.csv")
    assert sources == []
    assert rejected.reason == "unreadable"
    assert time.monotonic() - started < 30
