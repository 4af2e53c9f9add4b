"""What a source is and what a reader makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kg.records import Edge, Modality, Node, edge_id
from schemas.errors import GraphError


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One file to build from.

    Attributes:
        name: short name, as the configuration and the reports call it.
        path: the file (for the starter graph: its folder).
        parser: name of the reader.
        infores: primary_knowledge_source of its statements, a CURIE of the information resource registry.
        sha256: checksum of the bytes that were read.
        complete: True where every CURIE of its own prefix that it mentions must be defined in it.
        options: what else the reader needs, from `sources.yaml`.
    """

    name: str
    path: Path
    parser: str
    version: str
    licence: str
    infores: str
    sha256: str
    complete: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def fault(self, line: int | None, problem: str, remedy: str = "") -> GraphError:
        """Return an error that names the file and, where known, the line."""
        where = self.path.name if line is None else f"{self.path.name} line {line}"
        return GraphError(f"{where}: {problem}", remedy=remedy or "restore the file from its official address")


@dataclass(frozen=True, slots=True)
class Match:
    """One statement that two CURIEs mean the same (`skos:exactMatch`) or nearly so; `line` is where it stands."""

    subject: str
    predicate: str
    object: str
    source: str
    line: int | None

    @property
    def where(self) -> str:
        """Source and line of the statement."""
        return self.source if self.line is None else f"{self.source} line {self.line}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one source says, in its own identifiers.

    Attributes:
        lines: line of the file on which an edge stands, by edge id, where the format has lines.
        skipped: what was left out, by reason.
    """

    spec: SourceSpec
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    matches: tuple[Match, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)


def make_edge(
    spec: SourceSpec,
    subject: str,
    predicate: str,
    obj: str,
    modality: Modality | None = None,
    *,
    original: str | None = None,
    citation: str | None = None,
) -> Edge:
    """Return a statement of a source, with the source's provenance on it."""
    return Edge(
        edge_id=edge_id(subject, predicate, obj, modality, spec.infores),
        subject=subject,
        predicate=predicate,
        object=obj,
        modality=modality,
        primary_knowledge_source=spec.infores,
        source_version=spec.version,
        source_sha256=spec.sha256,
        licence=spec.licence,
        knowledge_level="knowledge_assertion",
        agent_type="manual_agent",
        citation=citation,
        original_predicate=original,
    )
