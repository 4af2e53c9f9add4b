"""What of a demo is already there: keys that name a slide's content, and the record that is written last."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

from demo.plan import SlidePlan
from demo.vocabulary import VOCABULARY
from schemas.ids import digest, file_sha256, tree_sha256

RECORD = "demo.json"
_HEAD_BYTES = 4096
_KEY = re.compile(rb"\|Key = ([0-9a-f]+)")


@functools.cache
def code_digest() -> str:
    """Return one digest of the demo's source and of the vocabulary."""
    here = Path(__file__).resolve().parent
    return tree_sha256([*here.glob("*.py"), VOCABULARY], here.parent)


def slide_key(plan: SlidePlan, size_px0: tuple[int, int], seed: int) -> str:
    """Return what a slide's pixels depend on, as 32 hex digits."""
    return digest(plan.index, plan.name, plan.sections, plan.regions, plan.artefacts, size_px0, seed, code_digest())[
        :32
    ]


def key_in(path: Path) -> str | None:
    """Return the key in the image description of a slide, or None where there is none.

    Args:
        path: A slide as `demo.svs` writes it: the first image description stands before any pixels.
    """
    try:
        with path.open("rb") as stream:
            found = _KEY.search(stream.read(_HEAD_BYTES))
    except FileNotFoundError:
        return None
    return found.group(1).decode() if found else None


def is_finished(out: Path, key: str) -> bool:
    """Return whether the record names this key and every file it lists is there in its size."""
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
        files = record["files"].items() if record["key"] == key else ()
        return bool(files) and all((out / name).stat().st_size == entry["bytes"] for name, entry in files)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return False


def write_record(out: Path, key: str, parameters: dict[str, Any], names: list[str]) -> None:
    """Write the record of a finished demo: parameters, and size and SHA-256 of every file."""
    files = {name: {"bytes": (out / name).stat().st_size, "sha256": file_sha256(out / name)} for name in sorted(names)}
    record = {"key": key, "code": code_digest(), "parameters": parameters, "files": files}
    write_text(out / RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def slide_name(plan: SlidePlan) -> str:
    """Return where a slide stands under the demo's folder."""
    return f"slides/{plan.name}.svs"


def annotation_name(plan: SlidePlan) -> str:
    """Return where a slide's annotations stand under the demo's folder."""
    return f"annotations/{plan.name}.geojson"
