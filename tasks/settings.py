"""Settings that stages share: the base of every configuration section, and the only reading of the environment."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from schemas.ids import tree_sha256

ROOT = Path(__file__).resolve().parent.parent
_SOURCE_SUFFIXES = {".py", ".yaml", ".j2", ".sql", ".tsv", ".json"}


class StageConfig(BaseModel):
    """One section of the configuration: frozen; unknown keys, and numbers that are none, are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


@functools.cache
def code_version(*packages: str) -> str:
    """Return one digest of the source of packages or modules, e.g. `tasks/tiling`, `kg/link.py`.

    A stage's output key holds it, so that a change of code re-does exactly the stages that it touches.
    """
    paths: list[Path] = []
    for package in packages:
        place = ROOT / package
        paths += [place] if place.is_file() else [p for p in place.rglob("*") if p.suffix in _SOURCE_SUFFIXES]
    return tree_sha256(paths, ROOT)[:16]


def api_key(variable: str) -> str | None:
    """Return an endpoint's key from the environment; keys are never logged or written."""
    return os.environ.get(variable)


def worker_count() -> int:
    """Return how many slides are worked on at once: the cores this process may use."""
    return len(os.sched_getaffinity(0))
