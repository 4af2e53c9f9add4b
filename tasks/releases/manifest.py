"""The manifest: what a version holds, byte for byte, and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from schemas.errors import StoreError
from schemas.ids import canonical_json, digest

FORMAT = "slidesmith-release/1"
DIGEST = "manifest_sha256"

Manifest = Mapping[str, Any]


def manifest_bytes(content: Mapping[str, Any]) -> bytes:
    """Return the one text of a manifest, which holds a digest of all the rest of itself."""
    sealed = {**content, "format": FORMAT, DIGEST: digest({**content, "format": FORMAT})}
    return (json.dumps(sealed, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Return a manifest that is whole and unaltered.

    Args:
        data: bytes of `manifest.json`.
        where: dataset and version, for the message.

    Raises:
        StoreError: a byte of it was changed, or another program wrote it.
    """
    remedy = "pull the version again, or restore the store from a copy"
    try:
        sealed = json.loads(data)
        content = {name: value for name, value in sealed.items() if name != DIGEST}
        if content.get("format") != FORMAT:
            raise StoreError(f"the manifest of {where} is not in the form {FORMAT}", remedy=remedy)
        whole = manifest_bytes(content) == data
    except (ValueError, AttributeError) as error:
        raise StoreError(f"the manifest of {where} is torn", remedy=remedy) from error
    if not whole:
        raise StoreError(f"the manifest of {where} was altered", remedy=remedy)
    return content


def plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return content as JSON gives it back, so that it compares equal to what a manifest says."""
    given: dict[str, Any] = json.loads(canonical_json(content))
    return given
