"""From form fields to what events say."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from schemas.errors import ReviewError
from tasks.review.items import ReviewItem
from tasks.review.payloads import REASONS

CANNOT_TELL = -1
_NUMBER = re.compile(r"[0-9]{1,2}")  # `isdigit` takes more: superscripts, and numbers of any length
_LONGEST_S = 4 * 3600.0


def seconds(text: str) -> float | None:
    """Return the seconds that a page measured; None where it says nothing sensible."""
    try:
        value = float(text)
    except ValueError:
        return None
    return round(value, 1) if math.isfinite(value) and 0 <= value <= _LONGEST_S else None


def reason_of(form: Mapping[str, str]) -> str:
    """Return why an item is rejected: a reason of the list, words of one's own, or both.

    Raises:
        ReviewError: there is neither.
    """
    chosen = form.get("reason", "")
    parts = [REASONS[int(chosen)]] if _NUMBER.fullmatch(chosen) and int(chosen) < len(REASONS) else []
    own = " ".join(form.get("own_reason", "").split())
    parts += [own] if own else []
    if not parts:
        raise ReviewError("a rejection needs its reason", remedy="choose one or write it")
    return ": ".join(parts)


def edit_of(item: ReviewItem, form: Mapping[str, str]) -> dict[str, Any]:
    """Return what an edit changes, and nothing that it leaves as it was.

    Raises:
        ReviewError: nothing was changed, or a number is none.
    """
    new: dict[str, Any] = {}
    for name, old in item.editable.items():
        if isinstance(old, list):
            new[name] = [form.get(f"{name}_{place}", text).strip() for place, text in enumerate(old)]
        elif isinstance(old, int):
            value = form.get(name, str(old))
            if not _NUMBER.fullmatch(value):
                raise ReviewError("the key is no option", remedy="choose one of the options as the key")
            new[name] = int(value)
        else:
            new[name] = form.get(name, old).replace("\r\n", "\n").strip()
    changed = {name: value for name, value in new.items() if value != item.editable[name]}
    if not changed:
        raise ReviewError("nothing was changed", remedy="change something, or accept the item as it is")
    return changed
