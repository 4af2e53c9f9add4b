"""Compact identifiers: their prefixes, the way to IRIs and back, and which of several names a concept goes by."""

from __future__ import annotations

import functools
import re
from pathlib import Path

FILE = Path(__file__).parent / "prefixes.tsv"
OBO = "http://purl.obolibrary.org/obo/"
# Which CURIE names a merged node: ours first (the closed vocabulary is fixed), then the one that holds the roles.
PREFERENCE = ("SSG", "NCIT", "MONDO", "UBERON", "CL", "PATO", "DOID", "ONCOTREE", "MPATH", "MC", "TPO", "PATHOML")
_RANK = {name: rank for rank, name in enumerate(PREFERENCE)}
_CURIE = re.compile(r"[A-Za-z][\w.]*:[^\s|]+")
_OBO_LOCAL = re.compile(r"([A-Za-z]+)_(\w+)")


@functools.cache
def bases() -> dict[str, str]:
    """Return every known prefix with the base of its IRIs."""
    return {row[0]: row[1] for row in _rows()}


@functools.cache
def _spellings() -> dict[str, str]:
    return {other: row[0] for row in _rows() for other in (row[0], *row[2].split("|")) if other}


def _rows() -> list[list[str]]:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [[*line.split("\t"), ""][:3] for line in lines if line and not line.startswith("#")]


def is_curie(text: str) -> bool:
    """Return whether a text has the form of a CURIE."""
    return _CURIE.fullmatch(text) is not None


def prefix(curie: str) -> str:
    """Return the part of a CURIE before the colon."""
    return curie.partition(":")[0]


def known(curie: str) -> bool:
    """Return whether the prefix of a CURIE is registered."""
    return prefix(curie) in bases()


def normal(curie: str) -> str:
    """Return a CURIE with the registered spelling of its prefix (`ncit:C1` -> `NCIT:C1`), others as they are."""
    name, colon, local = curie.partition(":")
    return _spellings().get(name, name) + colon + local


def from_iri(iri: str) -> str | None:
    """Return the CURIE of an IRI, None where no registered prefix fits."""
    if iri.startswith(OBO):
        local = _OBO_LOCAL.fullmatch(iri, len(OBO))
        return normal(f"{local[1]}:{local[2]}") if local else None
    return next((name + ":" + iri[len(base) :] for name, base in bases().items() if iri.startswith(base)), None)


def to_iri(curie: str) -> str:
    """Return the IRI of a CURIE with a registered prefix."""
    name, _, local = curie.partition(":")
    return bases()[name] + local


def preference(curie: str) -> tuple[int, str]:
    """Return a sort key: the preferred identifier of several comes first."""
    return (_RANK.get(prefix(curie), len(PREFERENCE)), curie)
