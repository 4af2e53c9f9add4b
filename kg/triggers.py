"""Words by which a text denies, doubts or bounds what it mentions, as literal phrases for the linker's automaton."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from itertools import product
from types import MappingProxyType
from typing import Literal, cast

from kg import language

Trigger = Literal[
    "hard",  # ends a clause
    "comma",  # may end a clause, where verbs stand on both sides
    "and",
    "with",  # ", with": ends the scope of a denial before it
    "or",
    "verb",  # finite verb
    "before_negative",  # denies what follows
    "before_uncertain",
    "after_negative",  # denies what precedes
    "after_uncertain",
    "after_present",
    "state",  # "present" without a verb: a clause of its own after a denial and a comma
    "family",  # speaks of relatives
    "pseudo",  # looks like a denial and is none
]
_SLOT = re.compile(r"\{(\w+)\}")


@functools.cache
def phrases() -> Mapping[str, Trigger]:
    """Return every phrase of `language/triggers.tsv` with its kind, sets multiplied out."""
    sets: dict[str, list[str]] = {}
    found: dict[str, Trigger] = {}
    for kind, cell in language.rows("triggers.tsv"):
        texts = cell.split("|")
        if kind.startswith("set:"):
            sets[kind.removeprefix("set:")] = texts
            continue
        for text in texts:
            slots = _SLOT.findall(text)
            for words in product(*(sets[name] for name in slots)):
                found[text.format(**dict(zip(slots, words, strict=True)))] = cast(Trigger, kind)
    return MappingProxyType(found)
