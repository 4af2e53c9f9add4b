"""Prompts are files: what a model is shown is golden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ConfigError
from tasks.generation.prompting import FOLDER, KINDS, messages, prompt_sha256

GOLDEN = Path(__file__).parent / "golden" / "prompts.json"
SLOTS: dict[str, dict[str, Any]] = {
    "tile_findings": {
        "organ": "colon",
        "scale": "mid",
        "mpp": "2.5",
        "unknown": "not_assessable",
        "attributes": [("stroma", ["desmoplastic", "myxoid"]), ("inflammation", ["sparse", "dense"])],
    },
    "wordings": {"sentence": "At low magnification the field shows [findings].", "count": 2},
    "questions": {"question": "What is seen?", "option": "[a] and [b]", "rationale": "There is [a] and [b]."},
    "paragraph": {"text": "At mid magnification there is myxoid loose stroma.", "findings": ["myxoid loose stroma"]},
    "negatives": {"organ": None, "marked": "The cells show **enlarged nuclei**.", "count": 1},
    "free_form": {
        "scales": ("mid", "high"),
        "about": "What is seen?",
        "states": [["dense chronic inflammation", "rare mitotic figures"]],
    },
    "reasoning": {"organ": "lung", "observe": "High magnification: enlarged nuclei.", "steps": ["One.", "Two."]},
    "judge": {"observe": "Enlarged nuclei.", "steps": ["One."], "answer": "acinar adenocarcinoma of the lung"},
}


def test_every_prompt_file_has_a_kind_and_is_the_golden_one() -> None:
    # After a change of wording that is meant, raise the version of constraints.yaml, write `made` to the file and read.
    assert {path.stem for path in FOLDER.glob("*.j2")} == {*KINDS, "system"}
    made = {kind: [[said.role, said.text] for said in messages(kind, SLOTS[kind])] for kind in KINDS}
    assert made == json.loads(GOLDEN.read_text())


def test_each_prompt_has_a_digest_of_its_own() -> None:
    assert len({prompt_sha256(kind) for kind in KINDS}) == len(KINDS)


def test_a_slot_that_is_not_given_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match="sentence"):
        messages("wordings", {"count": 2})
