from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

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
