from __future__ import annotations

import json

import httpx

from tasks.review.decisions import read_decisions, rulings
from tests.review_app.conftest import ITEMS, Page


def decide(page: Page, name: str, number: int, answer: int = 2, **form: str) -> httpx.Response:
    client = page.client(name)
    page.send(client, name, number, "blind", answer=answer)
    return page.send(client, name, number, "verdict", **form)


def test_accepting_leads_to_the_next_item_and_can_be_taken_back(page: Page) -> None:
    answer = decide(page, "ann", 0, decision="accept")
    assert answer.headers["location"] == f"/next?after={ITEMS[0].public_id}"
    client = page.client("ann")
    following = client.get(answer.headers["location"], follow_redirects=True)
    assert ITEMS[1].public_id in str(following.url)
    assert "Accepted" in following.text
    assert page.state(0) == "accept"
    assert page.send(client, "ann", 0, "undo").headers["location"] == f"/items/{ITEMS[0].public_id}"
    assert page.state(0) == "to_read"
    assert [event.kind for event in page.events()] == ["blind", "verdict", "undo"]
    assert page.send(client, "ann", 0, "undo").status_code == 409


def test_a_rejection_carries_its_reason(page: Page) -> None:
    assert decide(page, "ann", 0, decision="reject").status_code == 422
    client = page.client("ann")
    page.send(client, "ann", 0, "verdict", decision="reject", reason="1", own_reason=" both  solid ")
    payload = json.loads(page.events()[-1].payload)
    assert payload == {"decision": "reject", "reason": "more than one option is right: both solid"}
    decide(page, "ann", 5, decision="reject", own_reason="odd: very odd")
    text = page.client("ada").get("/admin").text
    assert "<b>1</b> more than one option is right<" in text
    assert "<b>1</b> a reason in their own words<" in text
    assert "odd<" not in text


def test_an_edit_holds_what_was_changed_and_nothing_else(page: Page) -> None:
    form = {"question": ITEMS[0].ask, "options_1": "solid sheets", "answer_index": "1"}
    decide(page, "ann", 0, 2, decision="edit", **form)
    assert json.loads(page.events()[-1].payload)["edit"] == {
        "answer_index": 1,
        "options": ["glandular", "solid sheets", "papillary", "cribriform"],
    }
    assert page.state(0) == "edit"


def test_edits_that_cannot_be_are_refused(page: Page) -> None:
    decide(page, "ann", 0, decision="skip")
    client = page.client("ann")
    for form in ({}, {"answer_index": "4"}, {"options_0": "solid"}, {"options_0": " "}, {"question": ""}):
        answer = page.send(client, "ann", 0, "verdict", decision="edit", **form)
        assert answer.status_code == 422, form
    answer = page.send(client, "ann", 0, "verdict", decision="edit", rationale="Option B is right: it has papillae.")
    assert answer.status_code == 422
    assert "the rationale says &#39;Option B&#39;" in answer.text
    for form in (
        {"decision": "edit", "rationale": "As Dr. Jane Doe said."},
        {"decision": "reject", "own_reason": "see S23-10482"},
    ):
        answer = page.send(client, "ann", 0, "verdict", **form)
        assert (answer.status_code, "could identify somebody" in answer.text) == (422, True), form
    assert decide(page, "ann", 3, answer=1, decision="edit", text="Another.").status_code == 422
    assert page.state(0) == "to_read"


def test_two_readers_who_agree_settle_an_item(page: Page) -> None:
    decide(page, "ann", 1, decision="accept")
    assert page.state(1) == "second"
    decide(page, "ben", 1, decision="accept")
    assert page.state(1) == "accept"


def test_an_adjudicator_settles_what_readers_differ_on(page: Page) -> None:
    decide(page, "ann", 1, decision="accept")
    eve = page.client("eve")
    assert page.send(eve, "eve", 1, "adjudicate", decision="accept").status_code == 409
    decide(page, "ben", 1, decision="reject", reason="0")
    assert page.state(1) == "differ"
    text = eve.get(f"/items/{ITEMS[1].public_id}").text
    assert "What the readers said" in text
    assert "the key is wrong" in text
    assert ">ann<" not in text
    assert ITEMS[1].public_id in eve.get("/?show=differ").text
    assert "Settle what readers differ on (1)" in eve.get("/?show=read").text  # of which there is nothing
    for name in ("ann", "ben"):
        assert page.send(page.client(name), name, 1, "adjudicate", decision="accept").status_code == 403
    page.send(eve, "eve", 1, "adjudicate", decision="reject", reason="0")
    assert page.state(1) == "reject"
    assert rulings(page.events())[ITEMS[1].item_id].reviewer == "eve"


