from __future__ import annotations

import io
import shutil
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile
import uvicorn
from PIL import Image

from review_app.accounts import User, add_user, open_session
from review_app.app import create_app
from review_app.settings import PageSettings
from schemas.records import Slide, Tile
from tasks.review.desk import fill_items, fill_tiles, make_desk, open_desk
from tasks.review.events import verify_chain
from tasks.review.items import Evidence, ReviewItem
from tasks.review.journal import events_of

PASSWORD = "correct horse battery"  # noqa: S105 - of test users
SLIDE = f"slide_{'a' * 20}"
SIZE = (1536, 1024)
# Every client would read the certificates of the world anew, and no test needs one.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
SCRIPT = "<script>alert('x')</script>"


def item(number: int, **changes: Any) -> ReviewItem:
    made = ReviewItem(
        item_id=f"mcq_{number:020x}",
        kind="question",
        dimension=("diagnosis", "localization")[number % 2],
        slide_id=SLIDE,
        field_id="field_1",
        patient_id=f"p{number}",
        scales=("low", "mid", "high"),
        ask=f"Which pattern does field {number} show?",
        statement="",
        options=("glandular", "solid", "papillary", "cribriform"),
        key=2,
        rationale="Fronds with cores of vessels: RATIONALE-HELD-BACK.",
        evidence=(Evidence("low", "architecture: EVIDENCE-HELD-BACK", "annotation"),),
        path=("papillary architecture - excludes - solid architecture  [GRAPH-HELD-BACK]",),
        reasons=({"reader": "tfidf", "p": 0.81, "cue": "CUE-HELD-BACK"},),
        readers=1,
    )
    made = replace(made, **changes)
    if made.kind == "question":
        options = {"options": list(made.options), "answer_index": made.key}
        made = replace(made, editable={"question": made.ask, **options, "rationale": made.rationale})
    return made


ITEMS = (
    item(0),
    item(1, readers=2),
    item(2, ask=f"What is {SCRIPT}?", options=(f"one {SCRIPT}", "two", "three", "four")),
    replace(
        item(3, kind="negative", dimension="description", statement="The glands are fused.", ask="Does it hold?"),
        options=("It holds", "It does not hold"),
        key=1,
    ),
    replace(
        item(4, kind="caption", dimension="description", statement="The glands are round.", ask="Does it hold?"),
        options=("It holds", "It does not hold"),
        key=0,
        editable={"text": "The glands are round."},
    ),
    *(item(number) for number in range(5, 12)),
)


def draw_slide(path: Path) -> np.ndarray[Any, Any]:
    """Write a small tiled slide that OpenSlide opens; returns its pixels."""
    rows, columns = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    pixels = np.stack([columns // 8 % 256, rows // 8 % 256, (columns // 256 + rows // 256) % 2 * 200], -1)
    tifffile.imwrite(path, pixels.astype(np.uint8), tile=(256, 256), photometric="rgb")
    return pixels.astype(np.uint8)


def tile(scale: Any, number: int, mpp: float, box: tuple[int, int, int, int]) -> Tile:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 120 + 30 * number, 180)).save(out, "JPEG")
    held = (f"tile_{number:020x}", SLIDE, "field_1", scale, mpp, *box, 64, 64, 1.0, 1.0, 9.0, 0.0, 0.0, "native")
    return Tile(*held, out.getvalue())


TILES = (
    tile("low", 1, 8.0, (256, 256, 1024, 512)),
    tile("mid", 2, 2.0, (640, 384, 256, 256)),
    tile("high", 3, 0.5, (736, 480, 64, 64)),
)


@pytest.fixture(scope="session")
def laid_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a desk of twelve items, four users and a slide."""
    out = tmp_path_factory.mktemp("run")
    (out / "input").mkdir()
    draw_slide(out / "input" / "one.tiff")
    slide = Slide(SLIDE, "p", "one.tiff", "one.tiff", "0" * 64, "generic-tiff", *SIZE, 0.5, 0.5)
    with make_desk(out / "review" / "desk.sqlite") as desk:
        fill_items(desk, ITEMS)
        fill_tiles(desk, [(slide, TILES)])
        for name, role in (("ann", "annotator"), ("ben", "annotator"), ("eve", "adjudicator"), ("ada", "admin")):
            add_user(desk, name, role, PASSWORD)
        desk.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return out


@dataclass
class Page:
    """A server on loopback, and ways to use it."""

    url: str
    out: Path
    clients: list[httpx.Client] = field(default_factory=list)

    def desk(self) -> Any:
        return open_desk(self.out / "review" / "desk.sqlite")

    def client(self, name: str | None = None) -> httpx.Client:
        """Return a client signed in without the cost of a password."""
        client = httpx.Client(base_url=self.url, verify=NO_TLS)
        self.clients.append(client)
        if name:
            with self.desk() as desk:
                row = desk.execute("SELECT role FROM users WHERE name = ?", (name,)).fetchone()
                client.cookies.set("slidesmith", open_session(desk, User(name, row["role"]), 1.0))
        return client

    def csrf(self, client: httpx.Client) -> str:
        page = client.get("/").text
        return page.split('name="csrf" value="', 1)[1].split('"', 1)[0]

    def after(self, name: str, number: int) -> str:
        with self.desk() as desk:
            query = "SELECT latest FROM standings WHERE item_id = ? AND reviewer = ?"
            row = desk.execute(query, (ITEMS[number].item_id, name)).fetchone()
        return row["latest"] if row else ""

    def send(self, client: httpx.Client, name: str, number: int, verb: str, **form: Any) -> httpx.Response:
        fields = {"csrf": self.csrf(client), "after": self.after(name, number), **form}
        return client.post(f"/items/{ITEMS[number].public_id}/{verb}", data=fields)

    def events(self) -> list[Any]:
        with self.desk() as desk:
            events = events_of(desk)
        verify_chain(events, previous="")
        return events

    def state(self, number: int) -> str:
        with self.desk() as desk:
            row = desk.execute("SELECT state FROM items WHERE item_id = ?", (ITEMS[number].item_id,)).fetchone()
        return str(row["state"])


class Stage:
    """What the one server of all tests serves: the application of the test that is on."""

    url: str
    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A server on loopback."""
    stage = Stage()
    quiet: dict[str, Any] = {"log_level": "error", "access_log": False, "proxy_headers": False, "lifespan": "off"}
    server = uvicorn.Server(uvicorn.Config(stage, port=0, **quiet))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    stage.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield stage
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def serve(stage: Stage, laid_desk: Path, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Put an application with a desk of the test's own on the stage."""
    out = tmp_path / "run"
    shutil.copytree(laid_desk, out)
    page = Page(stage.url, out)

    def start(token: str | None = None, **changes: Any) -> Page:
        review = out / "review"
        settings = PageSettings(review / "desk.sqlite", review / "decisions.jsonl", out / "input")
        stage.app = create_app(replace(settings, **changes), token)
        return page

    yield start
    for client in page.clients:
        client.close()
    stage.app.state.connections.close()


@pytest.fixture
def page(serve: Callable[..., Page]) -> Page:
    """A server with the usual settings."""
    return serve()


@pytest.fixture
def raw_desk(page: Page) -> Iterator[sqlite3.Connection]:
    """A plain connection to the desk, past everything that guards it."""
    with closing(sqlite3.connect(page.out / "review" / "desk.sqlite")) as connection:
        yield connection
