from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.records import Provenance, Question

Ask = Callable[..., Question]


@pytest.fixture
def ask() -> Ask:
    """Make a question of a counterbalanced set; what matters to a test is given by name."""

    def make(name: str, *, key: int = 0, option_set: str | None = "set", split: str = "train") -> Question:
        return Question(
            question_id=name,
            field_id=f"field-{name}",
            slide_id="slide",
            patient_id="patient",
            dimension="diagnosis",
            template="siblings",
            template_kind="fixed",
            scales=("low", "high"),
            question="Which pattern is seen?",
            options=("glandular", "solid", "papillary"),
            option_concepts=("SSG:g", "SSG:s", "SSG:p"),
            answer_index=key,
            rationale="The low power shows it.",
            evidence_ids=("feat",),
            option_set_id=option_set,
            cell="diagnosis/siblings/rules",
            split=split,
            round=0,
            provenance=Provenance("rules"),
        )

    return make
