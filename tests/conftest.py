from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Deadlines measure the machine, not the code; the same examples on every run.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# A database of its own: no run of the user is touched, and tests beside one another do not lock it.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="slidesmith-prefect-")
atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real inputs that stand beside the checkout."""
    if not (SHARED / "slides").is_dir():
        pytest.skip("the real inputs (../shared) are not beside this checkout")
    return SHARED


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket, `lab-bucket`, of a server on loopback, where the environment leads every S3 client.

    The server answers one request at a time, so conditional puts are atomic as those of S3.
    """
    boto3 = pytest.importorskip("boto3")
    moto_server = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, moto_server.DomainDispatcherApplication(moto_server.create_backend_app))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="lab-bucket")
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="lab-bucket"):
        for entry in page.get("Contents", []):
            client.delete_object(Bucket="lab-bucket", Key=entry["Key"])
    server.shutdown()
    server.server_close()
