"""What the tests of the graph share: the starter graph, made once, and sources written on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kg.build import build_graph
from kg.graph import Graph
from kg.link import Lexicon, Linker
from kg.parsers.parsed import SourceSpec
from kg.sources import starter_source

WriteSource = Callable[..., SourceSpec]


@pytest.fixture(scope="session")
def starter() -> Graph:
    return build_graph([starter_source()]).graph


@pytest.fixture(scope="session")
def linker(starter: Graph) -> Linker:
    return Linker(Lexicon.from_graph(starter))


@pytest.fixture
def write_source(tmp_path: Path) -> WriteSource:
    def write(name: str, content: str | bytes, parser: str, *, complete: bool = True, **options: Any) -> SourceSpec:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return SourceSpec(
            name=name.partition(".")[0],
            path=path,
            parser=parser,
            version="7",
            licence="CC0-1.0",
            infores="infores:test",
            sha256="0" * 64,
            complete=complete,
            options=options,
        )

    return write
