"""Shards do not depend on who makes them, on how many work at once, or on what was killed before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from tasks.store import ShardInfo, ShardStore, shard_key
from tasks.tiling.config import TilingConfig
from tasks.tiling.manifest import SlideSource, read_sources
from tasks.tiling.shard import tile_slide

ROOT = Path(__file__).resolve().parents[2]


def key_of(source: SlideSource, config: TilingConfig) -> str:
    return shard_key("tiling", inputs=source.sha256, config=config.model_dump(), code="test")


def ensure(root: Path, source: SlideSource, config: TilingConfig) -> tuple[ShardInfo, bool]:
    return ShardStore(root).ensure("tiling", key_of(source, config), lambda out: tile_slide(source, config, out))


def digests(infos: list[ShardInfo]) -> list[dict[str, str]]:
    return [info.sha256 for info in infos]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, paint: Callable[..., Any], write: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for seed in range(4):
        write(folder / f"s{seed}.svs", paint(520, 420, seed=seed))
    return folder


@pytest.mark.slow
def test_shards_are_equal_over_one_two_and_four_workers(folder: Path, tmp_path: Path, small: Any) -> None:
    sources, config = read_sources(folder)[0], TilingConfig(**small)
    expected = digests([ensure(tmp_path / "1", source, config)[0] for source in sources])
    assert all("tiles.parquet" in shard for shard in expected)
    context = get_context("forkserver")
    context.set_forkserver_preload(["tasks.tiling.shard", "skimage.morphology", "skimage.filters"])
    pools: list[Executor] = [ThreadPoolExecutor(2), ThreadPoolExecutor(4), ProcessPoolExecutor(2, mp_context=context)]
    for number, pool in enumerate(pools):  # the flow's workers are threads; several machines are several processes
        with pool:
            futures = [pool.submit(ensure, tmp_path / f"pool{number}", source, config) for source in sources]
            assert digests([future.result()[0] for future in futures]) == expected


TILE_ALL = """
import sys
from pathlib import Path
from test_tiling_workers import ensure
from conftest import SMALL
from tasks.tiling.config import TilingConfig
from tasks.tiling.manifest import read_sources
for source in read_sources(Path(sys.argv[1]))[0]:
    ensure(Path(sys.argv[2]), source, TilingConfig(**SMALL))
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(folder: Path, tmp_path: Path, small: Any) -> None:
    sources, config = read_sources(folder)[0], TilingConfig(**small)
    whole = digests([ensure(tmp_path / "whole", source, config)[0] for source in sources])
    root = tmp_path / "killed"
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    process = subprocess.Popen([sys.executable, "-c", TILE_ALL, folder, root], env={**os.environ, "PYTHONPATH": path})
    finished = ShardStore(root)
    while finished.find("tiling", key_of(sources[0], config)) is None and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    results = [ensure(root, source, config) for source in sources]
    assert results[0][1]
    assert digests([info for info, _ in results]) == whole
