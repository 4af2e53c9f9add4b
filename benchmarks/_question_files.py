"""Files of questions for `slidesmith screen`: an example for the docs, and rows as messy as real files hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tasks.screening.items import LETTERS
from tasks.screening.planted import Leak, planted_items

_EXAMPLE: tuple[tuple[str, Leak, float], ...] = (
    ("diagnosis", "prior", 0.4),
    ("morphology", "length", 0.5),
    ("site", "none", 0.0),
)


def write_example(path: Path) -> None:
    """Write 300 made-up questions of each of three types, one of them without its answer.

    In `diagnosis` some diseases are usually right, in `morphology` the key is often longer, `site` is clean.
    """
    rows: list[dict[str, Any]] = []
    for kind, leak, strength in _EXAMPLE:
        for item in planted_items(leak, strength, 300, seed=2, cell=kind):
            options = dict(zip(LETTERS, item.options, strict=False))
            row = {"id": item.item_id, "question": item.question, "options": options, "answer": LETTERS[item.key]}
            rows.append({**row, "patient": f"{kind} {item.group}", "type": kind})
    rows[-1]["answer"] = None
    path.write_text(json.dumps(rows, indent=0) + "\n", encoding="utf-8")


def write_messy(path: Path, n: int) -> None:
    """Write n questions as real files hold them: long texts, ragged options, many scripts, and rows without use."""
    rng = np.random.default_rng(0)
    words = np.array([f"term{number}" for number in range(30_000)])
    endings = ("glands", "железа", "غدة", "Drüsen", "腺体", "αδένας")
    with path.open("w", encoding="utf-8") as stream:
        for number in range(n):
            texts = [" ".join(rng.choice(words, rng.integers(3, 20))) for _ in range(rng.integers(2, 7))]
            options = {letter: f"{text} {endings[number % 6]}" for letter, text in zip(LETTERS, texts, strict=False)}
            options |= {"B": options["A"]} if number % 1009 == 1 else {}
            options |= {"A": ""} if number % 1013 == 1 else {}
            row: dict[str, Any] = {"question": " ".join(rng.choice(words, 25)), "options": options}
            row |= {"answer": None if number % 997 == 1 else LETTERS[int(rng.integers(len(texts)))]}
            row |= {"patient": f"p{number // 7}", "type": f"type {number % 10}"}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
