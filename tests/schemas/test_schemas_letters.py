from __future__ import annotations

import pytest

from schemas.letters import names_a_letter


@pytest.mark.parametrize(
    ("rationale", "said"),
    [
        ("Option B is right.", "Option B"),
        ("Option B's glands are fused.", "Option B"),
        ("The answer is (C) since", "answer is (C"),
        ("It shows X (D).", "(D)"),
        ("B. It is solid.", "B."),
        ("The nuclei are small. K) shows them.", ". K)"),
        ("C is correct because", "C is"),
        ("Here D is the best of them", "D is the best"),
        ("A is", "A is"),
    ],
)
def test_rationales_that_name_a_letter_are_caught(rationale: str, said: str) -> None:
    assert names_a_letter(rationale) == said


@pytest.mark.parametrize(
    "rationale",
    [
        "A solid pattern is seen.",
        "Grade B disease in the option of surgery.",
        "Vitamin A and stage C.",
        "The answer shows.",
        "E.g. mitoses are seen.",
        "H.E. stains show it; A.F.I.P. says so.",
    ],
)
def test_rationales_without_option_letters_pass(rationale: str) -> None:
    assert names_a_letter(rationale) is None
