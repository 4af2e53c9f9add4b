"""`kg paths`, `kg stats` and `kg query`: what the graph says."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

import click

from flows.commands.kg.choice import concepts, graph_option, load
from flows.commands.options import json_option, say

if TYPE_CHECKING:
    from kg.paths import Path

_WIDTH = 44  # of a column of `kg stats`


@click.command(name="paths")
@click.option("--from", "start", required=True, help="Concept: its CURIE, or a name of it.")
@click.option("--to", "end", required=True, help="Concept: its CURIE, or a name of it.")
@click.option("--max-hops", type=click.IntRange(1, 6), default=4, show_default=True)
@click.option("--limit", type=click.IntRange(1, 100), default=3, show_default=True)
@graph_option
@json_option
def paths(start: str, end: str, max_hops: int, limit: int, folder: FilePath | None, as_json: bool) -> None:
    """Print the best paths between two concepts, every hop with all its sources."""
    from kg.paths import describe, find_paths

    graph = load(folder)
    first, last = concepts(graph, folder, [start, end])
    ways: dict[tuple[str, ...], list[Path]] = {}  # walks over the same concepts, told apart by source alone
    for path in find_paths(graph, first, last, max_hops=max_hops, limit=None):
        ways.setdefault(path.nodes, []).append(path)
    rows, lines = [], []
    for nodes, same in list(ways.items())[:limit]:
        hops = []
        for at, node in enumerate(nodes[:-1]):
            edges = {path.edges[at].edge_id: path.edges[at] for path in same}
            hops.append(
                {
                    "text": describe(graph, same[0].edges[at], node),
                    "edge_ids": sorted(edges),
                    "sources": sorted({edge.primary_knowledge_source for edge in edges.values()}),
                }
            )
        rows.append({"score": same[0].score, "hops": hops})
        lines += [f"score {same[0].score:.2f}", *(f"  {hop['text']}  [{', '.join(hop['sources'])}]" for hop in hops)]
    say({"from": first, "to": last, "paths": rows}, as_json, lines or [f"no path of at most {max_hops} hops"])


@click.command(name="stats")
@graph_option
@json_option
def stats(folder: FilePath | None, as_json: bool) -> None:
    """Print the graph on one screen: nodes by category, edges by predicate and source."""
    from kg.stats import stats as count

    facts = count(load(folder))
    plain = {name: value for name, value in facts.items() if not isinstance(value, dict)}
    tables = {name: value for name, value in facts.items() if isinstance(value, dict)}
    columns: tuple[list[str], list[str]] = ([], [])
    for name, table in tables.items():
        column = min(columns, key=len)
        column += [name.replace("_", " ").upper(), *_rows(table), ""]
    lines = [f"{left:<{_WIDTH}}   {right}".rstrip() for left, right in zip_longest(*columns, fillvalue="")]
    say(facts, as_json, [*_rows({name.replace("_", " "): value for name, value in plain.items()}), "", *lines])


def _rows(table: dict[str, float]) -> list[str]:
    return [f"{key:<{_WIDTH - 10}}{value:>10,}" for key, value in table.items()]


@click.command(name="query")
@click.argument("sparql")
@graph_option
@json_option
def query(sparql: str, folder: FilePath | None, as_json: bool) -> None:
    """Print the rows of a SELECT query; the prefixes of the Turtle export are known."""
    from kg.queries import select, store_of

    rows = select(store_of(load(folder)), sparql)
    say({"rows": rows}, as_json, ["  ".join(row.values()) for row in rows] or ["no row"])
