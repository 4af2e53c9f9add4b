"""The demo's run: that of `make demo`, made where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def demo_release() -> Path:
    """Return the demo's release; a checkout without one makes it first, a few minutes."""
    out = ROOT / "demo-out"
    if not (out / "run.json").is_file():
        subprocess.run([sys.executable, "-m", "flows.cli", "demo", "--out", str(out)], check=True, cwd=ROOT)
    return out / "store" / "slidesmith-demo" / "1.0.0"
