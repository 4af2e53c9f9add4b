"""The demo from nothing, again with nothing changed, and with one threshold changed: times, and what is done anew."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._claims import Claim, claim

ROOT = Path(__file__).resolve().parents[1]


def stage_seconds(work: Path) -> tuple[dict[str, float], int]:
    """Return the seconds of work of every stage of a finished run, and its fields."""
    seconds: dict[str, float] = defaultdict(float)
    fields = 0
    for path in work.glob("*/*/shard.json"):
        shard = json.loads(path.read_text())
        seconds[shard["stage"]] += shard["wall_s"]
        fields += shard["rows"].get("fields", 0) if shard["stage"] == "features" else 0
    return dict(seconds), fields


@dataclass(frozen=True)
class Demo:
    """What the demo's first run and the runs after it took.

    Args:
        rows: the claims of its reruns.
        seconds: of work by stage, of the first run.
        fields: that it has made.
    """

    rows: list[Claim]
    seconds: dict[str, float]
    fields: int


def reruns(out: Path) -> Demo:
    """Run the demo into a folder that is not there yet, again with nothing changed, then with one threshold changed."""
    first = wall_of("demo", "--out", str(out))
    again = sorted(wall_of("demo", "--out", str(out)) for _ in range(3))[1]
    seconds, fields = stage_seconds(out / "work")  # of one run: the next one makes some shards a second time
    before = _shards(out)
    changed = wall_of("run", "--config", str(_changed(out, "1.0.1")))
    made = sorted(name for name, _ in _shards(out) - before)
    only = made == ["model", "queue", "reviewed", "screening"]
    rows = [
        claim("demo from nothing", first, "s"),
        claim("demo again with nothing changed, median of 3", again, "s", "<= 10", again <= 10),
        claim("screening.alpha changed: run", changed, "s"),
        claim(
            f"screening.alpha changed: shards made anew ({', '.join(made)})",
            len(made),
            "shards",
            "4, what depends on it",
            only,
        ),
        claim("screening.alpha changed: shards found done", len(before) - len(made), "shards"),
    ]
    return Demo(rows, seconds, fields)


def _changed(out: Path, version: str) -> Path:
    """Write the demo's configuration with one threshold changed, to be published as another version."""
    config = json.loads(json.dumps(_demo_config(out)))
    config["screening"] = {"alpha": 0.04}
    config["release"]["version"] = version
    file = out.with_name(f"changed-{version}.yaml")
    file.write_text(json.dumps(config))
    return file


def _demo_config(out: Path) -> dict[str, Any]:
    import yaml

    config: dict[str, Any] = yaml.safe_load((ROOT / "demo" / "config.yaml").read_text())
    place = {"slides": out / "input" / "slides", "manifest": out / "input" / "manifest.csv", "out": out}
    return {**config, **{name: str(path) for name, path in place.items()}}


def _shards(out: Path) -> set[tuple[str, str]]:
    return {(path.parts[-3], path.parts[-2]) for path in (out / "work").glob("*/*/shard.json")}


def wall_of(*arguments: str) -> float:
    """Run a verb; return its wall time in s."""
    started = time.monotonic()
    command = [sys.executable, "-m", "flows.cli", *arguments]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started
