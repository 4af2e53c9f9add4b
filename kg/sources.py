"""Which files the graph is built from: the register `sources.yaml`, local copies, checksums."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kg.parsers.opening import content_sha256
from kg.parsers.parsed import SourceSpec
from kg.parsers.starter import FILES
from schemas.errors import GraphError
from schemas.ids import tree_sha256

REGISTER = Path(__file__).parent / "sources.yaml"
STARTER = Path(__file__).parent / "starter"
STARTER_NAME = "starter"


@dataclass(frozen=True, slots=True)
class Registered:
    """One entry of the register: where a source officially stands and what its bytes must be.

    Attributes:
        file: name of the file in a sources folder.
        url: official address; None where only a local copy serves.
    """

    name: str
    file: str
    url: str | None
    version: str
    licence: str
    infores: str
    parser: str
    sha256: str
    complete: bool
    options: dict[str, Any]


@functools.cache
def register() -> dict[str, Registered]:
    """Return the register by source name.

    Raises:
        GraphError: an entry lacks a key.
    """
    document = yaml.safe_load(REGISTER.read_text(encoding="utf-8"))
    entries = {}
    for name, entry in document["sources"].items():
        try:
            entries[name] = Registered(
                name=name,
                file=entry["file"],
                url=entry.get("url"),
                version=str(entry["version"]),
                licence=entry["licence"],
                infores=entry["infores"],
                parser=entry["parser"],
                sha256=entry["sha256"],
                complete=entry.get("complete", False),
                options=entry.get("options", {}),
            )
        except KeyError as error:
            raise GraphError(f"{REGISTER.name}: {name} lacks {error}", remedy="complete the entry") from error
    return entries


@functools.cache
def starter_source() -> SourceSpec:
    """Return the starter graph that the project carries."""
    return SourceSpec(
        name=STARTER_NAME,
        path=STARTER,
        parser="starter",
        version="1",
        licence="Apache-2.0",
        infores="infores:slidesmith-starter",
        sha256=tree_sha256([STARTER / name for name in (*FILES, "vocabulary.yaml")], STARTER),
        complete=True,
    )


def load_sources(sources_dir: Path, names: Sequence[str] | None = None) -> list[SourceSpec]:
    """Return sources of the register from local copies, each checked against its checksum.

    Args:
        sources_dir: folder that holds the files under the names of the register.
        names: which ones, in this order; None takes every one that is there. `starter` needs no folder.

    Raises:
        GraphError: the folder or a file is missing, a name is unknown, or a checksum differs.
    """
    if not sources_dir.is_dir():
        raise GraphError(
            f"the sources folder {sources_dir} is missing", remedy="run `slidesmith kg fetch` or correct it"
        )
    known = register()
    wanted = names if names is not None else [n for n, entry in known.items() if (sources_dir / entry.file).is_file()]
    return [_load(sources_dir, known, name) for name in wanted]


def _load(folder: Path, known: dict[str, Registered], name: str) -> SourceSpec:
    if name == STARTER_NAME:
        return starter_source()
    if name not in known:
        raise GraphError(f"{name} is no source of {REGISTER.name}", remedy=f"known are {', '.join(known)}")
    return local_source(known[name], folder / known[name].file)


def local_source(entry: Registered, path: Path) -> SourceSpec:
    """Return a registered source that stands at a path, after checking its bytes.

    Raises:
        GraphError: the file is missing or its checksum differs.
    """
    if not path.is_file():
        raise GraphError(f"{path.name} ({entry.name}) is not in {path.parent}", remedy="run `slidesmith kg fetch`")
    spec = SourceSpec(
        name=entry.name,
        path=path,
        parser=entry.parser,
        version=entry.version,
        licence=entry.licence,
        infores=entry.infores,
        sha256=entry.sha256,
        complete=entry.complete,
        options=entry.options,
    )
    found = content_sha256(spec)
    if found != entry.sha256:
        raise GraphError(
            f"{path.name}: SHA-256 of the content is {found[:12]}..., {REGISTER.name} says {entry.sha256[:12]}...",
            remedy="fetch the file again, or correct the register after reviewing the new version",
        )
    return spec
