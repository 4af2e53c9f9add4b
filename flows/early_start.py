"""Prefect takes about 25 s to import and to start its ephemeral server, on one core: do it beside other work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def prefect_started_beside() -> Iterator[None]:
    """Load the flows and reach Prefect's server in a thread while the body runs; wait for it at the end.

    A failure is left to the flow that follows, which meets it again and reports it.
    """
    thread = threading.Thread(target=_start, name="prefect-early-start", daemon=True)
    thread.start()
    yield
    thread.join()


def _start() -> None:
    with suppress(Exception):
        from prefect.client.orchestration import get_client

        import flows.curate  # noqa: F401

        get_client(sync_client=True)
