"""Two readers and an adjudicator at the annotators' page, in a real browser, by keyboard.

They are played by a script that knows the keys: it answers right with a known chance, and disagrees where it is told
to, so that what the page says of agreement can be held against what was played.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.at_size.steps import ROOT

PASSWORD = "played by a script"  # noqa: S105  of users on loopback
PEOPLE = {"ann": "annotator", "ben": "annotator", "eve": "adjudicator"}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
RIGHT, REJECTED, CONTRARY = 0.85, 0.10, 0.20
"""Chances: a blind answer is the key, a reader rejects, the second reader says the contrary."""


@dataclass
class Played:
    """What was played: decisions by reader and item, answers that were the key, what was settled."""

    decisions: dict[str, dict[str, str]] = field(default_factory=lambda: {"ann": {}, "ben": {}})
    right: dict[str, bool] = field(default_factory=dict)
    settled: int = 0

    def differ(self) -> int:
        """Return on how many items the two readers differ."""
        ann, ben = self.decisions["ann"], self.decisions["ben"]
        return sum(ann[item] != ben[item] for item in ann.keys() & ben.keys())

    def both(self) -> int:
        """Return how many items both have read."""
        return len(self.decisions["ann"].keys() & self.decisions["ben"].keys())

    def kappa(self) -> float:
        """Return Cohen's kappa of the two readers' decisions."""
        ann, ben = self.decisions["ann"], self.decisions["ben"]
        both = sorted(ann.keys() & ben.keys())
        agree = sum(ann[item] == ben[item] for item in both) / len(both)
        said = {"accept", "reject"}
        shares = [{word: sum(by[item] == word for item in both) / len(both) for word in said} for by in (ann, ben)]
        expected = sum(shares[0][word] * shares[1][word] for word in said)
        return (agree - expected) / (1 - expected)

    def counts(self) -> Counter[str]:
        """Return how often each decision was made."""
        return Counter(said for by_item in self.decisions.values() for said in by_item.values())


def chance(*parts: str) -> float:
    """Return a number in [0, 1) that is always the same for these texts."""
    return int(sha256("/".join(parts).encode()).hexdigest()[:8], 16) / 16**8


@contextmanager
def page(out: Path, slides: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Serve the page as users do; yield its address and its process."""
    command = [sys.executable, "-m", "flows.cli", "review", "serve", "--out", str(out), "--slides", str(slides)]
    process = subprocess.Popen(
        [*command, "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=dict(environment)
    )
    try:
        found = re.match(r"(http://127.0.0.1:\d+)/", process.stdout.readline() if process.stdout else "")
        if found is None:
            raise SystemExit("the annotators' page did not start")
        yield found.group(1), process.pid
    finally:
        process.terminate()
        process.wait(60)


def play(url: str, desk: Path, pictures: Path) -> Played:
    """Let both readers read all they are given, and the adjudicator settle where they differ."""
    from playwright.sync_api import sync_playwright

    keys, played = _keys(desk), Played()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name in ("ann", "ben"):
            view = _signed_in(browser, url, name)
            view.goto(f"{url}/next")
            while "/items/" in view.url:
                _read(view, name, keys, played)
        view = _signed_in(browser, url, "eve")
        view.screenshot(path=str(pictures / "queue.png"))
        view.goto(f"{url}/?show=differ")
        while view.locator(".rows a").count():
            view.locator(".rows a").first.click()
            view.wait_for_selector(".readings")
            with view.expect_navigation():
                view.keyboard.press("a")
            played.settled += 1
            view.goto(f"{url}/?show=differ")
        browser.close()
    return played


def _signed_in(browser: Any, url: str, name: str) -> Any:
    view = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce").new_page()
    view.goto(f"{url}/login")
    view.fill("[name=name]", name)
    view.fill("[name=password]", PASSWORD)
    view.keyboard.press("Enter")
    view.wait_for_selector("h1")
    return view


def _read(view: Any, name: str, keys: Mapping[str, tuple[int, int]], played: Played) -> None:
    """Answer the item that is open, and decide."""
    public = view.url.rpartition("/")[2].partition("?")[0]
    key, options = keys[public]
    right = chance("right", name, public) < RIGHT
    view.wait_for_selector("[data-mode=blind]")
    view.keyboard.press(str((key if right else (key + 1) % options) + 1))
    view.wait_for_selector("[data-mode=decide]")
    decision = "reject" if chance("reject", public) < REJECTED else "accept"
    if name == "ben" and chance("contrary", public) < CONTRARY:
        decision = {"reject": "accept", "accept": "reject"}[decision]
    with view.expect_navigation():
        if decision == "accept":
            view.keyboard.press("a")
        else:
            for stroke in ("r", "2", "Enter"):
                view.keyboard.press(stroke)
    played.decisions[name][public] = decision
    played.right[f"{name}/{public}"] = right


def _keys(desk: Path) -> dict[str, tuple[int, int]]:
    """Return the key and the number of options of every item on the desk."""
    with closing(sqlite3.connect(desk)) as connection:
        rows = connection.execute("SELECT public_id, content FROM items").fetchall()
    items = {public: json.loads(content) for public, content in rows}
    return {public: (int(item["key"]), len(item["options"])) for public, item in items.items()}
