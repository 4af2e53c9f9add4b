"""The flows' own code with Prefect taken out of it: what a run costs without an orchestrator, and drills in seconds.

Tasks and flows are replaced by the functions that they wrap, the task runner by threads, artifacts by nothing.
The composition is that of `flows/`, so a line without Prefect is always the line that there is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

from flows.config import RunConfig, RunnerConfig
from schemas.errors import SlidesmithError, StageFailedError

STAGES = (
    "tile_slides", "build_graph", "generate_samples", "screen_leakage", "open_review", "close_review",
    "publish_release", "train_model", "write_report",
)  # fmt: skip


class _Pool:
    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    def submit(self, task: Callable[..., Any], arguments: dict[str, Any]) -> Future[Any]:
        return self._threads.submit(task, **arguments)


@contextmanager
def _threads(config: RunnerConfig) -> Iterator[_Pool]:
    with ThreadPoolExecutor(config.workers or len(os.sched_getaffinity(0))) as threads:
        yield _Pool(threads)


def _gather(label: str, futures: Sequence[Future[Any]], names: Sequence[str]) -> list[Any]:
    """Wait for all, as `flows.execution.gather` does, and fail with the same error."""
    problems = [
        f"{name}: {error if isinstance(error, SlidesmithError) else f'{type(error).__name__}: {error}'}"
        for name, future in zip(names, futures, strict=True)
        if (error := future.exception())
    ]
    if problems:
        raise StageFailedError(f"{label}: {len(problems)} of {len(futures)} failed: {'; '.join(problems[:3])}")
    return [future.result() for future in futures]


def _nothing(*_arguments: Any, **_named: Any) -> None:
    """Take the place of an artifact."""


def _replacement(name: str, value: Any) -> Any:
    """Return what stands in the place of a name of a flow's module, the value itself where it is no part of Prefect."""
    from prefect import Flow, Task

    if isinstance(value, (Flow, Task)):
        return value.fn
    return {"task_runner": _threads, "gather": _gather}.get(name, _nothing if name.startswith("create_") else value)


@contextmanager
def without_prefect() -> Iterator[None]:
    """Let every stage's flow call functions instead of tasks; outside, everything is as before."""
    patches = []
    for module in (import_module(f"flows.{stage}") for stage in (*STAGES, "draw_demo")):
        for name, value in list(vars(module).items()):
            other = _replacement(name, value)
            if other is not value:
                patches.append(patch.object(module, name, other))
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in reversed(patches):
            one.stop()


def stage(name: str, config: RunConfig) -> Any:
    """Run one stage of the line; inside `without_prefect` no server is asked."""
    return getattr(import_module(f"flows.{name}"), name)(config)


def line(config: RunConfig) -> str:
    """Run the whole line on slides that are there; return the fingerprint of the release."""
    found: dict[str, Any] = {name: stage(name, config) for name in STAGES}
    return str(found["publish_release"])
