"""Whose a rejected item was: it stands in no table, so the row that says why it went says where it came from too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from schemas.records.outcome import Rejection


def with_origin(rejections: Iterable[Rejection], origin_of: Callable[[str], str | None]) -> list[Rejection]:
    """Return rejections whose details name the field or slide that each item belonged to.

    By that id a release finds the patient: the row stands in their split, and goes when they withdraw.

    Args:
        rejections: rows of one shard.
        origin_of: item id -> id of its field or slide; None where the item's own id is that of one.
    """
    found = [(row, origin_of(row.item_id)) for row in rejections]
    return [replace(row, detail=f"{row.detail} (of {origin})") if origin else row for row, origin in found]
