"""The list of attacks that were tried."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import httpx

from review_app.pages import version
from tests.review_app.conftest import ITEMS, PASSWORD, SCRIPT, TILES, Page

FIRST = f"/items/{ITEMS[0].public_id}"


PATHS = (
    "/items/..%2f..%2fetc%2fpasswd",
    "/items/item_../../x",
    f"/items/{ITEMS[0].public_id}%00",
    f"/items/{ITEMS[0].item_id}",
    "/tiles/..%2f..%2freview%2fdesk.sqlite",
    f"/tiles/{TILES[0].tile_id}%2f..",
    "/slides/..%2f..%2fone.tiff/9/0/0",
    "/slides/one.tiff/9/0/0",
    f"/static/{version()}/..%2f..%2faccounts.py",
    f"/static/{version()}/vendor/../../../app.py",
    "/static/../app.py",
    "/static/%2e%2e/templates/item.html",
    "/docs",
    "/openapi.json",
)


def test_paths_lead_nowhere(page: Page) -> None:
    client = page.client("ada")
    for path in PATHS:
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert "root:" not in answer.text
        assert str(page.out) not in answer.text


def test_a_slide_outside_the_slides_folder_is_not_read(page: Page, raw_desk: sqlite3.Connection) -> None:
    secret = page.out / "review" / "one.tiff"
    secret.write_bytes((page.out / "input" / "one.tiff").read_bytes())
    client = page.client("ann")
    tile = f"/slides/{ITEMS[0].slide_id}/11/0/0"
    assert client.get(tile).status_code == 200
    for uri in ("../review/one.tiff", str(secret)):
        raw_desk.execute("UPDATE slides SET uri = ?", (uri,))
        raw_desk.commit()
        assert client.get(tile).status_code == 404


def test_script_in_a_question_stays_text(page: Page) -> None:
    client = page.client("ann")
    place = f"/items/{ITEMS[2].public_id}"
    page.send(client, "ann", 2, "blind", answer=0)
    page.send(client, "ann", 2, "verdict", decision="reject", reason="", own_reason=f"</b>{SCRIPT}")
    pages = [
        client.get("/?show=all"),
        client.get(place),
        page.client("ben").get(place),
        page.client("ada").get("/admin"),
    ]
    for answer in pages:
        assert "<script>alert" not in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_without_a_session_nothing_is_shown_or_done(page: Page) -> None:
    client = page.client()
    for path in ("/", FIRST, "/next", "/admin"):
        assert client.get(path).headers.get("location") == "/login"
    assert client.get(f"/tiles/{TILES[0].tile_id}", headers={"accept": "image/avif"}).status_code == 401
    for verb in ("blind", "verdict", "undo", "adjudicate"):
        assert client.post(f"{FIRST}/{verb}", data={"answer": 1}).status_code == 401
    client.cookies.set("slidesmith", "x" * 43)
    assert client.post(f"{FIRST}/blind", data={"answer": 1}).status_code == 401
    assert page.events() == []


def test_a_form_without_the_sessions_token_is_refused(page: Page) -> None:
    ann, ben = page.client("ann"), page.client("ben")
    for token in ("", "x" * 43, page.csrf(ben)):
        assert ann.post(f"{FIRST}/blind", data={"answer": 1, "csrf": token}).status_code == 403
    assert page.events() == []


def test_nobody_acts_for_another(page: Page) -> None:
    ann, ben = page.client("ann"), page.client("ben")
    page.send(ann, "ann", 0, "blind", answer=1)
    form = {"csrf": page.csrf(ben), "after": page.after("ann", 0), "decision": "accept", "reviewer": "ann"}
    assert ben.post(f"{FIRST}/verdict", data=form).status_code == 409
    assert ben.post(f"{FIRST}/undo", data=form).status_code == 409
    assert [event.reviewer for event in page.events()] == ["ann"]


def test_signing_out_ends_the_session_for_good(page: Page) -> None:
    client = page.client("ann")
    stolen = client.cookies["slidesmith"]
    client.post("/logout", data={"csrf": page.csrf(client)})
    thief = page.client()
    thief.cookies.set("slidesmith", stolen)
    assert thief.get("/").headers["location"] == "/login"


def test_annotators_do_not_get_at_what_is_for_administrators(page: Page) -> None:
    client = page.client("ann")
    assert client.get("/admin").status_code == 403
    assert client.get("/?show=differ").status_code == 403
    for verb in ("assign", "release"):
        assert client.post(f"/admin/{verb}", data={"csrf": page.csrf(client), "user": "ann"}).status_code == 403
    assert page.send(client, "ann", 0, "adjudicate", decision="accept").status_code == 403


def test_a_request_sent_again_changes_nothing(page: Page) -> None:
    client = page.client("ann")
    page.send(client, "ann", 0, "blind", answer=1)
    accept = {"csrf": page.csrf(client), "after": page.after("ann", 0), "decision": "accept"}
    assert client.post(f"{FIRST}/verdict", data=accept).status_code == 303
    assert client.post(f"{FIRST}/verdict", data=accept).status_code == 409
    page.send(client, "ann", 0, "undo")
    assert client.post(f"{FIRST}/verdict", data=accept).status_code == 409
    assert page.state(0) == "to_read"
    assert len(page.events()) == 3


def test_a_body_that_is_too_large_is_refused(page: Page) -> None:
    client = page.client("ann")
    form = {"csrf": page.csrf(client), "answer": "1", "pad": "x" * 70_000}
    assert client.post(f"{FIRST}/blind", data=form).status_code == 413

    def pieces() -> object:
        for _ in range(40):
            yield b"pad=" + b"x" * 4096

    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post(f"{FIRST}/blind", content=pieces(), headers=headers).status_code in (413, 400)  # type: ignore[arg-type]
    assert page.events() == []


def test_a_text_that_is_too_long_is_refused(page: Page) -> None:
    client = page.client("ann")
    page.send(client, "ann", 0, "blind", answer=1)
    for number in (1, 2):
        form = {"question": "x" * 4001} if number == 1 else {"options_0": "x" * 50_000}
        assert page.send(client, "ann", 0, "verdict", decision="edit", **form).status_code == 422
    assert len(page.events()) == 1


def test_numbers_that_only_look_like_numbers_are_refused(page: Page) -> None:
    client = page.client("ann")
    page.send(client, "ann", 0, "blind", answer=1)
    for number in ("\u00b2", "\u0664", "-1", "1 ", "7", "99", "9" * 5000):
        assert page.send(client, "ann", 0, "verdict", decision="reject", reason=number).status_code == 422, number
        assert page.send(client, "ann", 0, "verdict", decision="edit", answer_index=number).status_code == 422, number
    assert len(page.events()) == 1


METHODS = (
    ("GET", f"{FIRST}/verdict"),
    ("GET", f"{FIRST}/blind"),
    ("PUT", FIRST),
    ("DELETE", FIRST),
    ("POST", "/"),
    ("TRACE", "/"),
)


def test_a_wrong_method_is_refused(page: Page) -> None:
    client = page.client("ann")
    for method, path in METHODS:
        assert client.request(method, path).status_code == 405, (method, path)


def test_another_name_and_another_origin_are_refused(page: Page) -> None:
    client = page.client("ann")
    for host in ("evil.example", "["):
        assert client.get("/", headers={"host": host}).status_code == 400
    form = {"csrf": page.csrf(client), "answer": "1"}
    for origin in ("https://evil.example", "null", "http://["):
        assert client.post(f"{FIRST}/blind", data=form, headers={"origin": origin}).status_code == 403
    assert client.post(f"{FIRST}/blind", data=form, headers={"origin": page.url}).status_code == 303


def test_guessing_passwords_is_slow(page: Page) -> None:
    client = page.client()
    tried = [client.post("/login", data={"name": "ann", "password": f"guess {n}"}).status_code for n in range(6)]
    assert tried == [401] * 5 + [429]
    assert client.post("/login", data={"name": "ann", "password": PASSWORD}).status_code == 429


def test_behind_a_proxy_one_guesser_does_not_keep_the_others_out(serve: Callable[..., Page]) -> None:
    client = serve(proxies=("127.0.0.1",)).client()

    def sign_in(address: str, name: str, password: str) -> int:
        form = {"name": name, "password": password}
        return client.post("/login", data=form, headers={"x-forwarded-for": f"203.0.113.9, {address}"}).status_code

    assert [sign_in("198.51.100.1", f"guess{n}", "x") for n in range(6)] == [401] * 5 + [429]
    assert sign_in("198.51.100.2", "ann", PASSWORD) == 303


def test_who_is_no_proxy_cannot_change_addresses_between_guesses(page: Page) -> None:
    client = page.client()
    tried = [
        client.post("/login", data={"name": f"guess{n}"}, headers={"x-forwarded-for": f"198.51.100.{n}"}).status_code
        for n in range(6)
    ]
    assert tried == [401] * 5 + [429]


def test_the_right_password_gives_a_cookie_that_scripts_and_other_sites_do_not_get(page: Page) -> None:
    client = page.client()
    assert client.post("/login", data={"name": "nobody", "password": PASSWORD}).status_code == 401
    answer = client.post("/login", data={"name": "ann", "password": PASSWORD})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/"))
    with page.desk() as desk:
        held = [value for row in desk.execute("SELECT * FROM users, sessions") for value in map(str, row)]
    assert PASSWORD not in held
    assert client.cookies["slidesmith"] not in held
    assert any(value.startswith("$argon2id$") for value in held)


def test_over_tls_the_cookie_is_held_to_this_host(serve: Callable[..., Page]) -> None:
    page = serve(secure_cookies=True)
    cookie = page.client().post("/login", data={"name": "ann", "password": PASSWORD}).headers["set-cookie"]
    assert cookie.startswith("__Host-slidesmith=")
    assert "Secure" in cookie


def test_the_link_of_the_terminal_works_once(serve: Callable[..., Page]) -> None:
    page = serve("the-one-link")
    client = page.client()
    assert client.get("/enter?token=another").status_code == 403
    assert client.get("/enter?token=the-one-link").status_code == 303
    assert client.get("/admin").status_code == 200
    assert page.client().get("/enter?token=the-one-link").status_code == 403
    assert client.post("/login", data={"name": "local", "password": ""}).status_code == 401


def test_a_proxys_user_is_believed_from_the_proxy_alone(serve: Callable[..., Page]) -> None:
    page = serve(user_header="X-Remote-User", proxies=("127.0.0.1",))
    client = page.client()
    assert "Your queue" in client.get("/", headers={"X-Remote-User": "ann"}).text
    assert client.get("/", headers={"X-Remote-User": "nobody"}).headers["location"] == "/login"
    assert client.get("/").headers["location"] == "/login"


def test_a_proxys_header_from_elsewhere_is_not_believed(serve: Callable[..., Page]) -> None:
    page = serve(user_header="X-Remote-User", proxies=("192.0.2.1",))
    assert page.client().get("/", headers={"X-Remote-User": "ada"}).headers["location"] == "/login"


def test_no_page_tells_where_files_lie(page: Page, laid_desk: Path) -> None:
    client = page.client("ada")
    for path in ("/", FIRST, "/admin", "/items/x", "/nowhere"):
        answer: httpx.Response = client.get(path)
        for told in (str(page.out), "desk.sqlite", "one.tiff", "Traceback"):
            assert told not in answer.text
