"""The annotators' page as users start it, and a browser in front of it."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from review_app.accounts import User, add_user, open_session
from tasks.review.desk import DESK, open_desk

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


@contextlib.contextmanager
def server(out: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start the page as users do; yield the process and its port."""
    command = [sys.executable, "-m", "flows.cli", "review", "serve", "--out", str(out), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        found = re.match(r"http://127.0.0.1:(\d+)/", process.stdout.readline() if process.stdout else "")
        if found is None:
            raise SystemExit("the server did not start")
        yield process, int(found.group(1))
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def browser_tab(out: Path) -> Iterator[tuple[Any, str]]:
    """Serve a desk and yield a tab of Debian's chromium in which a reader is signed in, and the page's address."""
    from playwright.sync_api import sync_playwright

    with open_desk(out / "review" / DESK) as desk:
        add_user(desk, "reader", "annotator", None)
        token = open_session(desk, User("reader", "annotator"), 1.0)
    with server(out) as (_, port), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        url = f"http://127.0.0.1:{port}"
        context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
        context.add_cookies([{"name": "slidesmith", "value": token, "url": url}])
        yield context.new_page(), url
        browser.close()
