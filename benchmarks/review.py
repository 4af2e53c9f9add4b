"""What the README claims of the annotators' page: 200 readers at once, kills among verdicts, and how fast a page is.

Run `python -m benchmarks.review [--quick] [--json FILE] [--run DIR] [--pictures DIR]`. The server is a process of its
own, started as users start it; the readers are 200 connections of this process, each with a session, that answer blind
and then decide. `--run` names a run's folder for the page loads (default: `demo-out`, or a small demo is made);
`--quick` reads with 40 connections for 5 s, kills once, and takes the page loads from the same desk as the load.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks._claims import Claim, claim, keep, tell
from benchmarks._review_server import CHROMIUM, ROOT, browser_tab, server
from review_app.accounts import User, add_user, open_session
from schemas.records import Slide, Tile
from tasks.review.decision_log import LOG, collect_log
from tasks.review.desk import DESK, fill_items, fill_tiles, make_desk, open_desk
from tasks.review.events import verify_chain
from tasks.review.items import ReviewItem
from tasks.review.journal import events_of

ITEMS, FIELDS, LOADS = 2000, 50, 30


def lay_desk(out: Path, readers: list[str]) -> dict[str, str]:
    """Write a desk with items that never run out and a session for every reader; returns name -> token."""
    rng = np.random.default_rng(0)
    tiles = []
    for number in range(FIELDS * 3):
        image = io.BytesIO()
        coarse = Image.fromarray(rng.integers(90, 230, (16, 16, 3), dtype=np.uint8))
        coarse.resize((192, 192), Image.Resampling.BICUBIC).save(image, "JPEG", quality=85)
        scale: Any = ("low", "mid", "high")[number % 3]
        side = (3840, 960, 192)[number % 3]
        head = (f"tile_{number:020x}", "slide_" + "0" * 20, f"field_{number // 3}", scale, side / 384, 9000, 9000, side)
        tiles.append(Tile(*head, side, 192, 192, 1.0, 1.0, 99.0, 0.0, 0.0, "native", image.getvalue()))
    items = [
        ReviewItem(
            f"mcq_{n:020x}", "question", "diagnosis", "slide_" + "0" * 20, f"field_{n % FIELDS}", f"p{n % 40}",
            ("low",),
            f"Which pattern is seen in field {n}?", "", ("glandular", "solid", "papillary", "cribriform"), n % 4,
            "It is seen at low magnification.", (), (), ({"reader": "tfidf", "p": 0.6, "cue": "wording"},), 10_000,
        )
        for n in range(ITEMS)
    ]  # fmt: skip
    with make_desk(out / "review" / DESK) as desk:
        fill_items(desk, items)
        slide = Slide("slide_" + "0" * 20, "p", "s", "s.svs", "0" * 64, "aperio", 40_000, 30_000, 0.5, 0.5)
        fill_tiles(desk, [(slide, tiles)])
        for name in readers:
            add_user(desk, name, "annotator", None)
        return {name: open_session(desk, User(name, "annotator"), 2.0) for name in readers}


@dataclass
class Heard:
    """What the readers heard."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    confirmed: int = 0
    broken: int = 0

    def took(self, what: str, seconds: float) -> None:
        """Write down how long an answer took."""
        self.seconds.setdefault(what, []).append(seconds * 1000)

    def every(self) -> list[float]:
        """Return all times in milliseconds."""
        return [value for values in self.seconds.values() for value in values]


