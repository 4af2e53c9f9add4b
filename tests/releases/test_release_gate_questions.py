"""The gate refuses questions that letters, numbers or options give away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tasks.releases.candidate import Candidate
from tasks.releases.gate import GateReport, run_gate

Rows = dict[str, list[Any]]
Build = Callable[[Rows], Candidate]


LETTERED = (
    "The correct answer is B because the glands are lined.",
    "Option A shows glands.",
    "(C) is supported by the nuclei.",
    "B. The nuclei are enlarged.",
    "As choice D says, the stroma is desmoplastic.",
    "C is correct since no gland is seen.",
    "The nuclei are small. A) shows them.",
)
INNOCENT = (
    "A gland is lined by cells with prominent nucleoli.",
    "The type A thymoma pattern is absent; hepatitis B is not a finding here.",
    "The answer is supported by glands at the low scale.",
    "Grade 2, group B streptococci and vitamin D play no part.",
    "Options with necrosis are excluded by the viable epithelium.",
)


def failures(report: GateReport) -> dict[str, str]:
    return {check.name: check.detail for check in report.failures}


def test_a_lettered_rationale_is_refused(rows: Rows, build: Build) -> None:
    told = [replace(row, rationale=text) for row, text in zip(rows["questions"], LETTERED, strict=False)]
    rows["questions"][: len(told)] = told
    (check,) = run_gate(build(rows)).failures
    assert (check.name, check.breaches) == ("rationales_name_no_letters", len(LETTERED))
    assert set(check.failing_ids) <= {row.question_id for row in told}
    found = dict(check.sample)
    assert all(found[row.question_id].startswith('says "') for row in told if row.question_id in found)


def test_a_rationale_with_an_innocent_capital_passes(rows: Rows, build: Build) -> None:
    told = [replace(row, rationale=text) for row, text in zip(rows["questions"], INNOCENT, strict=False)]
    rows["questions"][: len(told)] = told
    assert failures(run_gate(build(rows))) == {}


def test_an_unbalanced_option_set_is_refused(rows: Rows, build: Build) -> None:
    rows["questions"][0] = replace(rows["questions"][0], answer_index=1)
    found = failures(run_gate(build(rows)))
    assert found == {
        "keys_are_balanced": 'set_architecture in split train "solid architecture" is the key 5 times and '
        '"glandular architecture" 3 times'
    }


def test_a_set_balanced_over_all_but_not_within_a_split_is_refused(rows: Rows, build: Build) -> None:
    questions = rows["questions"]  # slides 8 and 9 are of val, 10 and 11 of test
    questions[8], questions[11] = replace(questions[8], answer_index=1), replace(questions[11], answer_index=0)
    found = failures(run_gate(build(rows)))
    assert set(found) == {"keys_are_balanced"}
    assert "in split test" in found["keys_are_balanced"]
    assert "in split val" in found["keys_are_balanced"]


def test_a_set_balanced_over_all_but_not_for_each_order_of_its_options_is_refused(rows: Rows, build: Build) -> None:
    one = rows["questions"][0]
    rows["questions"][0] = replace(one, options=one.options[::-1], answer_index=1 - one.answer_index)
    assert set(failures(run_gate(build(rows)))) == {"keys_are_balanced"}


def test_an_option_that_is_never_the_key_unbalances_its_set(rows: Rows, build: Build) -> None:
    rows["questions"] = [
        replace(row, options=(*row.options, "papillary architecture"), option_concepts=(*row.option_concepts, ""))
        for row in rows["questions"]
    ]
    found = failures(run_gate(build(rows)))
    assert '"papillary architecture" 0 times' in found["keys_are_balanced"]


def test_options_that_are_alike_are_refused(rows: Rows, build: Build) -> None:
    alike = replace(rows["questions"][0], options=("Solid  growth", "solid growth"), option_set_id=None)
    rows["questions"][:2] = [alike, replace(rows["questions"][1], option_set_id=None)]
    found = failures(run_gate(build(rows)))
    assert found == {"options_are_distinct": f"{alike.question_id} has two options alike"}


def test_a_mirrored_pair_that_lost_its_other_direction_is_refused(rows: Rows, build: Build) -> None:
    caption_of = {caption.caption_id: caption for caption in rows["captions"]}
    there = rows["perturbations"][0]
    original = caption_of[there.caption_id]
    back_id = "perturbation_back"
    other = replace(original, caption_id="caption_back", text=there.text)
    back = replace(there, perturbation_id=back_id, caption_id=other.caption_id, text=original.text, mirrored=True)
    rows["captions"].append(other)
    rows["perturbations"][0] = replace(there, mirrored=True)
    rows["perturbations"].append(back)
    assert "mirrors_are_balanced" not in failures(run_gate(build(rows)))
    rows["perturbations"].pop()
    found = failures(run_gate(build(rows)))
    assert there.text in found["mirrors_are_balanced"]
    assert "1 times" in found["mirrors_are_balanced"]
