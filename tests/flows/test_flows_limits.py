"""Which limits a run takes part in."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import limits
from tasks.endpoint.config import EndpointConfig


def test_a_gpu_is_counted_where_one_is_wanted_and_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "nvidiactl"
    monkeypatch.setattr(limits, "_DRIVERS", (tmp_path / "kfd", driver))
    assert limits.gpu_slots(wanted=True) == []
    driver.touch()
    assert limits.gpu_slots(wanted=True) == ["gpu"]
    assert limits.gpu_slots(wanted=False) == []


def test_endpoints_of_one_host_share_a_limit() -> None:
    urls = ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/other/v1", "https://api.example.org/v1")
    asked = [EndpointConfig(base_url=url, model="m") for url in urls]
    assert limits.endpoint_slots(*asked, None) == ["endpoint:127.0.0.1:8000", "endpoint:api.example.org"]
