"""`slidesmith doctor`: what is installed and what works on this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import click

from flows.commands.options import json_option, say
from schemas.errors import InputError

_BASE = (
    "prefect", "openslide-python", "openslide-bin", "tiffslide", "tifffile", "simplejpeg", "opencv-python-headless",
    "pyarrow", "duckdb", "networkx", "rdflib",
)  # fmt: skip
_PIP = "pip install -c constraints.txt"
_FOR_DEVELOPERS = {"test", "check"}


@click.command(name="doctor")
@click.option("--slide", help="A slide's file or url: say which reader it would get, and why.")
@json_option
def command(slide: str | None, as_json: bool) -> None:
    """Say what is installed, which extras are ready, and (with --slide) how a slide would be read."""
    result: dict[str, Any] = {
        "packages": {name: _version(name) for name in _BASE},
        "extras": {extra: [name for name in names if not _version(name)] for extra, names in _extras().items()},
        "cores": len(os.sched_getaffinity(0)),
        "disk_free_gib": round(shutil.disk_usage(Path.cwd()).free / 2**30, 1),
        "gpu": _gpu(),
    }
    lines = [f"{name:<24}{found or 'missing'}" for name, found in result["packages"].items()]
    for extra, missing in result["extras"].items():
        state = "ready" if not missing else f"missing {', '.join(missing)}: {_PIP} -e '.[{extra}]'"
        lines.append(f"[{extra}]".ljust(24) + state)
    lines += [
        f"{'cores':<24}{result['cores']}",
        f"{'disk free':<24}{result['disk_free_gib']} GiB",
        f"{'GPU':<24}{result['gpu']}",
    ]
    if slide is not None:
        result["slide"] = _slide(slide)
        lines += ["", *(f"{key:<24}{value}" for key, value in result["slide"].items())]
    say(result, as_json, lines)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _extras() -> dict[str, list[str]]:
    """Return the packages of every extra that a user may want, as the installed project declares them."""
    extras: dict[str, list[str]] = {}
    for requirement in requires("slidesmith") or []:
        extra = re.search(r"extra == ['\"]([\w-]+)", requirement)
        name = re.match(r"[\w.-]+", requirement)
        if extra and name and extra[1] not in _FOR_DEVELOPERS:
            extras.setdefault(extra[1], []).append(name[0])
    return extras


def _gpu() -> str:
    if importlib.util.find_spec("torch") is None:
        return "unknown (torch is not installed)"
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none; models run on the CPU"


def _slide(location: str) -> dict[str, Any]:
    """Return how a slide is read and what it says of itself; nothing of it is decoded."""
    from tasks.tiling.failures import RefusedSlideError
    from tasks.tiling.readers.choice import open_reader

    name = location.rstrip("/").rpartition("/")[2] or location
    try:
        reader, choice = open_reader(location, "auto")
    except RefusedSlideError as refused:
        raise InputError(f"{name} {refused.problem}", remedy=refused.remedy or "name a slide file") from refused
    reader.close()
    geometry = reader.geometry
    known = geometry.mpp_x and geometry.mpp_y
    return {
        "slide": name,
        "reader": choice.reader,
        "reason": choice.reason,
        "um per pixel": f"{geometry.mpp_x:g} x {geometry.mpp_y:g}" if known else "unknown: give mpp in the manifest",
        "levels": ", ".join(f"{level.width} x {level.height}" for level in geometry.levels),
    }
