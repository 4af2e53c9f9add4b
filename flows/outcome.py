"""What a run leaves in its folder for the runs after it, and for machines: `released.json` and `run.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flows.plan import RELEASED, Plan
from tasks.releases.read import Release
from tasks.releases.stores import open_store
from tasks.releases.versions import versions

OUTCOME = "run.json"


def finished(plan: Plan) -> dict[str, Any] | None:
    """Return the outcome of the run before where nothing has changed since and all that it left is there."""
    out = plan.config.out
    try:
        outcome: dict[str, Any] = json.loads((out / OUTCOME).read_text())
    except (FileNotFoundError, ValueError):
        return None
    there = all((out / name).is_file() for name in outcome.get("files", ["?"]))
    shards = all(plan.store.find(stage, key) for stage, key in plan.shards())
    published = plan.version in versions(open_store(plan.release_store), plan.config.release.dataset)
    return outcome if there and shards and published and outcome.get("run_key") == plan.run else None


def note_release(plan: Plan, release: Release) -> None:
    """Note what was published: of `next`, the stages that follow ask which version that was."""
    noted = {"dataset": release.dataset, "version": release.version, "fingerprint": release.fingerprint}
    replace_text(plan.config.out / RELEASED, json.dumps(noted, indent=1, sort_keys=True) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
