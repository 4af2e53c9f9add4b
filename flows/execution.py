"""How flows run tasks over slides: so many at once, a bar on a terminal, one failure never stopping the others."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from prefect.client.orchestration import get_client
from prefect.futures import PrefectFuture, as_completed
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.config import RunnerConfig
from flows.progress import progress
from schemas.errors import MissingExtraError, SlidesmithError, StageFailedError

_log = logging.getLogger(__name__)


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
