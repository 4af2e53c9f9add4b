"""The generator `openai` against a scripted model: captions that pass the screens of the rules, or are rejected."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from kg.link import Linker
from schemas.records import Field
from tasks.generation.checked_replies import SaysThat
from tasks.generation.claims import Claims
from tasks.generation.config import GenerationConfig
from tasks.generation.placeholders import Sentence
from tasks.generation.prompting import prompt_sha256
from tasks.generation.view import Tools
from tests.generation.scripted_run import Start

pytest.importorskip("openai", reason="the extra [llm] is not installed")
MakeField = Callable[..., Field]
SampleFields = Callable[..., list[Field]]


def test_captions_negatives_and_reasoning_are_the_endpoints_and_say_who_wrote_them(
    start: Start, fields: list[Field]
) -> None:
    with start() as run:
        texts = run.texts(fields)
    worded = [row for row in texts.captions if row.provenance.generator == "openai"]
    assert {row.level for row in worded} == {"architecture", "compartment", "cytology", "impression", "full"}
    assert {row.provenance.generator for row in texts.reasoning} == {"openai"}
    assert len(texts.reasoning) == 2
    for made_by in [row.provenance for row in worded] + [row.provenance for row in texts.reasoning]:
        assert made_by.model == "scripted"
        assert made_by.prompt_sha256
        assert (made_by.ledger_id or "").startswith("call_")
    assert not [row for row in texts.rejections if row.reason != "near_duplicate"]


def test_worded_perturbations_change_their_span_alone_and_stay_certified(start: Start, fields: list[Field]) -> None:
    with start() as run:
        texts = run.texts(fields)
    text_of = {row.caption_id: row.text for row in texts.captions}
    worded = [row for row in texts.perturbations if row.provenance.generator == "openai"]
    assert len(worded) > 40
    for row in worded:
        text = text_of[row.caption_id]
        assert text[: row.start] + row.replacement + text[row.end :] == row.text
    assert any(row.certificate.startswith("excludes:") for row in worded)
    assert any(row.mirrored for row in worded)


def test_every_caption_claims_what_its_concepts_say_whoever_words_it(start: Start, fields: list[Field]) -> None:
    with start() as run:
        texts, claims = run.texts(fields), run.writer.claims(run.tools)
    plain = [row for row in texts.captions if '"plain"' in row.provenance.parameters and row.level != "site"]
    assert {row.provenance.generator for row in plain} >= {"openai"}
    assert not [row.text for row in plain if claims.of(row.text) != dict.fromkeys(row.concept_ids, "present")]


@pytest.mark.parametrize(
    "wording",
    [
        "The field shows nothing.",
        "[findings] and [findings] at low magnification.",
        "The field shows [findings] and geographic necrosis.",
        "The field shows [findings] {{ 7 * 7 }}.",
        "The field shows [findings] {% include 'x' %}.",
        "Seen at high magnification: [findings].",
        "Option A: the field shows [findings].",
        "The field shows [findings]. " + "And so on, and so on. " * 20,
    ],
)
def test_a_wording_that_changes_what_is_said_cannot_be_used(tools: Tools, linker: Linker, wording: str) -> None:
    sentence = Sentence("At low magnification the field shows {{ findings }}.", Claims(tools, linker))
    assert sentence.fault("Low magnification: what is here is [findings].") is None
    assert sentence.fault(wording) is not None


def test_where_no_wording_can_be_used_the_files_own_stay(start: Start, fields: list[Field]) -> None:
    useless = {"wordings": ["The field shows [findings] and geographic necrosis."]}
    with start(lambda form, said: useless if form == "CaptionWording" else said) as run:
        texts = run.texts(fields[:1])
    low = [row for row in texts.captions if row.level == "architecture" and '"plain"' in row.provenance.parameters]
    assert {row.provenance.generator for row in low} == {"rules"}
    assert "malformed_answer" in {row.reason for row in texts.rejections}


PARAGRAPH = "In this field there is myxoid loose stroma, then rare mitotic figures, which makes it low nuclear grade."


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("myxoid loose stroma", "desmoplastic stroma"),
        ("then rare", "then no rare"),
        ("low nuclear grade", "low nuclear grade, with geographic necrosis"),
        ("rare mitotic figures", "few mitoses"),
        ("In this field", "[In] this field"),
        ("there is myxoid loose stroma, then rare mitotic figures", "are rare mitotic figures and myxoid loose stroma"),
    ],
)
def test_a_paragraph_that_claims_anything_else_cannot_be_used(tools: Tools, linker: Linker, old: str, new: str) -> None:
    phrases = ["myxoid loose stroma", "rare mitotic figures", "low nuclear grade"]
    check = SaysThat(Claims(tools, linker), ". ".join(phrases), phrases, in_order=True)
    assert check.fault(PARAGRAPH) is None
    assert old in PARAGRAPH
    assert check.fault(PARAGRAPH.replace(old, new)) is not None


def test_a_useless_paragraph_leaves_the_files_own_text(start: Start, fields: list[Field]) -> None:
    with start(lambda form, said: {"text": "It is benign."} if form == "Paragraph" else said) as run:
        texts = run.texts(fields[:1])
    full = [row for row in texts.captions if row.level == "full"]
    assert {row.provenance.prompt_sha256 for row in full} == {prompt_sha256("wordings")}  # of their sentences
    assert not [row for row in full if row.provenance.prompt_sha256 == prompt_sha256("paragraph")]


def test_a_rerun_asks_nothing_and_gives_the_same_rows(start: Start, fields: list[Field]) -> None:
    with start(dimensions=["correspondence"]) as run:
        first = run.texts(fields), run.questions(fields)
        answered = len(run.server.calls)
        again = run.texts(fields), run.questions(fields)
    assert len(run.server.calls) == answered
    assert again == first


def test_fields_that_show_the_same_share_their_calls(start: Start, make_field: MakeField) -> None:
    values = {"architecture": "solid", "mitoses": "rare", "nucleoli": "prominent"}
    with start(proposed_negatives=0) as run:
        run.texts([make_field(name, **values) for name in ("one", "two", "three")])
    assert run.asked()["Paragraph"] == 1


def test_an_endpoint_that_writes_has_to_be_named() -> None:
    for config in ({"generator": "openai"}, {"features": {"sources": ["endpoint"]}}):
        with pytest.raises(ValidationError, match="`endpoint` is needed"):
            GenerationConfig.model_validate(config)
