"""The page in a real browser: Debian's chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.review_app.conftest import ITEMS, Page

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for the module."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def chromium(browser: Any) -> Iterator[Any]:
    """The browser; what a test has opened is closed after it."""
    yield browser
    for context in browser.contexts:
        context.close()


def sign_in(context: Any, page: Page, name: str) -> None:
    token = page.client(name).cookies["slidesmith"]
    context.add_cookies([{"name": "slidesmith", "value": token, "url": page.url}])


def tab(chromium: Any, page: Page, name: str, width: int = 1440, height: int = 900) -> Any:
    """Return a tab of somebody who is signed in; what the page complains about fails the test."""
    context = chromium.new_context(
        viewport={"width": width, "height": height}, base_url=page.url, reduced_motion="reduce"
    )
    sign_in(context, page, name)
    opened = context.new_page()
    opened.complaints = []
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.on("console", lambda said: said.type == "error" and opened.complaints.append(said.text))
    return opened


def test_a_whole_item_by_keyboard_alone(chromium: Any, page: Page) -> None:
    view = tab(chromium, page, "ann")
    view.goto("/")
    view.keyboard.press("Enter")
    view.wait_for_selector("[data-mode=blind]")
    assert "HELD-BACK" not in view.content()
    view.wait_for_selector(".slide-box.high")
    assert view.inner_text(".viewer .ruler").split(" · ")[1].endswith("µm/px")
    before = view.evaluate("document.querySelector('.viewer .ruler i').style.width")
    view.keyboard.press("f")
    view.wait_for_function("old => document.querySelector('.viewer .ruler i').style.width != old", arg=before)
    view.keyboard.press("2")
    view.wait_for_selector("[data-mode=decide]")
    assert "HELD-BACK" in view.inner_text("#panel")
    assert "written down" in view.text_content("#live")
    view.keyboard.press("r")
    view.keyboard.press("4")
    view.keyboard.press("Enter")
    view.wait_for_selector(".toast")
    assert page.state(0) == "reject"
    view.keyboard.press("u")
    view.wait_for_selector("[data-mode=decide]")
    view.keyboard.press("e")
    view.keyboard.press("ControlOrMeta+a")
    view.keyboard.type("What growth is this? (a pattern)")
    view.keyboard.press("ControlOrMeta+Enter")
    view.wait_for_selector(".toast")
    assert page.state(0) == "edit"
    assert '"question":"What growth is this? (a pattern)"' in page.events()[-1].payload
    assert view.complaints == []


def test_letters_typed_while_a_drawer_is_open_decide_nothing(chromium: Any, page: Page) -> None:
    view = tab(chromium, page, "ann")
    view.goto(f"/items/{ITEMS[0].public_id}")
    view.keyboard.press("2")
    view.wait_for_selector("[data-mode=decide]")
    for drawer in ("r", "e"):
        view.keyboard.press(drawer)
        view.focus("#main")
        for key in "wasure 0q":
            view.keyboard.press(key)
        assert view.locator(".drawer:visible").count() == 1
        view.keyboard.press("Escape")
        assert view.locator(".drawer:visible").count() == 0
    assert view.url.endswith(ITEMS[0].public_id)
    assert [event.kind for event in page.events()] == ["blind"]


def test_the_scales_are_linked(chromium: Any, page: Page) -> None:
    view = tab(chromium, page, "ann")
    view.goto(f"/items/{ITEMS[0].public_id}")
    view.wait_for_selector(".slide-box.high")
    frame = view.locator(".tile[data-scale=mid] .frame").bounding_box()
    view.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    shown = view.eval_on_selector_all(".cross", "all => all.map(one => one.getAttribute('visibility'))")
    assert shown == ["visible", "visible", "visible"]
    places = view.eval_on_selector_all(
        ".tile", "all => all.map(t => t.querySelector('.cross').transform.baseVal[0].matrix.e + +t.dataset.x)"
    )
    assert max(places) - min(places) < 1
    assert abs(places[0] - (640 + 128)) < 3


def test_second_reader_and_adjudicator(chromium: Any, page: Page) -> None:
    view = tab(chromium, page, "ann")
    for name, keys in (("ann", "3a"), ("ben", "1r1")):
        sign_in(view.context, page, name)
        view.goto(f"/items/{ITEMS[1].public_id}")
        assert "HELD-BACK" not in view.content()
        view.keyboard.press(keys[0])
        view.wait_for_selector("[data-mode=decide]")
        for key in keys[1:]:
            view.keyboard.press(key)
        if name == "ben":
            view.keyboard.press("Enter")
        view.wait_for_selector(".toast")
    assert page.state(1) == "differ"
    sign_in(view.context, page, "eve")
    view.goto("/?show=differ")
    view.click(".rows a")
    view.wait_for_selector(".readings")
    view.wait_for_load_state()
    assert "Reader 2 answered 1" in view.inner_text(".readings")
    view.keyboard.press("a")
    view.wait_for_selector(".toast")
    assert page.state(1) == "accept"


def test_axe_finds_nothing_at_all(chromium: Any, page: Page) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    source = next(Path(axe.__file__).parent.glob("**/axe.min.js")).read_text(encoding="utf-8")
    view = tab(chromium, page, "ada")
    view.context.add_init_script(source)
    found: list[tuple[str, str, str]] = []

    def look(what: str) -> None:
        result = view.evaluate("axe.run({resultTypes: ['violations']})")
        found.extend((what, one["id"], one["nodes"][0]["html"][:200]) for one in result["violations"])

    for path in ("/", f"/items/{ITEMS[0].public_id}", "/admin", "/items/item_00000000000000000000"):
        view.goto(path)
        look(path)
    view.set_viewport_size({"width": 820, "height": 1180})
    view.goto(f"/items/{ITEMS[4].public_id}")
    view.click("text=It holds")
    view.wait_for_selector("[data-mode=decide]")
    for key in ("r", "e"):
        view.keyboard.press(key)
        look(f"drawer {key}")
        view.keyboard.press("Escape")
    assert found == []


def test_on_a_tablet_the_question_comes_first_and_nothing_is_cut_or_small(chromium: Any, page: Page) -> None:
    view = tab(chromium, page, "ann", 820, 1180)
    view.goto(f"/items/{ITEMS[0].public_id}")
    view.wait_for_selector(".slide-box.high")
    top = "s => document.querySelector(s).getBoundingClientRect().top"
    assert view.evaluate(top, "#ask") < view.evaluate(top, ".tiles") < view.evaluate(top, "#viewer")
    assert view.evaluate("document.documentElement.scrollWidth") <= 820
    small = view.eval_on_selector_all(
        "button, nav a, input:not([type=hidden])",
        "all => all.filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)",
    )
    assert small == []
