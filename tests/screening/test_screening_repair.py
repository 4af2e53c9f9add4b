from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Provenance, Question, Verdict
from tasks.screening.config import ScreeningConfig
from tasks.screening.cues import COMBINATION
from tasks.screening.lexical import CUES
from tasks.screening.planted import Leak, planted_items
from tasks.screening.questions import screen_questions
from tasks.screening.repair import Repair, constraint_set, shuffle_keys
from tasks.screening.rounds import screen_and_drop
from tasks.store import ShardStore, ShardWriter

CONFIG = ScreeningConfig(families=("logistic", "tfidf"), certifier=None, permutations=199, rounds=2)
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


@given(n=st.integers(1, 30), seed=st.integers(0, 5))
def test_shuffling_keys_changes_places_and_nothing_else(n: int, seed: int) -> None:
    before = questions_of("position", "p", strength=1.0, n=n)
    after = shuffle_keys(before, seed)
    for old, new in zip(before, after, strict=True):
        assert new.options[new.answer_index] == old.options[old.answer_index]
        assert sorted(new.options) == sorted(old.options)
        assert [f"C:{option}" for option in new.options] == list(new.option_concepts)
        assert replace(new, options=(), option_concepts=(), answer_index=0) == replace(
            old, options=(), option_concepts=(), answer_index=0
        )
    counts = Counter(question.answer_index for question in after)
    assert max(counts.values()) - min(counts.get(place, 0) for place in range(4)) <= 1


def test_keys_in_telling_places_are_placed_anew_and_the_cell_is_kept() -> None:
    outcome = screen_and_drop(questions_of("position", "places"), CONFIG)
    assert [(repair.operation, repair.cues[0], repair.round) for repair in outcome.repairs] == [
        ("shuffle", "position", 1)
    ]
    assert len(outcome.kept) == N
    assert outcome.dropped == ()
    assert [screening.whole.verdict == "fail" for screening in outcome.rounds] == [True, False]
    assert {question.round for question in outcome.kept} == {1}


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

    def __call__(self, repair: Repair, questions: Sequence[Question]) -> list[Question | None]:
        self.asked.append(repair)
        leak: Leak = "none" if repair.round >= self._clean_from else "length"
        made: list[Question | None] = list(questions_of(leak, "long", n=len(questions), seed=repair.round))
        return [None] * self._refuse + made[self._refuse :]


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
    assert info.rejected == {"leaks": 6}
    assert info.items_in == info.items_out + 6
    assert Counter(question.round for question in kept) == {0: N, 2: N - 6}
    verdicts = shard.records("verdicts", Verdict)
    assert {verdict.question_id for verdict in verdicts} >= {question.question_id for question in kept}
    assert {verdict.round for verdict in verdicts if verdict.question_id in {q.question_id for q in kept}} == {2}
    assert "written anew" in shard.path("screening.html").read_text()
    assert info.facts["cells_repaired"] == ["diagnosis/long/rules"]


def test_a_cell_that_repairs_do_not_help_is_dropped_after_the_last_round() -> None:
    writer = Writer(clean_from=9)
    outcome = screen_and_drop(questions_of("length", "long"), CONFIG, rewrite=writer)
    assert len(writer.asked) == CONFIG.rounds
    assert outcome.kept == ()
    assert len(outcome.rejections) == N
    assert "after 2 repairs" in outcome.rejections[-1].detail


def test_a_writer_that_returns_something_else_is_found_out() -> None:
    with pytest.raises(ValueError, match="one question of that cell, or None, for each"):
        screen_and_drop(questions_of("length", "long"), CONFIG, rewrite=lambda repair, questions: [])


def test_there_is_a_constraint_for_every_cue_that_can_be_named() -> None:
    named = set(CUES.values()) | {"position", "prior", "wording", "world knowledge", COMBINATION}
    assert named == set(constraint_set()["cues"])