def test_who_has_read_an_item_does_not_settle_it(page: Page) -> None:
    decide(page, "eve", 1, decision="accept")
    decide(page, "ben", 1, decision="reject", reason="0")
    assert page.send(page.client("eve"), "eve", 1, "adjudicate", decision="accept").status_code == 409


def test_skipped_items_do_not_come_again_by_themselves(page: Page) -> None:
    decide(page, "ann", 0, decision="skip")
    client = page.client("ann")
    assert ITEMS[0].public_id not in client.get("/").text
    assert ITEMS[0].public_id in client.get("/?show=read").text
    assert ITEMS[0].public_id in page.client("ben").get("/").text


def test_two_readers_are_not_given_the_same_item(page: Page) -> None:
    given = {page.client(name).get("/next?dimension=diagnosis").headers["location"] for name in ("ann", "ben")}
    assert len(given) == 2


def test_a_link_from_another_site_arrives_where_it_points(page: Page) -> None:
    stranger = page.client()
    answer = stranger.get("/?show=to_read&x=%22", headers={"sec-fetch-site": "cross-site"})
    assert 'content="0;url=/?show=to_read&amp;x=%22"' in answer.text
    assert "queue" not in answer.text
    assert stranger.get("/", headers={"sec-fetch-site": "same-origin"}).headers["location"] == "/login"


def test_the_queue_is_filtered_and_counts_are_true(page: Page) -> None:
    decide(page, "ann", 0, decision="accept")
    client = page.client("ann")
    text = client.get("/?dimension=localization").text
    assert text.count('class="tag localization"') == len([one for one in ITEMS if one.dimension == "localization"])
    assert 'class="tag diagnosis"' not in text
    assert "11 to read · 1 decided by you · 1 of 12 settled by all" in text


def test_assigned_items_are_their_readers_alone(page: Page) -> None:
    ada = page.client("ada")
    form = {"csrf": page.csrf(ada), "user": "ann", "dimension": "diagnosis", "count": "1"}
    assert ada.post("/admin/assign", data=form).status_code == 303
    ben = page.client("ben")
    assert ITEMS[0].public_id not in ben.get("/?show=all").text
    assert ben.get(f"/items/{ITEMS[0].public_id}").status_code == 403
    assert page.send(ben, "ben", 0, "blind", answer=1).status_code == 403
    assert ITEMS[0].public_id in page.client("ann").get("/").text
    ada.post("/admin/release", data={"csrf": page.csrf(ada), "user": "ann"})
    assert ITEMS[0].public_id in ben.get("/").text


def test_an_item_that_somebody_has_begun_stays_theirs_when_items_are_assigned(page: Page) -> None:
    ada, ann = page.client("ada"), page.client("ann")
    for number in (0, 1):  # one reader, two readers
        page.send(ann, "ann", number, "blind", answer=2)
    for name in ("ben", "eve"):
        ada.post("/admin/assign", data={"csrf": page.csrf(ada), "user": name, "count": "2"})
    with page.desk() as desk:
        given = desk.execute("SELECT user, place FROM assignments JOIN items USING (item_id) ORDER BY place").fetchall()
    assert [tuple(row) for row in given] == [("ben", 1), ("ben", 2), ("eve", 3), ("eve", 4)]
    for number in (0, 1):
        assert page.send(ann, "ann", number, "verdict", decision="accept").status_code == 303


def test_the_log_that_the_next_run_reads_is_kept_up_with(page: Page) -> None:
    decide(page, "ann", 0, decision="accept")
    decide(page, "ben", 1, decision="reject", reason="4")
    log = page.out / "review" / "decisions.jsonl"
    assert read_decisions(log) == page.events()


def test_the_admin_page_tells_of_agreement_and_of_a_broken_chain(page: Page) -> None:
    for name in ("ann", "ben"):
        decide(page, name, 1, decision="accept")
    ada = page.client("ada")
    text = ada.get("/admin").text
    assert "The chain of 4 events holds" in text
    assert "Krippendorff alpha" in text
    with page.desk() as desk:
        desk.execute("DROP TRIGGER events_stay")
        desk.execute("UPDATE events SET reviewer = 'eve' WHERE number = 2")
    assert "The chain is broken" in ada.get("/admin").text


def test_events_can_neither_be_changed_nor_removed(page: Page) -> None:
    import sqlite3

    import pytest

    decide(page, "ann", 0, decision="accept")
    with page.desk() as desk:
        for change in ("UPDATE events SET reviewer = 'ben'", "DELETE FROM events"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever appended"):
                desk.execute(change)
