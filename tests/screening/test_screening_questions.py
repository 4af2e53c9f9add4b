from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from schemas.records import Provenance, Question, Rejection, Verdict
from schemas.records.generation import Dimension
from tasks.screening.canonical import canonicalise
from tasks.screening.config import ScreeningConfig
from tasks.screening.planted import Leak, planted_items
from tasks.screening.questions import screen_questions
from tasks.screening.rounds import Outcome, screen_and_drop
from tasks.store import Shard, ShardStore, ShardWriter

CONFIG = ScreeningConfig(trees=10, forest_trees=6, permutations=199, null_draws=24)
QUICK = CONFIG.model_copy(update={"families": ("logistic",), "certifier": None})


def questions_of(
    leak: Leak, n: int, template: str, dimension: Dimension = "diagnosis", seed: int = 0
) -> list[Question]:
    cell = f"{dimension}/{template}/rules"
    return [
        Question(
            question_id=f"mcq_{cell}_{item.item_id}",
            field_id=f"field_{cell}_{item.item_id}",
            slide_id=item.group,
            patient_id=item.group,
            dimension=dimension,
            template=template,
            template_kind="free",
            scales=("low", "high"),
            question=item.question,
            options=item.options,
            option_concepts=("",) * len(item.options),
            answer_index=item.key,
            rationale="The nuclei show it.",
            evidence_ids=("feat",),
            option_set_id=None,
            cell=cell,
            split="train",
            round=0,
            provenance=Provenance("rules"),
        )
        for item in planted_items(leak, 0.8, n, seed=seed, per_group=4)
    ]


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    leaking = questions_of("length", 120, "wordy", "explanation")
    clean = questions_of("none", 120, "plain", seed=1) + questions_of("none", 120, "plain", "localization", seed=2)
    broken = [
        replace(clean[0], question_id="mcq_letter", field_id="f1", rationale="Option B is right."),
        replace(clean[1], question_id="mcq_twice", field_id="f2", options=("a", "A.", "b", "c")),
        replace(clean[2], question_id="mcq_again"),
        replace(clean[3], question_id="mcq_empty", field_id="f3", options=("a", " ", "b", "c")),
        replace(clean[4], question_id="mcq_key", field_id="f4", answer_index=9),
    ]
    return leaking + clean + broken


def make(root: Path, questions: list[Question], config: ScreeningConfig = CONFIG) -> tuple[Shard, Outcome]:
    store = ShardStore(root)
    made: list[Outcome] = []

    def fill(out: ShardWriter) -> None:
        made.append(screen_questions(questions, config, out))

    info, _ = store.ensure("screening", "key", fill)
    return store.open("screening", info.key), made[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, questions: list[Question]) -> tuple[Shard, Outcome]:
    return make(tmp_path_factory.mktemp("store"), questions)


def test_the_shard_holds_every_question_once_and_says_why_others_went(
    made: tuple[Shard, Outcome], questions: list[Question]
) -> None:
    shard, outcome = made
    kept = shard.records("questions", Question)
    rejected = shard.records("rejections", Rejection)
    assert {q.question_id for q in kept} | {row.item_id for row in rejected} == {q.question_id for q in questions}
    assert len(kept) + len(rejected) == len(questions) == shard.info.items_in
    assert shard.info.rejected == {
        "duplicate_item": 1,
        "duplicate_options": 1,
        "empty_option": 1,
        "leaks": 120,
        "lettered_rationale": 1,
        "missing_answer": 1,
    }
    assert {q.cell for q in kept} == {"diagnosis/plain/rules", "localization/plain/rules"}
    leak = next(row for row in rejected if row.reason == "leaks")
    assert "without the image by length" in leak.detail
    assert shard.info.facts["cells_dropped"] == ["explanation/wordy/rules"]
    assert len(outcome.rounds) == 2  # what is left is read again


def test_every_question_that_was_read_has_a_verdict_of_every_reader(made: tuple[Shard, Outcome]) -> None:
    shard, outcome = made
    verdicts = shard.records("verdicts", Verdict)
    readers = {verdict.reader for verdict in verdicts}
    assert {"prior", "logistic", "boosting", "tfidf", "ensemble", "forest", "most words", "option 1"} <= readers
    assert len(verdicts) == 360 * len(readers)
    assert len({(verdict.question_id, verdict.reader) for verdict in verdicts}) == len(verdicts)
    for verdict in verdicts:
        assert 0.0 <= verdict.p_key <= 1.0
        assert (verdict.fold >= 0) == (verdict.family in ("fitted", "certifier"))
    flagged = {verdict.question_id for verdict in verdicts if verdict.flagged}
    assert {entry["item_id"] for entry in outcome.flagged} == flagged & {q.question_id for q in outcome.kept}


