"""Threads, Dask or Ray, a folder or a bucket: the shards are the same, byte by byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.config import load_config
from flows.plan import make_plan
from tasks.bucket import Bucket

ROOT = Path(__file__).resolve().parents[2]
SHARDS = "s3://lab-bucket/shards"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SCRIPT = """
import sys
from pathlib import Path
from flows.build_graph import build_graph
from flows.generate_samples import generate_samples
from flows.tile_slides import tile_slides
if __name__ == "__main__":
    for flow in (tile_slides, build_graph, generate_samples)[: int(sys.argv[2])]:
        flow(Path(sys.argv[1]))
"""


def ran(folder: Path, inputs: Path, environment: dict[str, str], flows: int = 3, **settings: Any) -> Path:
    """Run the first flows of the line in a process of their own; return the folder of shards."""
    folder.mkdir(exist_ok=True)
    config = {
        "slides": str(inputs / "slides"),
        "manifest": str(inputs / "manifest.csv"),
        "out": "out",
        "tiling": {"centres": {"kind": "sampled", "max_fields_per_slide": 4}},
        **settings,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(folder / "script.py"), str(folder / "run.yaml"), str(flows)]
    path = {**environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=path, cwd=folder, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out" / "work"


def digests(summaries: dict[str, bytes]) -> dict[str, Any]:
    return {name: json.loads(data)["sha256"] for name, data in sorted(summaries.items())}


def in_folder(work: Path, stages: str = "*") -> dict[str, Any]:
    found = {f"{path.parts[-3]}/{path.parts[-2]}": path.read_bytes() for path in work.glob(f"{stages}/*/shard.json")}
    return digests(found)


@pytest.fixture(scope="module")
def threads(inputs: Path, served: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ran(tmp_path_factory.mktemp("threads"), inputs, served)


def test_dask_and_a_bucket_give_the_shards_of_threads_and_a_folder(
    threads: Path, inputs: Path, served: dict[str, str], s3: Any, tmp_path: Path
) -> None:
    pytest.importorskip("prefect_dask")
    there = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    runner = {"kind": "dask", "workers": 2}
    work = ran(tmp_path / "dask", inputs, {**served, **there}, runner=runner, shards=SHARDS)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="lab-bucket", Prefix="shards/")
    keys = [entry["Key"].removeprefix("shards/") for page in pages for entry in page.get("Contents", [])]
    summaries = {
        key.removesuffix("/shard.json"): Bucket(SHARDS).read(key) or b"" for key in keys if "shard.json" in key
    }
    assert digests(summaries) == in_folder(threads)
    for shard, files in digests(summaries).items():
        assert {f"{shard}/{sha256}-{name}" for name, sha256 in files.items()} <= set(keys)
    # A machine that has just joined finds everything done.
    config = load_config(work.parent.parent / "run.yaml", out=str(tmp_path / "joined"))
    plan = make_plan(config)
    assert plan.store.find("questions", plan.questions)
    assert all(plan.store.find("tiling", key) for key in plan.tiling)


def test_ray_gives_the_shards_of_threads(threads: Path, inputs: Path, served: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("prefect_ray")
    work = ran(tmp_path / "ray", inputs, served, flows=1, runner={"kind": "ray", "workers": 2})
    assert in_folder(work, "tiling") == in_folder(threads, "tiling")
    assert len(in_folder(work, "tiling")) == 6
