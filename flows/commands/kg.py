"""`slidesmith kg`: the medical knowledge graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flows.commands.options import json_option, say

if TYPE_CHECKING:
    from kg.graph import Graph

Command = TypeVar("Command", bound=Callable[..., Any])


def _graph_option(command: Command) -> Command:
    help_text = "A folder that `kg build` made; default: the starter graph."
    return click.option("--graph", "folder", type=click.Path(path_type=Path), help=help_text)(command)


def _load(folder: Path | None) -> Graph:
    from kg.build import build_graph
    from kg.graph import Graph
    from kg.sources import starter_source

    return Graph.load(folder) if folder else build_graph([starter_source()]).graph


@click.group(name="kg")
def command() -> None:
    """The medical knowledge graph: starter facts and ontologies, with a source on every edge."""


@command.command(name="build")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the graph.")
@click.option("--sources-dir", type=click.Path(path_type=Path), help="Folder of ontology files (see kg/sources.yaml).")
@click.option(
    "--source", "names", multiple=True, help="Source to merge with the starter graph; repeatable. [default: all]"
)
@json_option
def build(out: Path, sources_dir: Path | None, names: tuple[str, ...], as_json: bool) -> None:
    """Build the graph into OUT: nodes, edges, and the linker's lexicon."""
    import tempfile

    from kg.build import build_graph
    from kg.link import Lexicon
    from kg.sources import load_sources, starter_source
    from schemas.errors import InputError

    if out.exists():
        raise InputError(f"{out} is there already", remedy="name a new folder, or remove it first")
    sources = [starter_source(), *(load_sources(sources_dir, names or None) if sources_dir else [])]
    graph = build_graph(sources).graph
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        whole = Path(scratch) / "graph"
        graph.save(whole)
        Lexicon.from_graph(graph).save(whole / "lexicon.parquet")
        whole.rename(out)
    names = tuple(source.name for source in sources)
    facts = {"nodes": len(graph.nodes), "edges": len(graph.edges), "sources": names}
    say(facts, as_json, [f"{len(graph.nodes):,} nodes, {len(graph.edges):,} edges from {', '.join(names)}"])


@command.command(name="link")
@click.argument("text")
@click.option("--section", help="Section title that the text stands under.")
@_graph_option
@json_option
def link(text: str, section: str | None, folder: Path | None, as_json: bool) -> None:
    """Link the concepts of TEXT (or of a file: @report.txt), with their status."""
    from kg.link import Lexicon, Linker
    from schemas.errors import InputError

    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{text[1:]} cannot be read as UTF-8 text", remedy="name a text file") from error
    lexicon = Lexicon.load(folder / "lexicon.parquet") if folder else Lexicon.from_graph(_load(None))
    links = Linker(lexicon).link(text, section=section)
    names = ("start", "end", "surface", "concept_id", "label", "category", "status")
    rows = [{name: getattr(item, name) for name in names} | {"candidates": list(item.candidates)} for item in links]
    lines = [f"{row['status']:<10}{row['surface']:<32}{row['concept_id']:<40}{row['label']}" for row in rows]
    say({"links": rows}, as_json, lines or ["no concept found"])


@command.command(name="paths")
@click.option("--from", "start", required=True, help="Concept: its CURIE, or a name of it.")
@click.option("--to", "end", required=True, help="Concept: its CURIE, or a name of it.")
@click.option("--max-hops", type=click.IntRange(1, 6), default=4, show_default=True)
@click.option("--limit", type=click.IntRange(1, 100), default=3, show_default=True)
@_graph_option
@json_option
def paths(start: str, end: str, max_hops: int, limit: int, folder: Path | None, as_json: bool) -> None:
    """Print the best paths between two concepts, every hop with its source."""
    from kg.link import Lexicon, Linker
    from kg.paths import describe, find_paths

    graph = _load(folder)
    linker = Linker(Lexicon.from_graph(graph))
    first, last = (_concept(graph, linker, name) for name in (start, end))
    found = find_paths(graph, first, last, max_hops=max_hops, limit=limit)
    rows, lines = [], []
    for path in found:
        hops = [
            {"text": describe(graph, edge, node), "edge_id": edge.edge_id, "source": edge.primary_knowledge_source}
            for edge, node in zip(path.edges, path.nodes, strict=False)
        ]
        rows.append({"score": path.score, "hops": hops})
        lines += [f"score {path.score:.2f}", *(f"  {hop['text']}  [{hop['source']}]" for hop in hops)]
    say({"from": first, "to": last, "paths": rows}, as_json, lines or [f"no path of at most {max_hops} hops"])


def _concept(graph: Graph, linker: Any, name: str) -> str:
    from schemas.errors import InputError

    if name in graph.nodes:
        return name
    whole = [link for link in linker.link(name) if link.end - link.start == len(name.strip())]
    if not whole:
        raise InputError(f"no concept is called {name!r}", remedy="try `slidesmith kg link` to see what is found in it")
    concept: str = whole[0].concept_id
    return concept


@command.command(name="stats")
@_graph_option
@json_option
def stats(folder: Path | None, as_json: bool) -> None:
    """Print the graph on one screen: nodes by category, edges by predicate and source."""
    from kg.stats import stats as count

    facts = count(_load(folder))
    lines = []
    for name, value in facts.items():
        if isinstance(value, dict):
            lines += ["", name.replace("_", " ")]
            lines += [f"  {key:<44}{number:>10,}" for key, number in value.items()]
        else:
            lines.append(f"{name.replace('_', ' '):<46}{value:>10,}")
    say(facts, as_json, lines)
