"""The gate and those who write and edit rationales have one notion of what names a letter."""

from __future__ import annotations

import itertools
import random

import duckdb
import pyarrow as pa

from schemas.letters import names_a_letter
from tasks.releases.evidence import register_letters

PARTS = (
    "Option",
    "answers",
    "is",
    "B",
    "K",
    "(C)",
    "D.",
    "E.g.",
    "'s",
    "é",
    "\n",
    ": ",
    ". ",
    "because",
    "correct",
    "",
)


def test_the_gate_finds_the_letters_that_edits_are_refused_for() -> None:
    rng = random.Random(3)
    short = [f"{a}{gap}{b}" for a, b in itertools.product(PARTS, PARTS) for gap in ("", " ")]
    texts = short + [" ".join(rng.choices(PARTS, k=5)) for _ in range(2000)]
    with duckdb.connect(":memory:") as connection:
        connection.register("given", pa.table({"text": texts, "place": range(len(texts))}))
        register_letters(connection)
        rows = connection.execute("SELECT named_letter(text) FROM given ORDER BY place").fetchall()
    found = [said.strip() for (said,) in rows]
    assert found == [names_a_letter(text) or "" for text in texts]
    assert 500 < sum(map(bool, found)) < len(texts) - 500
