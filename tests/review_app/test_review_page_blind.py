from __future__ import annotations

import pytest

from tests.review_app.conftest import ITEMS, Page

HELD_BACK = ("HELD-BACK", "rationale", "✓ key", "tfidf", "0.81", ITEMS[0].item_id, 'data-mode="decide"')


def test_before_the_blind_answer_nothing_that_tells_the_key_is_sent(page: Page) -> None:
    client = page.client("ann")
    for place in ("/", f"/items/{ITEMS[0].public_id}"):
        text = client.get(place).text
        assert "Which pattern does field 0 show?" in text
        assert [word for word in HELD_BACK if word in text] == []


def test_a_caption_and_a_negative_look_alike_before_the_answer(page: Page) -> None:
    client = page.client("ann")
    pages = []
    for number in (3, 4):
        text = client.get(f"/items/{ITEMS[number].public_id}").text
        for own in (ITEMS[number].public_id, ITEMS[number].statement):
            text = text.replace(own, "-")
        pages.append(text)
    assert pages[0] == pages[1]


@pytest.mark.parametrize("name", ["eve", "ada"])
def test_adjudicators_and_administrators_answer_blind_too(page: Page, name: str) -> None:
    text = page.client(name).get(f"/items/{ITEMS[0].public_id}").text
    assert [word for word in HELD_BACK if word in text] == []
    assert "HELD-BACK" not in page.client(name).get("/?show=all").text


@pytest.mark.parametrize("decision", ["accept", "edit", "reject", "skip"])
def test_a_verdict_before_the_blind_answer_is_refused(page: Page, decision: str) -> None:
    client = page.client("ann")
    form = {"decision": decision, "reason": "0", "question": "Another?"}
    answer = page.send(client, "ann", 0, "verdict", **form)
    assert answer.status_code == 409
    assert "HELD-BACK" not in answer.text
    assert page.events() == []


def test_after_the_answer_everything_is_shown_and_the_answer_stands(page: Page) -> None:
    client = page.client("ann")
    assert page.send(client, "ann", 0, "blind", answer=0, duration_s="4.2").status_code == 303
    text = client.get(f"/items/{ITEMS[0].public_id}").text
    for shown in (
        "RATIONALE-HELD",
        "EVIDENCE-HELD",
        "GRAPH-HELD",
        "CUE-HELD",
        "✓ key",
        "your answer: not the key",
        "81%",
    ):
        assert shown in text
    assert page.send(client, "ann", 0, "blind", answer=2).status_code == 409
    events = page.events()
    assert [(event.kind, event.reviewer, event.duration_s) for event in events] == [("blind", "ann", 4.2)]


def test_one_readers_answer_shows_another_nothing(page: Page) -> None:
    ann, ben = page.client("ann"), page.client("ben")
    page.send(ann, "ann", 1, "blind", answer=2)
    page.send(ann, "ann", 1, "verdict", decision="accept")
    text = ben.get(f"/items/{ITEMS[1].public_id}").text
    assert [word for word in HELD_BACK if word in text] == []
    assert "accept" not in ben.get("/?show=all").text
    assert page.send(ben, "ben", 1, "verdict", decision="accept").status_code == 409


def test_an_adjudicator_who_saw_the_key_never_answers_that_item_blind(page: Page) -> None:
    for name, answer, form in (("ann", 2, {"decision": "accept"}), ("ben", 1, {"decision": "reject", "reason": "0"})):
        page.send(page.client(name), name, 1, "blind", answer=answer)
        page.send(page.client(name), name, 1, "verdict", **form)
    eve, place = page.client("eve"), f"/items/{ITEMS[1].public_id}"
    assert "✓ key" in eve.get(place).text
    assert page.send(eve, "eve", 1, "blind", answer=2).status_code == 409
    page.send(page.client("ben"), "ben", 1, "undo")
    assert page.state(1) == "second"
    for refusal in (eve.get(place), page.send(eve, "eve", 1, "blind", answer=2)):
        assert refusal.status_code == 409
        assert "✓ key" not in refusal.text
    assert ITEMS[1].public_id not in eve.get("/").text
    page.send(page.client("ben"), "ben", 1, "verdict", decision="reject", reason="0")
    assert page.send(eve, "eve", 1, "adjudicate", decision="accept").status_code == 303
    assert page.send(eve, "eve", 1, "blind", answer=2).status_code == 409
    assert page.state(1) == "accept"


def test_who_cannot_tell_says_so(page: Page) -> None:
    client = page.client("ann")
    page.send(client, "ann", 0, "blind", answer=-1)
    assert page.events()[0].payload == '{"answer":null}'
    assert "You said that the images do not tell." in client.get(f"/items/{ITEMS[0].public_id}").text


def test_an_option_that_is_not_there_cannot_be_chosen(page: Page) -> None:
    assert page.send(page.client("ann"), "ann", 3, "blind", answer=2).status_code == 422
    assert page.events() == []
