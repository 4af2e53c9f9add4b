"""An interruption that a library swallows is raised again by the next shard or stage."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from flows.interruption import heed_interruption, watch_for_interruption


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = {asked: signal.getsignal(asked) for asked in (signal.SIGINT, signal.SIGTERM)}
    yield
    watch_for_interruption()
    for asked, handles in before.items():
        signal.signal(asked, handles)


class Swallows:
    def __del__(self) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            pass


def test_what_a_destructor_swallows_is_raised_again() -> None:
    watch_for_interruption()
    heed_interruption()
    Swallows()  # gone at once
    with pytest.raises(KeyboardInterrupt):
        heed_interruption()
