from __future__ import annotations

from dataclasses import replace

from schemas.records import Caption, Perturbation, Provenance, Reasoning, ReasoningStep
from tasks.review.config import ReviewConfig
from tasks.review.decisions import Ruling
from tasks.review.texts import NOBODY, TextRows, apply_to_texts

HOLD, RELEASE = ReviewConfig(undecided="hold"), ReviewConfig(undecided="release")
MADE = Provenance("rules")
CAPTION = Caption("cap_1", "f", "s", "p", None, "low", "architecture", "round glands", 0, (), (), MADE)
NEGATIVE = Perturbation(
    "pert_1", "cap_1", "f", "p", "low", "fused glands", "replace", "descriptor", 0, 5, "fused", None, None, True,
    "truth", 0.9, 0.9, True, MADE, mirrored=True,
)  # fmt: skip
OTHER_CAPTION = replace(CAPTION, caption_id="cap_2", text="fused glands")
OTHER = replace(NEGATIVE, perturbation_id="pert_2", caption_id="cap_2", text="round glands")
STEPS = (ReasoningStep("one", "edge_1", "src"), ReasoningStep("two", "edge_2", "src"))
SAMPLE = Reasoning("reason_1", "f", "s", "p", "look", "seen", STEPS, "answer", ("edge_1", "edge_2"), (), (), MADE)
ROWS = TextRows([CAPTION, OTHER_CAPTION], [NEGATIVE, OTHER], [SAMPLE])


def apply(known: dict[str, Ruling], config: ReviewConfig = RELEASE) -> tuple[TextRows, dict[str, str]]:
    kept, lost = apply_to_texts(ROWS, known, config)
    assert len(kept) + len(lost) == len(ROWS)
    return kept, {row.item_id: row.reason for row in lost}


def test_what_nobody_looked_at_stays_as_it_is() -> None:
    assert apply({}) == (ROWS, {})
    assert apply({"cap_1": Ruling("accept", ""), "reason_1": Ruling("accept", "")}) == (ROWS, {})


def test_a_rejected_caption_takes_what_was_made_of_it_along() -> None:
    kept, lost = apply({"cap_1": Ruling("reject", "not round", "ann")})
    assert lost == {"cap_1": "rejected_by_reviewer", "pert_1": "rejected_by_reviewer"}
    assert kept.captions == [OTHER_CAPTION]


def test_a_rewritten_caption_keeps_its_id_and_loses_its_negatives() -> None:
    kept, lost = apply({"cap_1": Ruling("edit", "", "ann", {"text": "oval glands"})})
    assert lost == {"pert_1": "rejected_by_reviewer"}
    assert (kept.captions[0].caption_id, kept.captions[0].text) == ("cap_1", "oval glands")
    assert '"edited_by":"ann"' in kept.captions[0].provenance.parameters


def test_mirrored_pairs_that_lose_a_side_are_no_longer_called_so() -> None:
    kept, lost = apply({"pert_1": Ruling("reject", "it holds too")})
    assert lost == {"pert_1": "rejected_by_reviewer"}
    assert kept.perturbations == [replace(OTHER, mirrored=False)]
    assert apply({"reason_1": Ruling("reject", "wrong")})[0].perturbations == [NEGATIVE, OTHER]


def test_a_reasoning_samples_words_are_rewritten_and_its_statements_stay() -> None:
    edit = {"observe": "seen well", "think": ["first", "second"]}
    kept, _ = apply({"reason_1": Ruling("edit", "", "ann", edit)})
    sample = kept.reasoning[0]
    assert [(step.text, step.edge_id) for step in sample.think] == [("first", "edge_1"), ("second", "edge_2")]
    assert (sample.observe, sample.kg_path) == ("seen well", SAMPLE.kg_path)
    assert apply({"reason_1": Ruling("edit", "", "ann", {"think": ["one"]})})[1] == {"reason_1": "awaiting_review"}


def test_undecided_texts_are_held_or_released_as_configured() -> None:
    assert apply({"pert_1": NOBODY}, HOLD)[1] == {"pert_1": "awaiting_review"}
    assert apply({"pert_1": NOBODY}, RELEASE)[1] == {}
