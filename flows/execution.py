"""How flows run tasks over slides: so many at once, a bar on a terminal, one failure never stopping the others."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast
from uuid import UUID

from httpx import HTTPError
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.futures import PrefectFuture, as_completed
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.config import RunnerConfig
from flows.interruption import heed_interruption
from flows.progress import progress
from schemas.errors import MissingExtraError, SlidesmithError, StageFailedError

_log = logging.getLogger(__name__)
_PROGRESS_S = 5.0


@contextmanager
def task_runner(config: RunnerConfig) -> Iterator[TaskRunner[Any]]:
    """Yield the runner of a stage's tasks; 0 workers = one per core that this process may use.

    Raises:
        MissingExtraError: the cluster's library is not installed.
    """
    workers = config.workers or len(os.sched_getaffinity(0))
    if config.kind == "threads":
        threads: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=workers)
        with threads:
            yield threads
        return
    # Processes of a cluster report to the server that this process talks to, instead of starting one each.
    server = str(get_client(sync_client=True).api_url)
    with temporary_settings(updates={PREFECT_API_URL: server}), _cluster(config, workers) as processes:
        yield processes


def _cluster(config: RunnerConfig, workers: int) -> TaskRunner[Any]:
    try:
        return _dask(config, workers) if config.kind == "dask" else _ray(config, workers)
    except ImportError as error:
        raise MissingExtraError(
            f"the {config.kind} runner needs {error.name}, which is not installed",
            remedy="pip install -e '.[scale]' in the checkout",
        ) from error


def _dask(config: RunnerConfig, workers: int) -> TaskRunner[Any]:
    from prefect_dask.task_runners import DaskTaskRunner

    if config.address:
        return DaskTaskRunner(address=config.address)
    cluster = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=cluster)


def _ray(config: RunnerConfig, workers: int) -> TaskRunner[Any]:
    from prefect_ray import RayTaskRunner

    local = {"num_cpus": workers, "include_dashboard": False, "log_to_driver": False}
    runner: TaskRunner[Any] = RayTaskRunner(address=config.address, init_kwargs=None if config.address else local)
    return runner


class _ServerProgress:
    """A progress artifact of the run, for work that takes longer than a few seconds."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total = label, total
        self._artifact: UUID | None = None
        self._told_at = time.monotonic()

    def advance(self, done: int) -> None:
        if done < self._total and time.monotonic() < self._told_at + _PROGRESS_S:
            return
        share = 100.0 * done / self._total
        with suppress(HTTPError, PrefectException):  # work goes on where nobody can be told of it
            if self._artifact is not None:
                update_progress_artifact(self._artifact, progress=share)
            elif done < self._total:
                key = self._label.replace(" ", "-")
                made = create_progress_artifact(progress=share, key=key, description=self._label)
                self._artifact = cast("UUID", made)  # a coroutine only in async code
        self._told_at = time.monotonic()


def gather(label: str, futures: Sequence[PrefectFuture[Any]], names: Sequence[str]) -> list[Any]:
    """Wait for all tasks and return their results in order.

    Raises:
        StageFailedError: at least one failed; the others were finished first, and a rerun skips them.
    """
    on_server = _ServerProgress(label, len(futures))
    with progress(label, len(futures)) as advance:
        for done, _ in enumerate(as_completed(list(futures)), start=1):
            heed_interruption()
            advance(done)
            on_server.advance(done)
    failures = []
    results = []
    for name, future in zip(names, futures, strict=True):
        result = future.result(raise_on_failure=False)
        if isinstance(result, BaseException):
            reason = str(result) if isinstance(result, SlidesmithError) else f"{type(result).__name__}: {result}"
            _log.error("%s: %s: %s", label, name, reason)
            failures.append(f"{name}: {reason}")
        results.append(result)
    if failures:
        more = f" (and {len(failures) - 3} more)" if len(failures) > 3 else ""
        raise StageFailedError(
            f"{label}: {len(failures)} of {len(futures)} failed: {'; '.join(failures[:3])}{more}",
            remedy="mend that and run again; what is done is kept",
        )
    return results
