"""Fetching from a real server on loopback: checked, resumed, and nothing half-made left behind."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg.fetch import fetch
from kg.sources import Registered
from schemas.errors import GraphError

pytest.importorskip("pooch")
CONTENT = b"[Term]\nid: MPATH:1\nname: damage\n"


class _Handler(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        found = self.path == "/a.obo"
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            self.wfile.write(CONTENT)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Handler", (_Handler,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_address[1]}", asked
        serving.shutdown()
        thread.join()


def entry(url: str | None, sha256: str, file: str = "a.obo.gz") -> dict[str, Registered]:
    one = Registered("a", file, url, "1", "CC0-1.0", "infores:a", "obo", sha256, False, {})
    return {"a": one}


def test_a_source_is_fetched_packed_checked_and_then_left_alone(tmp_path: Path, server: tuple[str, list[str]]) -> None:
    address, asked = server
    entries = entry(f"{address}/a.obo", hashlib.sha256(CONTENT).hexdigest())
    told: list[tuple[str, str]] = []
    for _ in range(2):
        (path,) = fetch(tmp_path, entries=entries, progress=lambda name, what: told.append((name, what)))
    assert gzip.decompress(path.read_bytes()) == CONTENT
    assert told == [("a", "fetched"), ("a", "kept")]
    assert asked == ["/a.obo"]
    assert [item.name for item in tmp_path.iterdir()] == ["a.obo.gz"]


@pytest.mark.parametrize(
    ("page", "sha256", "complains"),
    [("/a.obo", "f" * 64, "SHA-256 of the content"), ("/gone.obo", "f" * 64, "could not be fetched")],
)
def test_what_is_wrong_or_missing_leaves_nothing_behind(
    tmp_path: Path, server: tuple[str, list[str]], page: str, sha256: str, complains: str
) -> None:
    with pytest.raises(GraphError, match=complains):
        fetch(tmp_path, entries=entry(server[0] + page, sha256))
    assert list(tmp_path.iterdir()) == []


def test_a_broken_copy_is_fetched_again(tmp_path: Path, server: tuple[str, list[str]]) -> None:
    (tmp_path / "a.obo").write_bytes(CONTENT[:5])
    fetch(tmp_path, entries=entry(f"{server[0]}/a.obo", hashlib.sha256(CONTENT).hexdigest(), "a.obo"))
    assert (tmp_path / "a.obo").read_bytes() == CONTENT


def test_unknown_names_and_sources_without_address_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="umls is no source"):
        fetch(tmp_path, ["umls"])
    with pytest.raises(GraphError, match="no official address"):
        fetch(tmp_path, entries=entry(None, "0" * 64))
