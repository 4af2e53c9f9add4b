"""Content-derived identifiers and digests, equal on every machine and every rerun."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ID_HEX = 20  # 80 bits: a collision among 10^9 ids has probability below 10^-6
_BLOCK_BYTES = 1 << 20


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=str)


def digest(*parts: Any) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of the parts."""
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


def content_id(prefix: str, *parts: Any) -> str:
    """Return `prefix_` plus 20 hex digits of the digest of the parts."""
    return f"{prefix}_{digest(*parts)[:ID_HEX]}"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 (hex) of a file's bytes, read in blocks of 1 MiB."""
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            hasher.update(block)
    return hasher.hexdigest()


def tree_sha256(paths: Iterable[Path], root: Path) -> str:
    """Return one digest of several files' contents and their paths relative to `root`."""
    return digest(*sorted((path.relative_to(root).as_posix(), file_sha256(path)) for path in paths))
