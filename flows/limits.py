"""Limits that runs on a server share: so many at once on a GPU, so many at once before an endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import PREFECT_API_URL

from tasks.endpoint.config import EndpointConfig
from tasks.screening.config import ScreeningConfig

GPU = "gpu"
_DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))


@contextmanager
def slots(*names: str) -> Iterator[None]:
    """Hold one slot of each limit for as long as the work inside takes; wait for it where others hold them all.

    A limit that the server does not know is made with one slot. Without a server (PREFECT_API_URL is not set) runs
    share nothing, and nothing is held. The slot of a run that was killed is free again after five minutes.
    """
    if not names or not PREFECT_API_URL.value():
        yield
        return
    with get_client(sync_client=True) as client:
        for name in names:
            make_limit(client, name, 1)
    with concurrency(list(names), strict=True):
        yield


def make_limit(client: SyncPrefectClient, name: str, size: int) -> None:
    """Make a limit of so many slots, unless the server knows it."""
    try:
        client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        with suppress(ObjectAlreadyExists):  # another run was quicker
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=size))


def endpoint_slots(*endpoints: EndpointConfig | None) -> list[str]:
    """Return the limits of endpoints, one per host: `endpoint:api.example.org`."""
    return sorted({f"endpoint:{urlsplit(endpoint.base_url).netloc}" for endpoint in endpoints if endpoint})


def gpu_slots(*, wanted: bool) -> list[str]:
    """Return the limit of GPUs where one is wanted and this machine has one."""
    return [GPU] if wanted and any(driver.exists() for driver in _DRIVERS) else []


def screening_slots(config: ScreeningConfig) -> list[str]:
    """Return the limits of what reads and rewrites questions: its endpoints, and the GPU of its local models."""
    reader = config.endpoint.endpoint if config.endpoint else None
    wanted = any(model.device != "cpu" for model in config.local_models)
    return [*endpoint_slots(reader, config.writer), *gpu_slots(wanted=wanted)]
