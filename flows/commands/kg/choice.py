"""What several verbs of `slidesmith kg` choose alike: the graph, and a concept by CURIE or by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from kg.graph import Graph
    from kg.link import Lexicon

Command = TypeVar("Command", bound=Callable[..., Any])
FOLDER = click.Path(path_type=Path)


def graph_option(command: Command) -> Command:
    """Add `--graph`: a folder that `kg build` made."""
    help_text = "A folder that `kg build` made; default: the starter graph."
    return click.option("--graph", "folder", type=FOLDER, help=help_text)(command)


def load(folder: Path | None) -> Graph:
    """Return the graph of a folder, or the starter graph."""
    from kg.build import build_graph
    from kg.graph import Graph
    from kg.sources import starter_source

    return Graph.load(folder) if folder else build_graph([starter_source()]).graph


def lexicon_of(graph: Graph, folder: Path | None) -> Lexicon:
    """Return the linker's lexicon that stands beside a built graph, or one made from the graph."""
    from kg.link import Lexicon

    held = folder / "lexicon.parquet" if folder else None
    return Lexicon.load(held) if held and held.is_file() else Lexicon.from_graph(graph)


def concepts(graph: Graph, folder: Path | None, names: Sequence[str]) -> list[str]:
    """Return the CURIEs of concepts that are named by their CURIE or by any of their names.

    Raises:
        InputError: the graph knows no concept of this name.
    """
    from kg.link import Linker
    from schemas.errors import InputError

    linker = None if all(name in graph.nodes for name in names) else Linker(lexicon_of(graph, folder))
    found = []
    for name in names:
        if linker is None or name in graph.nodes:
            found.append(name)
            continue
        whole = [link for link in linker.link(name) if link.end - link.start == len(name.strip())]
        if not whole:
            raise InputError(
                f"no concept is called {name!r}", remedy="try `slidesmith kg link` to see what is found in it"
            )
        found.append(whole[0].concept_id)
    return found
