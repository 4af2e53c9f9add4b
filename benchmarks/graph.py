"""Figures of the knowledge graph: building, storage, paths, distractors, validation.

python -m benchmarks.graph --sources-dir FOLDER [--json FILE] [--quick]
"""

from __future__ import annotations

import argparse
import functools
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import networkx as nx

from benchmarks._claims import Figures, keep
from kg.build import build_graph
from kg.export import from_kgx, to_kgx
from kg.findings import findings_of
from kg.graph import EDGES, NODES, Graph
from kg.paths import find_paths
from kg.siblings import names_of, siblings
from kg.sources import load_sources, starter_source
from kg.stats import duplicate_labels
from kg.validate import validate
from schemas.ids import file_sha256

Result = TypeVar("Result")

DEFAULT_SOURCES = Path(__file__).resolve().parent.parent.parent / "shared" / "kg"
NEOPLASM = "SSG:neoplasm"


def cpu_seconds(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the CPU seconds of a piece of work and its result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def build(figures: Figures, sources_dir: Path, names: list[str] | None) -> Graph:
    """Build twice from the raw files, save both and compare the bytes."""
    names = [*names] if names is not None else None

    def run() -> Graph:
        return build_graph([starter_source(), *load_sources(sources_dir, names)]).graph

    seconds, graph = cpu_seconds(run)
    figures.add("build from the raw files", seconds, "CPU s", "<= 10", seconds <= 10)
    with tempfile.TemporaryDirectory() as folder:
        digests = []
        for name, each in (("one", graph), ("two", run())):
            each.save(Path(folder) / name)
            digests.append([file_sha256(Path(folder) / name / file) for file in (NODES, EDGES)])
        size = sum((Path(folder) / "one" / file).stat().st_size for file in (NODES, EDGES))
        seconds, _ = cpu_seconds(lambda: Graph.load(Path(folder) / "one"))
        to_kgx(graph, Path(folder) / "kgx")
        again = from_kgx(Path(folder) / "kgx")
    same = float(digests[0] == digests[1])
    figures.add("a second build is byte-identical", same, "yes = 1", "1", same == 1)
    lossless = float(again.edges == graph.edges and dict(again.nodes) == dict(graph.nodes))
    figures.add("KGX round trip is lossless", lossless, "yes = 1", "1", lossless == 1)
    figures.add("size as Parquet", size / 1e6, "MB", "<= 12", size <= 12e6)
    figures.add("load", seconds, "CPU s", "<= 5", seconds <= 5)
    return graph


def contents(figures: Figures, graph: Graph) -> None:
    """Nodes, edges, provenance, duplicates, coverage, validation."""
    figures.add("nodes", len(graph.nodes), "", "> 0", bool(graph.nodes))
    figures.add("statements", len(graph.edges), "", "> 0", bool(graph.edges))
    whole = sum(bool(e.primary_knowledge_source and e.source_version and e.licence) for e in graph.edges)
    share = whole / len(graph.edges)
    figures.add("statements with source, version and licence", share, "share", "1", share == 1)
    twins = len(duplicate_labels(graph))
    figures.add("labels that two nodes of a category bear", twins, "labels", "< 500", twins < 500)
    named = [c for c in graph.descendants(NEOPLASM) if any(x.startswith("NCIT:") for x in all_names(graph, c))]
    if named:
        for modalities, goal in ((("has", "may"), 0.65), (("excludes",), 0.0)):
            share = sum(bool(findings_of(graph, curie, *modalities)) for curie in named) / len(named)
            text = f"NCIt neoplasms with a specific {'/'.join(modalities)} path"
            figures.add(text, share, "share", f">= {goal}", share >= goal)
    seconds, report = cpu_seconds(lambda: validate(graph))
    found = len(report.violations)
    figures.add(
        "violations (own rules and SHACL)", found, "rows", "0", found == 0 and report.shacl_signatures is not None
    )
    figures.add("validation", seconds, "CPU s", "<= 10", seconds <= 10)


def all_names(graph: Graph, curie: str) -> tuple[str, ...]:
    """Return a node's CURIE and those merged into it."""
    return (curie, *graph.nodes[curie].equivalent_identifiers)


def paths(figures: Figures, graph: Graph, rounds: int) -> None:
    """Time filtered paths between findings and diagnoses, and compare unfiltered ones with networkx."""
    chooser = random.Random(0)
    findings = sorted({edge.object for edge in graph.edges if edge.predicate == "has_finding"})
    diagnoses = sorted({edge.subject for edge in graph.edges if edge.predicate == "has_finding"})
    pairs = [(chooser.choice(findings), chooser.choice(diagnoses)) for _ in range(rounds // 2)]
    stated = [edge for edge in graph.edges if edge.predicate == "has_finding" and edge.modality == "has"]
    pairs += [(edge.object, edge.subject) for edge in chooser.sample(stated, min(rounds // 2, len(stated)))]
    find_paths(graph, *pairs[0])  # adjacency is built when first asked for
    times = sorted(cpu_seconds(functools.partial(find_paths, graph, *pair))[0] for pair in pairs)
    p95 = times[int(0.95 * (len(times) - 1))] * 1000
    figures.add("path finding, p95 at <= 4 hops", p95, "ms", "<= 5", p95 <= 5)
    median = statistics.median(times) * 1000
    figures.add("path finding, median", median, "ms", "<= 5", median <= 5)
    small = build_graph([starter_source()]).graph
    undirected = small.to_networkx().to_undirected()
    curies = sorted(small.nodes)
    equal = 0
    for _ in range(20):
        start, end = chooser.sample(curies, 2)
        ours = {
            frozenset(e.edge_id for e in p.edges)
            for p in find_paths(small, start, end, max_hops=3, limit=None, filtered=False)
        }
        theirs = {
            frozenset(key for _, _, key in path) for path in nx.all_simple_edge_paths(undirected, start, end, cutoff=3)
        }
        equal += ours == theirs
    figures.add("unfiltered paths equal to networkx (20 pairs)", equal / 20, "share", "1", equal == 20)


def distractors(figures: Figures, graph: Graph, rounds: int) -> None:
    """How many siblings are ancestors, descendants or namesakes of what they stand beside."""
    chooser = random.Random(1)
    neoplasms = sorted(node.curie for node in graph.nodes.values() if node.category == "Neoplasm")
    bad = every = certified = 0
    for curie in chooser.sample(neoplasms, min(rounds, len(neoplasms))):
        kin = {*graph.ancestors(curie), *graph.descendants(curie), curie}
        names = names_of(graph.nodes[curie])
        for sibling in siblings(graph, curie):
            every += 1
            certified += sibling.certified
            bad += sibling.concept_id in kin or bool(names & names_of(graph.nodes[sibling.concept_id]))
    figures.add("distractors drawn", every, "siblings", "> 0", every > 0)
    figures.add("distractors that are ancestors or namesakes", bad / max(every, 1), "share", "0", bad == 0)


def main() -> None:
    """Print every figure; write them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sources-dir", type=Path, default=DEFAULT_SOURCES)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="a few sources and rounds")
    options = parser.parse_args()
    figures = Figures()
    names = ["ncit", "mpath", "mondo-ncit"] if options.quick else None
    if not options.sources_dir.is_dir():
        print(f"no sources in {options.sources_dir.name}: the starter graph alone")
        names = []
        options.sources_dir = Path(tempfile.gettempdir())
    graph = build(figures, options.sources_dir, names)
    contents(figures, graph)
    paths(figures, graph, 60 if options.quick else 400)
    distractors(figures, graph, 60 if options.quick else 400)
    keep(figures.rows, options.json)


if __name__ == "__main__":
    main()
