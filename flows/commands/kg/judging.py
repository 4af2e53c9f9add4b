"""`kg validate` and `kg agreement`: whether the graph keeps its promises, and what another source says of ours."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from flows.commands.kg.choice import graph_option, load
from flows.commands.options import json_option, say


@click.command(name="validate")
@graph_option
@json_option
def validate(folder: Path | None, as_json: bool) -> None:
    """Check every node and edge, and the SHACL shapes of kg/shapes.ttl; exit 1 where something is wrong."""
    from kg.validate import validate as check

    report = check(load(folder))
    shapes = report.shacl_signatures
    by_shapes = "SHACL not checked: pip install pyshacl" if shapes is None else f"SHACL on {shapes:,} signatures"
    lines = [
        *report.violations,
        f"{len(report.violations)} violations in {report.nodes:,} nodes and {report.edges:,} edges; {by_shapes}",
    ]
    facts = {"violations": list(report.violations), "nodes": report.nodes, "edges": report.edges}
    say({**facts, "shacl_signatures": shapes}, as_json, lines)
    if not report.conforms:
        sys.exit(1)


@click.command(name="agreement")
@click.option("--with", "other", default="infores:ncit", show_default=True, help="The source to compare with.")
@graph_option
@json_option
def agreement(other: str, folder: Path | None, as_json: bool) -> None:
    """Hold the starter graph against another source: agreements, contradictions, gaps."""
    from kg.agreement import compare, gaps, report
    from schemas.errors import InputError

    graph = load(folder)
    if not any(edge.primary_knowledge_source == other for edge in graph.edges):
        raise InputError(
            f"the graph holds nothing of {other}",
            remedy="give --graph FOLDER, built with that source (`kg build --sources-dir DIR --source ncit`)",
        )
    compared = compare(graph, other)
    counts = {verdict: sum(item.verdict == verdict for item in compared) for verdict in {c.verdict for c in compared}}
    say({"with": other, "verdicts": counts, "gaps": len(gaps(graph, other))}, as_json, [report(graph, other).rstrip()])
