"""What a run leaves in its folder for the runs after it, and for machines: `released.json` and `run.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.plan import RELEASED, Plan
from schemas.errors import InputError
from tasks.releases.config import NEXT
from tasks.releases.read import Release, open_release
from tasks.releases.stores import open_store
from tasks.releases.versions import versions

OUTCOME = "run.json"


@dataclass(frozen=True)
class Published:
    """A run's version, where it lies, and the key of what it was made of."""

    version: str
    address: str
    key: str


def published(plan: Plan) -> Published:
    """Return what was published from the run's folder; what has been decided since is not in it.

    Raises:
        InputError: the configuration says `next`, and nothing has been published from the run's folder.
    """
    noted, version = plan.noted, plan.config.release.version
    if version == NEXT:
        if not noted:
            raise InputError("nothing has been published from this folder yet", remedy="run publish-release first")
        version = noted["version"]
    key = noted.get("release") if noted.get("version") == version else None
    return Published(version, f"{plan.release_store}/{plan.config.release.dataset}/{version}", key or plan.release)


def finished(plan: Plan) -> dict[str, Any] | None:
    """Return the outcome of the run before where nothing has changed since and all that it left is there."""
    out = plan.config.out
    try:
        outcome: dict[str, Any] = json.loads((out / OUTCOME).read_text())
    except (FileNotFoundError, ValueError):
        return None
    there = all((out / name).is_file() for name in outcome.get("files", ["?"]))
    shards = all(plan.store.find(stage, key) for stage, key in plan.shards())
    same = there and shards and outcome.get("run_key") == plan.run
    return outcome if same and _stands(plan, outcome["release"]) else None


def _stands(plan: Plan, told: dict[str, str]) -> bool:
    """Return whether an outcome's version is still the run's: with the same cells and, of `next`, the highest."""
    store, config = open_store(plan.release_store), plan.config.release
    version, known = told["path"].rpartition("/")[2], versions(store, config.dataset)
    if version != plan.version or version not in (known[-1:] if config.version == NEXT else known):
        return False
    return open_release(store, config.dataset, version).fingerprint == told["fingerprint"]


def note_release(plan: Plan, release: Release) -> None:
    """Note what was published, and of what: the stages that follow ask which version that was."""
    noted = {"dataset": release.dataset, "version": release.version, "fingerprint": release.fingerprint}
    noted["release"] = plan.release
    replace_text(plan.config.out / RELEASED, json.dumps(noted, indent=1, sort_keys=True) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