def test_the_leak_table_tells_what_is_left_and_what_was_dropped(made: tuple[Shard, Outcome]) -> None:
    shard, _ = made
    table = json.loads(shard.path("cells.json").read_text())
    assert {"reader", "cell", "accuracy", "low", "high", "n", "verdict"} <= set(table[0])
    verdicts = {(row["cell"], row["reader"]): row["verdict"] for row in table}
    assert verdicts["explanation/wordy/rules", "ensemble"] == "fail"
    assert all(verdict != "fail" for (cell, _), verdict in verdicts.items() if cell != "explanation/wordy/rules")
    whole = next(row for row in table if row["cell"] == "all" and row["reader"] == "forest")
    assert whole["n"] == 240


def test_a_kept_leak_is_reported_and_its_items_go_to_review(tmp_path: Path, questions: list[Question]) -> None:
    shard, outcome = make(tmp_path, questions, QUICK.model_copy(update={"on_fail": "keep"}))
    assert "leaks" not in shard.info.rejected
    flagged = json.loads(shard.path("flagged.json").read_text())
    assert flagged == outcome.flagged
    assert {entry["cell"] for entry in flagged} == {"explanation/wordy/rules"}
    assert len(flagged) > 60
    assert {"reader", "p", "cue"} == set(flagged[0]["reasons"][0])
    assert all(entry["reasons"] for entry in flagged)


def test_equal_input_gives_equal_bytes(tmp_path: Path, made: tuple[Shard, Outcome], questions: list[Question]) -> None:
    one, _ = made
    two, _ = make(tmp_path, questions)
    assert one.info.sha256 == two.info.sha256


def test_the_page_stands_alone_and_escapes_what_it_shows(tmp_path: Path, questions: list[Question]) -> None:
    evil = replace(questions[0], question_id="mcq_<script>", question="<script>alert(1)</script>", rationale="(B)")
    shard, _ = make(tmp_path, [*questions, evil], QUICK)
    page = shard.path("screening.html").read_text()
    assert "http" not in page
    assert "<script" not in page
    assert "mcq_&lt;script&gt;" in page
    assert "explanation" not in page.split("<h2>Cells</h2>")[1].split("<h2>")[0]


def test_nothing_left_to_read_is_counted_and_writes_whole_tables(tmp_path: Path, questions: list[Question]) -> None:
    shard, outcome = make(tmp_path, [replace(question, rationale="(C)") for question in questions[:5]])
    assert shard.info.items_out == 0
    assert shard.records("verdicts", Verdict) == []
    assert outcome.flagged == []


def test_what_only_the_certifier_sees_is_reported_but_selects_nothing() -> None:
    names = ("abcd", "efgh", "ijkl", "mnop")  # equal in every cue: only who remembers texts can tell them apart
    rng = np.random.default_rng(4)
    questions = []
    for question in questions_of("none", 200, "names"):
        chosen = rng.permutation(4)
        options = tuple(names[place] for place in chosen)
        questions.append(replace(question, options=options, answer_index=int(chosen.argmin())))
    blind = CONFIG.model_copy(update={"families": ("logistic", "boosting"), "certifier": "prior"})
    outcome = screen_and_drop(questions, blind)
    certifier = outcome.rounds[-1].certifier
    assert certifier is not None
    assert certifier.verdict == "fail"
    assert {cell.verdict for cell in outcome.rounds[-1].cells} == {"fail"}
    assert {cell.selected for cell in outcome.rounds[-1].cells} <= {"pass", "too few"}
    assert outcome.dropped == ()
    assert len(outcome.kept) == 200
    assert outcome.flagged == []


def test_the_first_of_equal_questions_on_a_field_stays(questions: list[Question]) -> None:
    first = questions[0]
    turned = replace(first, question_id="mcq_turned", options=first.options[::-1], answer_index=3 - first.answer_index)
    kept, rejections = canonicalise([first, turned])
    assert kept == [first]
    assert rejections[0].reason == "duplicate_item"
