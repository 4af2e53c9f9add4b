from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from demo.scripted_endpoint import Body, Said, ScriptedEndpoint, last_words
from kg.build import build_graph
from kg.link import Lexicon
from kg.sources import starter_source
from schemas.records import Provenance, Question
from tasks.endpoint.client import Endpoint
from tasks.endpoint.config import EndpointConfig
from tasks.screening.config import ScreeningConfig
from tasks.screening.outside import outside_writer
from tasks.screening.planted import planted_items
from tasks.screening.repair import NotRepaired, Repair
from tasks.screening.rewriting import EndpointWriter, prompt_of
from tasks.screening.rounds import screen_and_drop

pytest.importorskip("openai")

REPAIR = Repair("c", "rewrite", ("length",), ("Write all options with the same number of words.",), 2, 1)


def questions_of(n: int, strength: float) -> list[Question]:
    return [
        Question(
            question_id=f"mcq_{number:04d}",
            field_id=f"field_{number}",
            slide_id=item.group,
            patient_id=item.group,
            dimension="explanation",
            template="account",
            template_kind="free",
            scales=("high",),
            question=item.question,
            options=item.options,
            option_concepts=("",) * 4,
            answer_index=item.key,
            rationale="The nuclei show it.",
            evidence_ids=("feat",),
            option_set_id=None,
            cell="c",
            split="train",
            round=0,
            provenance=Provenance("rules"),
        )
        for number, item in enumerate(planted_items("length", strength, n, seed=1))
    ]


def shorten(body: Body) -> Said:
    """A writer that keeps to the constraint: the first eight words of every option."""
    lines = last_words(body).splitlines()
    options = [line.split(": ", 1)[1] for line in lines if line.startswith("Option ")]
    said = {
        "question": "What is seen here, in other words?",
        "options": [" ".join(option.split()[:8]) for option in options],
    }
    return Said(json.dumps(said))


def writer_at(server: ScriptedEndpoint, folder: Path) -> EndpointWriter:
    config = EndpointConfig.model_validate(
        {"base_url": server.url, "model": "scripted", "backoff_s": 0.005, "repairs": 0, "concurrency": 4}
    )
    return EndpointWriter(Endpoint(config, folder))


def test_the_writer_is_told_the_constraints_and_not_the_key() -> None:
    question = questions_of(1, 1.0)[0]
    prompts = {prompt_of(replace(question, answer_index=key), REPAIR) for key in range(4)}
    assert len(prompts) == 1
    prompt = prompts.pop()
    assert "- Write all options with the same number of words." in prompt
    turned = replace(question, options=question.options[1:] + question.options[:1])
    assert prompt_of(turned, REPAIR) == prompt
    assert all(option in prompt for option in question.options)


def test_a_long_key_is_written_short_and_the_cell_is_kept(tmp_path: Path) -> None:
    questions = questions_of(160, 0.9)
    config = ScreeningConfig(families=("logistic", "tfidf"), certifier=None, permutations=199, rounds=2)
    with ScriptedEndpoint(shorten) as server:
        outcome = screen_and_drop(questions, config, rewrite=writer_at(server, tmp_path))
        assert {call.body["response_format"]["json_schema"]["name"] for call in server.calls} == {"Reworded"}
    assert [(repair.operation, repair.cues[0]) for repair in outcome.repairs] == [("rewrite", "length")]
    assert [screening.whole.verdict == "fail" for screening in outcome.rounds] == [True, False]
    assert len(outcome.kept) + len(outcome.rejections) == 160
    assert {row.reason for row in outcome.rejections} <= {"malformed_answer"}
    assert len(outcome.kept) > 150
    old, new = questions[0], next(q for q in outcome.kept if q.field_id == questions[0].field_id)
    assert new.options[new.answer_index].split() == old.options[old.answer_index].split()[:8]
    assert new.provenance.model == "scripted"
    assert new.provenance.ledger_id
    assert new.provenance.input_ids == (old.question_id,)
    assert json.loads(new.provenance.parameters) == {
        "constraints": outcome.repairs[0].version,
        "cues": list(outcome.repairs[0].cues),
        "round": 1,
    }


@pytest.mark.parametrize(
    ("said", "reason", "detail"),
    [
        ({"question": "What is seen here?", "options": ["one", "two", "six"]}, "malformed_answer", "3 options, 4"),
        ({"question": "What is seen here?", "options": ["a b", "A b.", "c d", "e f"]}, "malformed_answer", "equal"),
        ({"question": "What is seen here?", "options": ["a" * 40, "b", "c", "d"]}, "malformed_answer", "equally long"),
        ({"question": "", "options": ["one", "two", "six", "ten"]}, "malformed_answer", "question"),
    ],
)
def test_words_that_are_of_no_use_are_named_and_the_question_is_not_passed_on(
    tmp_path: Path, said: dict[str, object], reason: str, detail: str
) -> None:
    with ScriptedEndpoint(lambda _body: Said(json.dumps(said))) as server:
        (found,) = writer_at(server, tmp_path)(REPAIR, questions_of(1, 1.0))
    assert isinstance(found, NotRepaired)
    assert found.reason == reason
    assert detail in found.detail


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        ("dense inflammation along with prominent nucleoli", None),
        ("dense inflammation along with small nucleoli", "does not say any more"),
        ("dense inflammation, without prominent nucleoli", "as absent"),
        ("prominent nucleoli, dense inflammation, necrosis", "says what another option says"),
    ],
)
def test_new_words_must_claim_what_the_old_ones_claimed(tmp_path: Path, second: str, fault: str | None) -> None:
    graph = build_graph([starter_source()]).graph
    Lexicon.from_graph(graph).save(tmp_path / "lexicon.parquet")
    old = ("dense inflammation with prominent nucleoli", "dense inflammation, necrosis, frequent mitoses")
    question = replace(questions_of(1, 1.0)[0], options=old, option_concepts=("a", "b"), answer_index=0)
    said = {
        "question": "What is seen here, please?",
        "options": [second, "necrosis, frequent mitoses and dense inflammation"],
    }
    with ScriptedEndpoint(lambda _body: Said(json.dumps(said))) as server:
        served = {"base_url": server.url, "model": "scripted", "repairs": 0}
        config = ScreeningConfig.model_validate({"writer": served})
        writer = outside_writer(config, tmp_path / "asked", tmp_path / "lexicon.parquet")
        assert writer is not None
        (found,) = writer(REPAIR, [question])
    if fault is None:
        assert isinstance(found, Question)
        assert found.options[0] == second
    else:
        assert isinstance(found, NotRepaired)
        assert fault in found.detail
