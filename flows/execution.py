"""How flows run tasks over slides: so many at once, a bar on a terminal, one failure never stopping the others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.progress import progress
from schemas.errors import SlidesmithError, StageFailedError


def task_runner(workers: int) -> ThreadPoolTaskRunner[Any]:
    """Return the runner of a stage's tasks; 0 workers = one per core that this process may use."""
    return ThreadPoolTaskRunner(max_workers=workers or len(os.sched_getaffinity(0)))


def gather(label: str, futures: Sequence[PrefectFuture[Any]], names: Sequence[str]) -> list[Any]:
    """Wait for all tasks and return their results in order.

    Raises:
        StageFailedError: at least one failed; the others were finished first, and a rerun skips them.
    """
    with progress(label, len(futures)) as advance:
        for done, _ in enumerate(as_completed(list(futures)), start=1):
            advance(done)
    failures = []
    results = []
    for name, future in zip(names, futures, strict=True):
        result = future.result(raise_on_failure=False)
        if isinstance(result, BaseException):
            reason = str(result) if isinstance(result, SlidesmithError) else f"{type(result).__name__}: {result}"
            failures.append(f"{name}: {reason}")
        results.append(result)
    if failures:
        more = f" (and {len(failures) - 3} more)" if len(failures) > 3 else ""
        raise StageFailedError(
            f"{label}: {len(failures)} of {len(futures)} failed: {'; '.join(failures[:3])}{more}",
            remedy="mend that and run again; what is done is kept",
        )
    return results
