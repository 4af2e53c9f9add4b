from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Provenance, Question, Verdict
from tasks.screening.config import ScreeningConfig
from tasks.screening.cues import COMBINATION
from tasks.screening.lexical import CUES
from tasks.screening.pairing import pair_questions
from tasks.screening.planted import Leak, planted_items
from tasks.screening.questions import screen_questions
from tasks.screening.repair import NotRepaired, Repair, constraint_set, shuffle_keys
from tasks.screening.rounds import screen_and_drop
from tasks.screening.treatment import repaired
from tasks.store import ShardStore, ShardWriter

CONFIG = ScreeningConfig(families=("logistic", "tfidf"), certifier=None, permutations=199, null_draws=24, rounds=2)
N = 160


def questions_of(leak: Leak, template: str, *, strength: float = 0.8, n: int = N, seed: int = 0) -> list[Question]:
    return [
        Question(
            question_id=f"mcq_{template}_{seed}_{item.item_id}",
            field_id=f"field_{template}_{item.item_id}",
            slide_id=item.group,
            patient_id=item.group,
            dimension="diagnosis",
            template=template,
            template_kind="free",
            scales=("high",),
            question=item.question,
            options=item.options,
            option_concepts=tuple(f"C:{option}" for option in item.options),
            answer_index=item.key,
            rationale="The nuclei show it.",
            evidence_ids=("feat",),
            option_set_id=None,
            cell=f"diagnosis/{template}/rules",
            split="train",
            round=0,
            provenance=Provenance("rules"),
        )
        for item in planted_items(leak, strength, n, seed=seed, per_group=2)
    ]


UNPLACED: dict[str, Any] = {"question_id": "", "options": (), "option_concepts": (), "answer_index": 0}
UNPLACED["provenance"] = Provenance("rules")


@settings(max_examples=20)
@given(n=st.integers(1, 30), seed=st.integers(0, 5))
def test_shuffling_keys_changes_places_and_nothing_else(n: int, seed: int) -> None:
    before = questions_of("position", "p", strength=1.0, n=n)
    after = shuffle_keys(before, seed)
    for old, new in zip(before, after, strict=True):
        assert new.options[new.answer_index] == old.options[old.answer_index]
        assert sorted(new.options) == sorted(old.options)
        assert [f"C:{option}" for option in new.options] == list(new.option_concepts)
        assert (new == old) == (new.options == old.options) == (new.question_id == old.question_id)
        if new != old:
            assert new.provenance == replace(old.provenance, input_ids=(old.question_id,))
        assert replace(new, **UNPLACED) == replace(old, **UNPLACED)
    counts = Counter(question.answer_index for question in after)
    assert max(counts.values()) - min(counts.get(place, 0) for place in range(4)) <= 1


@settings(max_examples=20)
@given(n=st.integers(40, 90), more=st.integers(1, 3), seed=st.integers(0, 5))
def test_few_questions_are_placed_elsewhere_when_others_come_and_those_under_another_id(
    n: int, more: int, seed: int
) -> None:
    asked = questions_of("position", "p", strength=1.0, n=n + more)
    before, after = shuffle_keys(asked[more:], seed), shuffle_keys(asked, seed)[more:]
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old.options != new.options]
    assert len(moved) <= 8 * more  # a place that is full sends one on, and so forth
    assert all(old.question_id != new.question_id for old, new in moved)
    assert shuffle_keys(asked[::-1], seed)[::-1] == shuffle_keys(asked, seed)


def test_shuffling_leaves_option_sets_as_they_are() -> None:
    before = [replace(question, option_set_id="set") for question in questions_of("position", "p", n=12)]
    assert shuffle_keys(before, 0) == before
    alone = questions_of("position", "p", seed=1, n=12)
    repair = Repair(alone[0].cell, "shuffle", (), (), 1, 1)
    assert shuffle_keys(before + alone, 0) == before + shuffle_keys(alone, 0)
    assert repaired(before, repair, 0, None) is None


def test_keys_in_telling_places_are_placed_anew_and_the_cell_is_kept() -> None:
    outcome = screen_and_drop(questions_of("position", "places"), CONFIG)
    assert [(repair.operation, repair.cues[0], repair.round) for repair in outcome.repairs] == [
        ("shuffle", "position", 1)
    ]
    assert len(outcome.kept) == N
    assert outcome.dropped == ()
    assert [screening.whole.verdict == "fail" for screening in outcome.rounds] == [True, False]
    assert {question.round for question in outcome.kept} == {1}
    read = {row.question_id for row in outcome.rounds[-1].verdicts}
    assert read == {question.question_id for question in outcome.kept}


