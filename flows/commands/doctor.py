"""`slidesmith doctor`: what is installed and what works on this machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from flows.commands.options import json_option, say

_EXTRAS = {
    "train": ("torch",),
    "llm": ("transformers", "trl", "peft", "datasets"),
    "gate": ("great_expectations", "pandas", "pyiceberg"),
    "scale": ("s3fs", "boto3"),
    "review": ("argon2", "uvicorn"),
}
_BASE = ("prefect", "openslide-python", "tiffslide", "simplejpeg", "pyarrow", "duckdb", "networkx", "rdflib")


@click.command(name="doctor")
@click.option("--slide", type=click.Path(path_type=Path), help="Say which reader a slide would get, and why.")
@json_option
def command(slide: Path | None, as_json: bool) -> None:
    """Say what is installed, which extras are ready, and (with --slide) how a slide would be read."""
    result: dict[str, Any] = {
        "packages": {name: _version(name) for name in _BASE},
        "extras": {
            extra: [name for name in names if not importlib.util.find_spec(name)] for extra, names in _EXTRAS.items()
        },
        "cores": len(os.sched_getaffinity(0)),
        "disk_free_gib": round(shutil.disk_usage(Path.cwd()).free / 2**30, 1),
        "gpu": _gpu(),
    }
    lines = [f"{name:<18}{found or 'missing'}" for name, found in result["packages"].items()]
    for extra, missing in result["extras"].items():
        state = "ready" if not missing else f"missing {', '.join(missing)}: pip install -e '.[{extra}]'"
        lines.append(f"[{extra}]".ljust(18) + state)
    lines += [
        f"{'cores':<18}{result['cores']}",
        f"{'disk free':<18}{result['disk_free_gib']} GiB",
        f"{'GPU':<18}{result['gpu']}",
    ]
    if slide is not None:
        result["slide"] = _slide(slide)
        lines += ["", *(f"{key:<18}{value}" for key, value in result["slide"].items())]
    say(result, as_json, lines)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _gpu() -> str:
    if importlib.util.find_spec("torch") is None:
        return "unknown (torch is not installed)"
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none; models run on the CPU"


def _slide(path: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from tasks.tiling.readers.choice import explain_reader

    return asdict(explain_reader(path))
