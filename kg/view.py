"""A concept's neighbourhood as one HTML page: an SVG that needs no script and no network."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from kg.graph import Graph
from kg.paths import information_content
from kg.predicates import PREDICATES
from kg.records import Category, Edge, Node

_COLOURS: dict[Category, str] = {
    "Neoplasm": "#b3446c",
    "Disease": "#8d5a97",
    "MorphologicFinding": "#2f6f9f",
    "ClinicalFinding": "#7a8b99",
    "AnatomicSite": "#3f7d4e",
    "CellType": "#a8781f",
    "AbnormalCell": "#c0562f",
    "MolecularAbnormality": "#5c6bc0",
    "Biomarker": "#00838f",
    "StageGrade": "#6d6875",
}
_OTHER = "#777777"
_STROKES = {"has": "", "may": "6 4", "excludes": "2 3", None: ""}
_EXCLUDES = "#c62828"
_WIDTH, _ROW = 1300, 42
_LONGEST = 46  # characters of a label that fit beside its dot; the whole name shows on pointing


@dataclass(frozen=True, slots=True)
class _Placed:
    node: Node
    x: float
    y: float


def neighbourhood_html(graph: Graph, curie: str, *, limit: int = 28) -> str:
    """Return a page that shows a concept and what is said of it: of every category the most specific neighbours.

    Solid lines are `has` and hierarchy, dashed ones `may`, dotted red ones `excludes`; pointing at a line tells the
    statement with its source.

    Args:
        graph: where to look.
        curie: the concept in the middle.
        limit: how many neighbours to draw; the page says how many there are.

    Raises:
        GraphError: the concept is no node of the graph.
    """
    centre = graph.node(curie)
    edges = sorted(
        (*graph.out_edges(curie), *graph.in_edges(curie)),
        key=lambda edge: (
            edge.inherited_from is not None,
            -information_content(graph, _other(edge, curie)),
            edge.edge_id,
        ),
    )
    others = list(dict.fromkeys(_other(edge, curie) for edge in edges))
    shown = sorted(
        _of_every_kind(graph, others, limit), key=lambda other: (graph.nodes[other].category, graph.nodes[other].label)
    )
    places = {curie: _Placed(centre, _WIDTH / 2, _height(len(shown)) / 2)}
    for index, other in enumerate(shown):
        places[other] = _Placed(graph.nodes[other], *_place(index, len(shown)))
    lines = "".join(_line(graph, edge, places) for edge in edges if _other(edge, curie) in places)
    dots = "".join(_dot(placed, placed.node is centre) for placed in places.values())
    return _page(centre, lines + dots, len(shown), len(others), sorted({p.node.category for p in places.values()}))


def _of_every_kind(graph: Graph, others: Sequence[str], limit: int) -> list[str]:
    """Return at most `limit` neighbours, taken in turn from each category, in their order within it."""
    by_category: dict[Category, list[str]] = {}
    for other in others:
        by_category.setdefault(graph.nodes[other].category, []).append(other)
    turns = zip_longest(*by_category.values())
    return [other for turn in turns for other in turn if other is not None][:limit]


def _other(edge: Edge, curie: str) -> str:
    return edge.object if edge.subject == curie else edge.subject


def _height(count: int) -> float:
    return _ROW * (math.ceil(count / 2) + 1) + 2 * _ROW


def _place(index: int, count: int) -> tuple[float, float]:
    """Return where a neighbour stands: two arcs, right and left, one row for each so that labels never meet."""
    right = math.ceil(count / 2)
    on_right = index < right
    row = index if on_right else index - right
    rows = right if on_right else count - right
    height = _height(count)
    y = height / 2 + (row - (rows - 1) / 2) * _ROW
    bend = math.sqrt(max(1 - ((y - height / 2) / (height / 2)) ** 2, 0))
    reach = _WIDTH * (0.1 + 0.1 * bend)
    return (_WIDTH / 2 + reach if on_right else _WIDTH / 2 - reach), y


def _line(graph: Graph, edge: Edge, places: dict[str, _Placed]) -> str:
    start, end = places[edge.subject], places[edge.object]
    words = PREDICATES[edge.predicate].words
    modality = f" ({edge.modality})" if edge.modality else ""
    source = edge.citation or f"{edge.primary_knowledge_source} {edge.source_version}"
    holder = f", stated of {graph.nodes[edge.inherited_from].label}" if edge.inherited_from else ""
    title = html.escape(f"{start.node.label} {words} {end.node.label}{modality}{holder} - {source}")
    colour = _EXCLUDES if edge.modality == "excludes" else "#9aa0a6"
    dash = f' stroke-dasharray="{_STROKES[edge.modality]}"' if _STROKES[edge.modality] else ""
    return (
        f'<line x1="{start.x:.1f}" y1="{start.y:.1f}" x2="{end.x:.1f}" y2="{end.y:.1f}" stroke="{colour}" '
        f'stroke-width="2"{dash}><title>{title}</title></line>'
    )


def _dot(placed: _Placed, middle: bool) -> str:
    colour = _COLOURS.get(placed.node.category, _OTHER)
    radius = 16 if middle else 9
    left = placed.x < _WIDTH / 2 - 1
    anchor = "middle" if middle else "end" if left else "start"
    x = placed.x if middle else placed.x + (-14 if left else 14)
    y = placed.y - 24 if middle else placed.y + 4
    name = placed.node.label
    label = html.escape(name if middle or len(name) <= _LONGEST else name[: _LONGEST - 1] + "\u2026")
    title = html.escape(f"{name} - {placed.node.curie} - {placed.node.category}")
    weight = ' font-weight="700" font-size="17"' if middle else ""
    return (
        f'<g><title>{title}</title><circle cx="{placed.x:.1f}" cy="{placed.y:.1f}" r="{radius}" fill="{colour}"/>'
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{label}</text></g>'
    )


def _page(centre: Node, drawing: str, shown: int, every: int, categories: list[Category]) -> str:
    legend = "".join(
        f'<span><i style="background:{_COLOURS.get(category, _OTHER)}"></i>{category}</span>' for category in categories
    )
    label = html.escape(centre.label)
    note = html.escape(centre.definition or centre.citation or "")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{label}</title><style>
body{{font:15px/1.4 system-ui,sans-serif;margin:24px;color:#202124;background:#fff}}
h1{{font-size:22px;margin:0 0 4px}}p{{margin:4px 0;max-width:70em;color:#555}}
svg{{width:100%;max-width:1500px;height:auto}}
text{{font-size:14px;fill:#202124;paint-order:stroke;stroke:#fff;stroke-width:4px}}
span{{margin-right:16px}}i{{display:inline-block;width:11px;height:11px;border-radius:50%;margin-right:6px}}
</style></head><body><h1>{label}</h1><p>{html.escape(centre.curie)} - {note}</p>
<p>{shown} of {every} neighbours. Solid: has, or hierarchy. Dashed: may have. Dotted red: excludes.</p><p>{legend}</p>
<svg viewBox="0 0 {_WIDTH} {_height(shown):.0f}" role="img" aria-label="{label}">{drawing}</svg>
</body></html>
"""
