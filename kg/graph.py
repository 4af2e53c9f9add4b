"""The graph in memory and on disk: Parquet is the truth, adjacency is built when it is first asked for."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kg.predicates import SUBCLASS_OF
from kg.records import CATEGORIES, Edge, Node, Synonym, edge_id
from schemas.errors import GraphError

__all__ = ["CATEGORIES", "Edge", "Graph", "Node", "Synonym", "edge_id"]

NODES, EDGES = "nodes.parquet", "edges.parquet"
_NO_EDGES: tuple[Edge, ...] = ()


class Graph:
    """An immutable multigraph of concepts and statements.

    Attributes:
        nodes: CURIE to node, in the order of CURIEs.
        edges: all statements, in the order of `Edge.key`.

    Raises:
        GraphError: two nodes share a CURIE, two edges share an id, or an edge ends at no node.
    """

    def __init__(self, nodes: Iterable[Node], edges: Iterable[Edge]) -> None:
        ordered = sorted(nodes, key=lambda node: node.curie)
        self.nodes: Mapping[str, Node] = MappingProxyType({node.curie: node for node in ordered})
        self.edges: tuple[Edge, ...] = tuple(sorted(edges, key=lambda edge: edge.key))
        if len(self.nodes) != len(ordered):
            twice = Counter(node.curie for node in ordered).most_common(1)[0][0]
            raise GraphError(f"two nodes are called {twice}", remedy="merge them before building the graph")
        self._check_ends()

    def _check_ends(self) -> None:
        for edge in self.edges:
            if edge.subject not in self.nodes or edge.object not in self.nodes:
                lost = edge.object if edge.subject in self.nodes else edge.subject
                raise GraphError(
                    f"the edge {edge.subject} {edge.predicate} {edge.object} ends at {lost}, which is no node",
                    remedy=f"add {lost} or remove the statement in {edge.primary_knowledge_source}",
                )
        if len({edge.edge_id for edge in self.edges}) != len(self.edges):
            twice = Counter(edge.edge_id for edge in self.edges).most_common(1)[0][0]
            raise GraphError(f"two edges share the id {twice}", remedy="remove repeated statements")

    def node(self, curie: str) -> Node:
        """Return a node.

        Raises:
            GraphError: the graph has no such node.
        """
        try:
            return self.nodes[curie]
        except KeyError:
            raise GraphError(f"{curie} is no node of the graph", remedy="look the name up with the linker") from None

    @cached_property
    def by_id(self) -> Mapping[str, Edge]:
        """Edge id to edge."""
        return MappingProxyType({edge.edge_id: edge for edge in self.edges})

    @cached_property
    def _out(self) -> dict[str, tuple[Edge, ...]]:
        return _grouped((edge.subject, edge) for edge in self.edges)

    @cached_property
    def _in(self) -> dict[str, tuple[Edge, ...]]:
        return _grouped((edge.object, edge) for edge in self.edges)

    def out_edges(self, curie: str) -> tuple[Edge, ...]:
        """Return the statements whose subject is the node."""
        return self._out.get(curie, _NO_EDGES)

    def in_edges(self, curie: str) -> tuple[Edge, ...]:
        """Return the statements whose object is the node."""
        return self._in.get(curie, _NO_EDGES)

    def parents(self, curie: str) -> tuple[str, ...]:
        """Return the nodes that the node is a kind of, one step up."""
        return tuple(edge.object for edge in self.out_edges(curie) if edge.predicate == SUBCLASS_OF)

    def children(self, curie: str) -> tuple[str, ...]:
        """Return the kinds of the node, one step down."""
        return tuple(edge.subject for edge in self.in_edges(curie) if edge.predicate == SUBCLASS_OF)

    def ancestors(self, curie: str) -> dict[str, int]:
        """Return every node that the node is a kind of, with the steps to it; the node itself is not among them."""
        return _closure(curie, self.parents)

    def descendants(self, curie: str) -> dict[str, int]:
        """Return every kind of the node, with the steps to it; the node itself is not among them."""
        return _closure(curie, self.children)

    def save(self, folder: Path) -> None:
        """Write `nodes.parquet` and `edges.parquet`; equal graphs give equal bytes."""
        from schemas.arrow import to_table

        folder.mkdir(parents=True, exist_ok=True)
        for name, table in ((NODES, to_table(self.nodes.values(), Node)), (EDGES, to_table(self.edges, Edge))):
            _write(table, folder / name)

    @classmethod
    def load(cls, folder: Path) -> Graph:
        """Read what `save` wrote.

        Raises:
            GraphError: a table is missing or not one of ours.
        """
        return cls(_read(folder / NODES, Node), _read(folder / EDGES, Edge))

    def to_networkx(self) -> Any:
        """Return the graph as a `networkx.MultiDiGraph`; edges are keyed by their id and carry the record."""
        import networkx as nx

        copy = nx.MultiDiGraph()
        copy.add_nodes_from((curie, {"node": node}) for curie, node in self.nodes.items())
        copy.add_edges_from((edge.subject, edge.object, edge.edge_id, {"edge": edge}) for edge in self.edges)
        return copy


def _grouped(pairs: Iterable[tuple[str, Edge]]) -> dict[str, tuple[Edge, ...]]:
    groups: dict[str, list[Edge]] = {}
    for curie, edge in pairs:
        groups.setdefault(curie, []).append(edge)
    return {curie: tuple(edges) for curie, edges in groups.items()}


def _closure(start: str, step: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    queue = deque([(start, 0)])
    while queue:
        curie, steps = queue.popleft()
        for neighbour in step(curie):
            if neighbour not in found and neighbour != start:
                found[neighbour] = steps + 1
                queue.append((neighbour, steps + 1))
    return found


def _write(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")


def _read(path: Path, record: type[Any]) -> list[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from schemas.arrow import from_table

    try:
        return from_table(pq.read_table(path), record)
    except FileNotFoundError:
        raise GraphError(f"{path.name} is not in the graph folder {path.parent}", remedy="build the graph") from None
    except (pa.ArrowInvalid, ValueError) as error:
        raise GraphError(f"{path} is no graph table ({error})", remedy="build the graph again") from error
