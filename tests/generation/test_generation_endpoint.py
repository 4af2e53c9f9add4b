"""The generator `openai` against a scripted model: what it words passes the screens of the rules, or is rejected."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from demo.scripted_endpoint import Body, Said, ScriptedEndpoint
from demo.scripted_writer import write
from kg.graph import Graph
from kg.link import Linker
from kg.vocabulary import Vocabulary
from schemas.records import Field, Question, Reasoning, Rejection
from tasks.endpoint.client import Endpoint
from tasks.endpoint.config import EndpointConfig
from tasks.generation.checked_replies import SaysThat
from tasks.generation.claims import Claims
from tasks.generation.composites import composites
from tasks.generation.config import GenerationConfig
from tasks.generation.free_form import write_free_form
from tasks.generation.placeholders import Sentence
from tasks.generation.prompting import prompt_sha256
from tasks.generation.proposals import Replacement
from tasks.generation.question_plan import QuestionTemplate, load_plan
from tasks.generation.questions import write_questions
from tasks.generation.reasoning import reason as reason_by_rules
from tasks.generation.texts import Texts, write_texts
from tasks.generation.view import FieldView, Tools
from tasks.generation.writer import Writer
from tasks.generation.written_reasoning import write_reasoning

pytest.importorskip("openai", reason="the extra [llm] is not installed")
MakeField = Callable[..., Field]
SampleFields = Callable[..., list[Field]]
Change = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture
def fields(make_field: MakeField) -> list[Field]:
    """Two fields of one slide that differ in two values."""
    common = {"stroma": "myxoid", "inflammation": "dense", "inflammation_site": "stromal", "grade": "low"}
    rare = make_field("one", architecture="papillary", mitoses="rare", nucleoli="prominent", **common)
    many = make_field("two", architecture="solid", mitoses="frequent", nucleoli="prominent", **common)
    return [rare, many]


TRAIN = {"p1": "train"}


def composite() -> QuestionTemplate:
    return next(template for template in load_plan().templates if template.build == "composite")


@dataclasses.dataclass
class Run:
    """A run of the generator with the endpoint that it asks."""

    server: ScriptedEndpoint
    endpoint: Endpoint
    writer: Writer
    tools: Tools

    def texts(self, fields: list[Field]) -> Texts:
        return write_texts(fields, self.tools, self.writer)

    def questions(self, fields: list[Field]) -> tuple[list[Question], list[Rejection]]:
        splits = {field.patient_id: "train" for field in fields}
        tools = self.tools
        return write_questions(fields, splits, tools.graph, tools.vocabulary, tools.config, self.writer)

    def asked(self) -> Counter[str]:
        """How often each form of answer was asked for."""
        return Counter(call.body["response_format"]["json_schema"]["name"] for call in self.server.calls)


Start = Callable[..., AbstractContextManager[Run]]


@pytest.fixture
def start(tmp_path: Path, graph: Graph, vocabulary: Vocabulary, linker: Linker) -> Start:
    """A run whose model answers as the scripted writer does, changed by `change(form, answer)`."""

    @contextmanager
    def run(change: Change | None = None, folder: str = "endpoint", **config: Any) -> Iterator[Run]:
        def model(body: Body) -> Said:
            said = write(body)
            form = body["response_format"]["json_schema"]["name"]
            return Said(json.dumps(change(form, json.loads(said.text)))) if change else said

        with ScriptedEndpoint(model) as server:
            reached = EndpointConfig(base_url=server.url, model="scripted", backoff_s=0.01)
            settings = GenerationConfig.model_validate({"generator": "openai", "endpoint": reached, **config})
            endpoint = Endpoint(reached, tmp_path / folder)
            yield Run(server, endpoint, Writer(endpoint, linker), Tools(graph, vocabulary, settings))

    return run


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


def test_proposed_negatives_come_on_top_and_are_other_concepts_of_the_same_kind(
    start: Start, fields: list[Field]
) -> None:
    with start() as run:
        more = run.texts(fields).perturbations
    with start(proposed_negatives=0) as run:
        fewer = run.texts(fields).perturbations
    proposed = [row for row in more if row.provenance.prompt_sha256 == prompt_sha256("negatives")]
    assert len(proposed) > 0
    assert {row.perturbation_id for row in fewer} >= {row.perturbation_id for row in more if row not in proposed}
    nodes = run.tools.graph.nodes
    for row in proposed:
        assert row.from_concept != row.to_concept
        assert nodes[row.from_concept or ""].category == nodes[row.to_concept or ""].category


@pytest.mark.parametrize(
    "term",
    ["rubbish", "solid architecture", "no necrosis", "pT3", "geographic necrosis and mitoses", "lymph node metastasis"],
)
def test_a_proposal_that_is_no_other_visible_finding_cannot_be_used(
    tools: Tools, linker: Linker, make_field: MakeField, term: str
) -> None:
    feature = FieldView(make_field(architecture="solid")).present["architecture"]
    check = Replacement(feature, "solid architecture", tools, linker)
    assert check.fault("geographic necrosis") is None
    assert check.fault(term) is not None


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


def reasoned(run: Run, fields: list[Field]) -> tuple[list[Reasoning], list[Rejection]]:
    samples = [(view, sample) for view in map(FieldView, fields) if (sample := reason_by_rules(view, run.tools)[0])]
    return write_reasoning(run.endpoint, run.writer.claims(run.tools), samples, run.tools)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda said: {**said, "steps": said["steps"][:-1]}, "malformed_answer"),
        (lambda said: {**said, "steps": [*said["steps"][:-1], "Nothing else fits."]}, "malformed_answer"),
        (lambda said: {**said, "observe": said["observe"].replace("low nuclear", "high nuclear")}, "malformed_answer"),
        (
            lambda said: {**said, "observe": said["observe"] + " The provided diagnosis fits."},
            "mentions_provided_answer",
        ),
        (lambda said: {**said, "observe": said["observe"] + " Margins are free."}, "claims_invisible_finding"),
    ],
)
def test_reasoning_with_a_fault_is_rejected_by_name(
    start: Start, fields: list[Field], change: Callable[[dict[str, Any]], dict[str, Any]], reason: str
) -> None:
    with start(lambda form, said: change(said) if form == "Reasoned" else said) as run:
        kept, rejections = reasoned(run, fields[:1])
    assert kept == []
    assert [row.reason for row in rejections] == [reason]


def test_the_judge_scores_every_sample_and_keeps_poor_ones_out(start: Start, fields: list[Field]) -> None:
    with start(judge_min_score=4) as run:
        kept, rejections = reasoned(run, fields)
    assert [json.loads(row.provenance.parameters)["judge"] for row in kept] == [4, 4]
    assert rejections == []
    poor = {"faithful": 5, "logical": 2, "fault": "a leap"}
    with start(lambda form, said: poor if form == "Judgement" else said, "strict", judge_min_score=3) as run:
        kept, rejections = reasoned(run, fields)
    assert kept == []
    assert [(row.reason, row.detail) for row in rejections] == [("judged_poor", "score 2 of 5: a leap")] * 2


def test_free_templates_are_worded_once_and_every_key_is_the_one_option_that_the_field_makes_true(
    start: Start, sample_fields: SampleFields
) -> None:
    fields = sample_fields(patients=2, each=28)
    with start() as run:
        rows, left = run.questions(fields)
        claims = run.writer.claims(run.tools)
    assert not [row for row in left if row.reason == "malformed_answer"]
    sets: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
    for row in rows:
        if row.option_set_id:
            assert row.cell.endswith("/openai" if row.template_kind == "free" else "/rules")
            sets[row.option_set_id, *row.options][row.answer_index] += 1
    assert all(len(keys) == 4 and len(set(keys.values())) == 1 for keys in sets.values())
    free = {row.template for row in rows if row.template_kind == "free" and row.option_set_id}
    assert run.asked()["QuestionWording"] == len(free)
    shown = {field.field_id: {feature.concept_id for feature in field.features} for field in fields}
    own = [row for row in rows if row.option_set_id is None]
    assert len(own) > 10
    assert {row.provenance.generator for row in own} == {"openai"}
    for row in own:
        true = [index for index, option in enumerate(row.options) if set(claims.of(option)) <= shown[row.field_id]]
        assert true == [row.answer_index]
        assert set(claims.of(row.rationale)) <= shown[row.field_id]
    assert len({row.answer_index for row in own}) == 4
    assert {row.dimension for row in own} == {"correspondence", "localization", "explanation", "diagnosis"}


def test_the_writer_of_free_form_options_never_learns_the_key(start: Start, make_field: MakeField) -> None:
    pairs = [(size, mitoses) for size in ("dense", "sparse") for mitoses in ("rare", "frequent")]
    fields = [make_field(f"f{n}", inflammation=size, mitoses=mitoses) for n, (size, mitoses) in enumerate(pairs)]
    with start() as run:
        own = composites([composite()], [FieldView(field) for field in fields], TRAIN, run.tools, 4)
        rows, _ = write_free_form(run.endpoint, run.writer.claims(run.tools), own, run.tools)
    assert len(rows) == 4
    assert len({tuple(sorted(row.options)) for row in rows}) == 1
    assert len({row.options[row.answer_index] for row in rows}) == 4
    assert run.asked()["FreeForm"] == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda said: {**said, "options": said["options"][:3]},
        lambda said: {**said, "options": [said["options"][0] * 2, *said["options"][1:]]},
        lambda said: {**said, "options": [said["options"][1], said["options"][0], *said["options"][2:]]},
        lambda said: {**said, "question": "Is there dense chronic inflammation?"},
        lambda said: {**said, "rationales": [text + " So B." for text in said["rationales"]]},
    ],
)
def test_a_free_form_question_with_a_fault_is_rejected(
    start: Start, make_field: MakeField, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    with start(lambda _form, said: change(said)) as run:
        view = FieldView(make_field(inflammation="dense", mitoses="rare"))
        own = composites([composite()], [view], TRAIN, run.tools, 1)
        rows, left = write_free_form(run.endpoint, run.writer.claims(run.tools), own, run.tools)
    assert rows == []
    assert [row.reason for row in left] == ["malformed_answer"]


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
