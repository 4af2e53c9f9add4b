from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo.scripted_endpoint import ScriptedEndpoint
from tasks.endpoint.client import Endpoint
from tasks.endpoint.config import EndpointConfig

pytest.importorskip("openai", reason="the extra [llm] is not installed")


@pytest.fixture
def connect(tmp_path: Path) -> Callable[..., Endpoint]:
    """A client of a scripted server; waits are short."""

    def make(server: ScriptedEndpoint | str, **settings: Any) -> Endpoint:
        url = server if isinstance(server, str) else server.url
        quick = {"backoff_s": 0.005, "timeout_s": 5, "concurrency": 4, **settings}
        config = EndpointConfig.model_validate({"base_url": url, "model": "scripted", **quick})
        return Endpoint(config, tmp_path / "endpoint")

    return make
