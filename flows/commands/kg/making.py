"""`kg fetch` and `kg build`: from official addresses to a graph in a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from flows.commands.kg.choice import FOLDER
from flows.commands.options import json_option, say


class _Bar:
    """A bar of bytes on standard error, in the form that pooch asks for."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description:<24}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._bars = Progress(*columns, console=Console(stderr=True))
        self._task = self._bars.add_task(name, total=None)
        self.total: float | None = None
        self._bars.start()

    def update(self, amount: float) -> None:
        """Go on by so many bytes."""
        self._bars.update(self._task, advance=amount, total=self.total)

    def reset(self) -> None:
        """Begin again; pooch does so before it fills the bar."""
        self._bars.reset(self._task)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bars.stop()


@click.command(name="fetch")
@click.option("--sources-dir", type=FOLDER, required=True, help="Folder for the files; `kg build` reads it.")
@click.option("--source", "names", multiple=True, help="Source of kg/sources.yaml; repeatable. [default: all]")
@json_option
def fetch(sources_dir: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Download ontologies from their official addresses, check them, and keep what is there already.

    A file that is there with the right checksum is left alone, so a broken run goes on where it stopped. Where an
    address cannot be reached, put a copy into the folder under the name that kg/sources.yaml gives.
    """
    from kg.fetch import fetch as download

    told: list[dict[str, str]] = []
    shown: Any = _Bar if sys.stderr.isatty() else None
    download(
        sources_dir, names or None, bar=shown, progress=lambda name, what: told.append({"source": name, "what": what})
    )
    say({"sources": told}, as_json, [f"{item['what']:<10}{item['source']}" for item in told])


@click.command(name="build")
@click.option("--out", type=FOLDER, required=True, help="Folder for the graph.")
@click.option("--sources-dir", type=FOLDER, help="Folder of ontology files (see kg/sources.yaml).")
@click.option(
    "--source", "names", multiple=True, help="Source to merge with the starter graph; repeatable. [default: all]"
)
@json_option
def build(out: Path, sources_dir: Path | None, names: tuple[str, ...], as_json: bool) -> None:
    """Build the graph into OUT: nodes, edges, the linker's lexicon, and what was merged and refused (report.json)."""
    import json
    import tempfile

    from kg.build import build_graph
    from kg.link import Lexicon
    from kg.sources import load_sources, starter_source
    from schemas.errors import InputError

    if out.exists():
        raise InputError(f"{out} is there already", remedy="name a new folder, or remove it first")
    if names and sources_dir is None:
        raise InputError("--source names files of no folder", remedy="give --sources-dir too")
    result = build_graph([starter_source(), *(load_sources(sources_dir, names or None) if sources_dir else [])])
    graph, report = result.graph, result.report.as_dict()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        whole = Path(scratch) / "graph"
        graph.save(whole)
        Lexicon.from_graph(graph).save(whole / "lexicon.parquet")
        (whole / "report.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        whole.rename(out)
    line = f"{len(graph.nodes):,} nodes, {len(graph.edges):,} edges from {len(report['sources'])} sources"
    say({"nodes": len(graph.nodes), "edges": len(graph.edges), "report": report}, as_json, [line])
