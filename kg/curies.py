"""Compact identifiers: their prefix, and which of several names a concept goes by."""

from __future__ import annotations

# Which CURIE names a merged node: ours first (the closed vocabulary is fixed), then the one that holds the roles.
PREFERENCE = ("SSG", "NCIT", "MONDO", "UBERON", "CL", "PATO", "DOID", "ONCOTREE", "MPATH", "MC")
_RANK = {name: rank for rank, name in enumerate(PREFERENCE)}


def prefix(curie: str) -> str:
    """Return the part of a CURIE before the colon."""
    return curie.partition(":")[0]


def preference(curie: str) -> tuple[int, str]:
    """Return a sort key: the preferred identifier of several comes first."""
    return (_RANK.get(prefix(curie), len(PREFERENCE)), curie)