def test_without_a_writer_other_cues_are_dropped_at_once() -> None:
    outcome = screen_and_drop(questions_of("length", "long"), CONFIG)
    assert outcome.kept == ()
    assert outcome.repairs == ()
    assert {row.reason for row in outcome.rejections} == {"leaks"}


class Writer:
    """Writes cells anew: leaking ones for some rounds, clean ones afterwards; some questions not at all."""

    def __init__(self, clean_from: int, refuse: int = 0) -> None:
        self.asked: list[Repair] = []
        self._clean_from, self._refuse = clean_from, refuse

    def __call__(self, repair: Repair, questions: Sequence[Question]) -> list[Question | NotRepaired]:
        self.asked.append(repair)
        leak: Leak = "none" if repair.round >= self._clean_from else "length"
        made: list[Question | NotRepaired] = list(questions_of(leak, "long", n=len(questions), seed=repair.round))
        return [NotRepaired("refused", "I would rather not")] * self._refuse + made[self._refuse :]


def test_a_rewritten_cell_is_read_again_as_a_whole_and_kept_when_clean(tmp_path: Path) -> None:
    writer = Writer(clean_from=2, refuse=3)
    clean = questions_of("none", "plain", seed=5)
    store = ShardStore(tmp_path)

    def fill(out: ShardWriter) -> None:
        screen_questions(questions_of("length", "long") + clean, CONFIG, out, rewrite=writer)

    info, _ = store.ensure("screening", "k", fill)
    shard = store.open("screening", "k")
    kept = shard.records("questions", Question)
    assert [repair.round for repair in writer.asked] == [1, 2]
    assert writer.asked[0].cues[0] == "length"
    assert "same number of words" in writer.asked[0].constraints[0]
    assert writer.asked[0].version == constraint_set()["version"]
    assert info.rejected == {"refused": 6}
    assert info.items_in == info.items_out + 6
    assert Counter(question.round for question in kept) == {0: N, 2: N - 6}
    verdicts = shard.records("verdicts", Verdict)
    assert {verdict.question_id for verdict in verdicts} >= {question.question_id for question in kept}
    assert {verdict.round for verdict in verdicts if verdict.question_id in {q.question_id for q in kept}} == {2}
    assert "written anew" in shard.path("screening.html").read_text()
    report = json.loads(shard.path("screening.json").read_text())
    (history,) = report["history"]
    assert history["cell"] == "diagnosis/long/rules"
    assert [found["verdict"] == "fail" for found in history["rounds"]] == [True, True, False]
    assert history["rounds"][0]["accuracy"] > 0.6 > history["rounds"][2]["accuracy"]
    assert [repair["operation"] for repair in report["repairs"]] == ["rewrite", "rewrite"]
    assert info.facts["cells_repaired"] == ["diagnosis/long/rules"]


def test_an_option_set_that_is_written_in_part_goes_as_a_whole() -> None:
    free = questions_of("length", "long")
    of_set = [
        replace(
            free[key],
            question_id=f"set-{key}",
            question="Which is it?",
            options=free[0].options,
            answer_index=key,
            option_set_id="set",
        )
        for key in range(4)
    ]

    def write(_repair: Repair, questions: Sequence[Question]) -> list[Question | NotRepaired]:
        clean = iter(questions_of("none", "long", seed=1))
        kept = {"set-1", "set-2", "set-3"}
        said = {"set-0": NotRepaired("refused", "I would rather not")}
        return [q if q.question_id in kept else said.get(q.question_id) or next(clean) for q in questions]

    outcome = screen_and_drop(free + of_set, CONFIG, rewrite=write)
    assert [repair.operation for repair in outcome.repairs] == ["rewrite"]
    assert len(outcome.kept) == N
    assert {row.item_id: row.reason for row in outcome.rejections} == {
        "set-0": "refused",
        **dict.fromkeys(("set-1", "set-2", "set-3"), "unbalanced"),
    }


def test_a_cell_that_repairs_do_not_help_is_dropped_after_the_last_round() -> None:
    writer = Writer(clean_from=9)
    outcome = screen_and_drop(questions_of("length", "long"), CONFIG, rewrite=writer)
    assert len(writer.asked) == CONFIG.rounds
    assert outcome.kept == ()
    assert len(outcome.rejections) == N
    assert "after 2 repairs" in outcome.rejections[-1].detail