class Reader:
    """One annotator on one connection."""

    def __init__(self, port: int, token: str, heard: Heard) -> None:
        self._port, self._token, self._heard = port, token, heard

    async def _ask(self, what: str, method: str, path: str, body: str = "") -> tuple[int, dict[str, str], str]:
        data = body.encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: slidesmith={self._token}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        started = time.perf_counter()
        self._to.write(head.encode() + data)
        lines = (await self._from.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        text = (await self._from.readexactly(int(headers.get("content-length", 0)))).decode("latin-1")
        self._heard.took(what, time.perf_counter() - started)
        status = int(lines[0].split()[1])
        self._heard.statuses[status] += 1
        return status, headers, text

    async def read(self, until: float) -> None:
        """Read item after item until the time is over or the server is gone."""
        self._from, self._to = await asyncio.open_connection("127.0.0.1", self._port)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while time.monotonic() < until:
                await self._one_item()
            self._to.close()
            return
        self._heard.broken += 1

    async def _one_item(self) -> None:
        _, headers, _ = await self._ask("next", "GET", "/next")
        path = headers["location"].split("?")[0]
        _, _, page = await self._ask("item page", "GET", path)
        for tile in re.findall(r'src="(/tiles/[^"]+)"', page):
            await self._ask("tile", "GET", tile)
        csrf = page.split('name="csrf" value="')[1].split('"')[0]
        for verb, form in (("blind", "answer=1"), ("verdict", "decision=accept")):
            after = page.split('name="after" value="')[1].split('"')[0]
            status, _, _ = await self._ask(verb, "POST", f"{path}/{verb}", f"csrf={csrf}&after={after}&{form}")
            self._heard.confirmed += status == 303
            if verb == "blind":
                _, _, page = await self._ask("item page", "GET", path)


async def load(port: int, tokens: dict[str, str], seconds: float) -> Heard:
    """Let all readers read at once."""
    heard = Heard()
    until = time.monotonic() + seconds
    await asyncio.gather(*(Reader(port, token, heard).read(until) for token in tokens.values()))
    return heard


def check(out: Path) -> int:
    """Return how many events the desk and the log hold, both verified and equal.

    Raises:
        ReviewError: a chain is broken.
    """
    with open_desk(out / "review" / DESK) as desk:
        events = events_of(desk)
    verify_chain(events, previous="")
    collect_log(out / "review")
    log = out / "review" / LOG
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return len(events) if len(lines) == len(events) else -1


def under_load(folder: Path, readers: int, seconds: float) -> list[Claim]:
    """Measure many readers at once."""
    out = folder / "load"
    tokens = lay_desk(out, [f"reader{n}" for n in range(readers)])
    with server(out) as (_, port):
        heard = asyncio.run(load(port, tokens, seconds))
    held = check(out)
    failed = sum(n for status, n in heard.statuses.items() if status >= 500) + heard.broken
    every = heard.every()
    print(f"\n{readers} readers at once for {seconds:g} s: {len(every):,} requests, {held:,} events")
    for what, times in sorted(heard.seconds.items()):
        middle, last = np.median(times), np.percentile(times, 99)
        print(f"  {what:<10} n={len(times):>7,}  median {middle:7.1f} ms   p99 {last:8.1f} ms")
    who = f"{readers} readers at once, {seconds:g} s"
    return [
        claim(f"{who}: answers 5xx or broken", failed, "answers", "0", failed == 0),
        claim(f"{who}: confirmed events lost", heard.confirmed - held, "events", "0", heard.confirmed == held),
        claim(f"{who}: events in one verified chain", held, "events", "-", held > 0),
        claim(f"{who}: requests", round(len(every) / seconds, 1), "1/s", "-", True),
        claim(f"{who}: median", round(float(np.median(every)), 1), "ms", "-", True),
        claim(f"{who}: p99", round(float(np.percentile(every, 99)), 1), "ms", "-", True),
    ]


def killed(folder: Path, times: int, readers: int) -> list[Claim]:
    """Kill the server among verdicts, again and again, on one desk."""
    out = folder / "killed"
    tokens = lay_desk(out, [f"reader{n}" for n in range(readers)])
    confirmed, unconfirmed = 0, 0
    for _ in range(times):
        before = check_held(out)
        with server(out) as (process, port):

            async def read_and_kill(process: subprocess.Popen[str] = process, port: int = port) -> Heard:
                asyncio.get_running_loop().call_later(4.0, process.send_signal, signal.SIGKILL)
                return await load(port, tokens, 10.0)

            heard = asyncio.run(read_and_kill())
        held = check(out) - before
        confirmed += max(0, heard.confirmed - held)
        unconfirmed += max(0, held - heard.confirmed)
    print(f"\nkilled {times} times among verdicts: {check(out):,} events, {unconfirmed} written and not yet confirmed")
    return [
        claim(f"kill -9 among verdicts, {times} times: confirmed events lost", confirmed, "events", "0", not confirmed)
    ]


def check_held(out: Path) -> int:
    """Return how many events the desk holds."""
    with open_desk(out / "review" / DESK) as desk:
        return int(desk.execute("SELECT count(*) FROM events").fetchone()[0])


def page_loads(folder: Path, run: Path | None, what: str) -> list[Claim]:
    """Measure how long a browser takes to load an item's page: until its images are there."""
    if CHROMIUM is None:
        print("page loads: Debian's chromium is not installed")
        return []
    out = folder / "pages"
    shutil.copytree((run or folder / "load") / "review", out / "review")
    inputs = (run or folder) / "input"
    if inputs.is_dir():
        (out / "input").symlink_to(inputs.resolve(), target_is_directory=True)
    with open_desk(out / "review" / DESK) as desk:
        places = [
            row[0] for row in desk.execute("SELECT public_id FROM items WHERE open ORDER BY place LIMIT ?", (LOADS,))
        ]
    times = []
    with browser_tab(out) as (page, url):
        for place in places:
            page.goto(f"{url}/items/{place}", wait_until="load")
            page.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
            times.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            # A reader leaves a page when the whole slide is there too; before, it would be timed with the next page.
            page.wait_for_load_state("networkidle")
    median, slow = float(np.median(times)), float(np.percentile(times, 90))
    print(f"\npage loads on {what}: median {median:.0f} ms, p90 {slow:.0f} ms, first {times[0]:.0f} ms, n={len(times)}")
    return [
        claim(f"an item's page with its images in chromium, {what}", round(median, 1), "ms", "<= 100", median <= 100)
    ]


def some_run(folder: Path, named: Path | None) -> Path:
    """Return the run to load pages from; a small demo is made where there is none."""
    for run in (named, ROOT / "demo-out"):
        if run and (run / "review" / DESK).is_file():
            return run
    out = folder / "demo"
    subprocess.run(
        [sys.executable, "-m", "flows.cli", "demo", "--slides", "6", "--out", str(out)], check=True, cwd=ROOT
    )
    return out


def main() -> None:
    """Measure, print, and write the claims."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="only take the pictures of docs/review.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.pictures:
            from benchmarks._review_pictures import take_pictures

            take_pictures(some_run(folder, arguments.run), folder / "pictures", arguments.pictures)
            return
        if arguments.quick:
            claims = under_load(folder, 40, 5.0) + killed(folder, 1, 20)
            claims += page_loads(folder, arguments.run, "the desk of the load")
        else:
            claims = under_load(folder, 200, 60.0) + killed(folder, 10, 50)
            claims += page_loads(folder, some_run(folder, arguments.run), "the demo")
    tell(claims)
    keep(claims, arguments.json)


if __name__ == "__main__":
    main()
