"""Flow: starter facts and ontologies to the knowledge graph."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.config import RunConfig, resolve_config
from flows.plan import make_plan
from tasks.graph.task import build


@flow(name="build-graph")
def build_graph(config: RunConfig | Path) -> None:
    """Build the graph and the linker's lexicon."""
    settings = resolve_config(config)
    plan = make_plan(settings)
    build(plan.store, plan.graph, settings.graph.sources_dir, settings.graph.sources)