def test_a_writer_that_returns_something_else_is_found_out() -> None:
    with pytest.raises(ValueError, match="one question of that cell, or why not, for each"):
        screen_and_drop(questions_of("length", "long"), CONFIG, rewrite=lambda repair, questions: [])


AXES = {"nuclei": ("small", "large"), "stroma": ("loose", "dense")}


def crossed(n: int, seed: int, *, often: float = 0.8) -> list[Question]:
    """Questions of one wording with crossed options; `large` and `dense` are right more often than chance has it."""
    rng = np.random.default_rng(seed)
    made = []
    for number, one in enumerate(questions_of("none", "crossed", n=n, seed=seed)):
        states = [(nucleus, stroma) for nucleus in AXES["nuclei"] for stroma in AXES["stroma"]]
        own = tuple(values[int(rng.random() < often)] for values in AXES.values())
        order = [states[place] for place in rng.permutation(4)]
        made.append(
            replace(
                one,
                question="Which account is the right one?",
                options=tuple(f"{nucleus} nuclei in {stroma} stroma" for nucleus, stroma in order),
                option_concepts=tuple(f"N:{nucleus}+S:{stroma}" for nucleus, stroma in order),
                answer_index=order.index(own),
                evidence_ids=(f"feat_{number}_{'_'.join(own)}",),
                split="val" if number % 4 == 0 else "train",
            )
        )
    return made


@settings(max_examples=20)
@given(n=st.integers(1, 60), seed=st.integers(0, 5))
def test_pairing_makes_every_option_of_a_set_the_key_equally_often_and_keeps_every_fields_statement(
    n: int, seed: int
) -> None:
    before = crossed(n, seed)
    for old, new in zip(before, pair_questions(before, 0), strict=True):
        if isinstance(new, Question):
            assert new.option_concepts[new.answer_index] == old.option_concepts[old.answer_index]
            assert new.options[new.answer_index] == old.options[old.answer_index]
            assert (new.evidence_ids, new.rationale, new.field_id) == (old.evidence_ids, old.rationale, old.field_id)
            assert old.question_id in new.provenance.input_ids
        else:
            assert new.reason == "unbalanced"
    paired = [new for new in pair_questions(before, 0) if isinstance(new, Question)]
    keys = Counter((q.split, q.option_set_id, q.options[q.answer_index]) for q in paired)
    for split, option_set, _ in keys:
        of_set = [keys[split, option_set, text] for text in paired[0].options]
        assert len(set(of_set)) == 1
    assert pair_questions(before[::-1], 0)[::-1] == pair_questions(before, 0)


def test_a_cell_whose_answers_are_usually_the_same_is_paired_until_text_tells_nothing() -> None:
    questions = crossed(280, 3, often=0.65)
    outcome = screen_and_drop(questions, CONFIG.model_copy(update={"certifier": "forest"}))
    assert [repair.operation for repair in outcome.repairs] == ["pair"]
    before, after = outcome.rounds
    assert before.whole.worst.accuracy > 0.35
    assert max(abs(row.accuracy - 0.25) for row in after.rows) < 1e-9
    assert len(outcome.kept) > 100
    assert {row.reason for row in outcome.rejections} == {"unbalanced"}
    assert len(outcome.kept) + len(outcome.rejections) == 280


def test_many_sets_of_options_are_paired_in_a_moment() -> None:
    rng = np.random.default_rng(0)
    one, questions = crossed(1, 0)[0], []
    for number in range(2500):
        names = tuple(f"state {place}" for place in rng.choice(60, 4, replace=False))
        questions.append(
            replace(one, question_id=f"q{number}", options=names, option_concepts=names, answer_index=number % 4)
        )
    started = time.process_time()
    paired = pair_questions(questions, 0)
    assert time.process_time() - started < 2
    assert sum(isinstance(new, Question) for new in paired) > 2000


def test_questions_without_partners_are_not_paired() -> None:
    alone = [replace(question, question=f"Which, {n}?") for n, question in enumerate(crossed(20, 1))]
    unnamed = [replace(question, option_concepts=("",) * 4) for question in crossed(20, 1)]
    for questions in (alone, unnamed):
        assert all(isinstance(new, NotRepaired) for new in pair_questions(questions, 0))


def test_there_is_a_constraint_for_every_cue_that_can_be_named() -> None:
    named = set(CUES.values()) | {"position", "prior", "wording", "world knowledge", COMBINATION}
    assert named == set(constraint_set()["cues"])
