"""Files of questions as people write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.screening.items import Item

TEXTS = ["adenocarcinoma", "lymphoma", "sarcoma", "melanoma"]
QUESTION = "Which tumour is it?"


def write(path: Path, rows: Any) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def rows_of(options: Any, answers: list[Any], **more: Any) -> list[dict[str, Any]]:
    return [{"question": f"{QUESTION} {n}", "options": options, "answer": a, **more} for n, a in enumerate(answers)]


def keys(items: list[Item]) -> list[int]:
    return [item.key for item in items]
