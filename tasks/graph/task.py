"""Prefect task of the knowledge graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect import task

from tasks.store import ShardInfo, ShardStore, ShardWriter


@task(name="build graph", persist_result=False)
def build(store: ShardStore, key: str, sources_dir: Path | None, names: Sequence[str]) -> ShardInfo:
    """Build the graph from the starter facts and the named ontologies, with the linker's lexicon."""
    from kg.build import build_graph
    from kg.link import Lexicon
    from kg.sources import load_sources, starter_source

    def make(out: ShardWriter) -> None:
        sources = [starter_source(), *(load_sources(sources_dir, names) if sources_dir and names else [])]
        result = build_graph(sources)
        result.graph.save(out.path(""))
        Lexicon.from_graph(result.graph).save(out.path("lexicon.parquet"))
        out.rows = {"nodes": len(result.graph.nodes), "edges": len(result.graph.edges)}
        out.facts["sources"] = [
            {"name": s.name, "version": s.version, "licence": s.licence, "sha256": s.sha256} for s in sources
        ]

    return store.ensure("graph", key, make)[0]
