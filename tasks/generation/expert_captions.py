"""Expert captions per scale, read from CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from schemas.errors import FileFormatError
from schemas.json_lines import json_lines
from schemas.records.shared import Scale
from tasks.generation.findings import Box, ScaleBox

_REMEDY = "use the columns scale, text and one of tile_id, field_id or slide_id with x, y, width, height in level-0 px"


@dataclass(frozen=True, slots=True)
class ExpertCaption:
    """A text that an expert wrote for one scale of one tile, field, region or whole slide."""

    scale: Scale
    text: str
    slide_id: str | None
    target: str | None  # tile or field id
    box: Box | None  # region in level-0 pixels

    def binds(self, place: ScaleBox, min_overlap: float) -> bool:
        """Return whether the caption speaks of a box: named by id, of the whole slide, or overlapping enough (IoU)."""
        return self.target is not None or self.box is None or _iou(self.box, place.box) >= min_overlap


def _iou(first: Box, second: Box) -> float:
    width = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    height = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    common = max(width, 0.0) * max(height, 0.0)
    return common / (first[2] * first[3] + second[2] * second[3] - common)


def read_expert_captions(path: Path) -> list[ExpertCaption]:
    """Return the captions of a `.csv`, `.jsonl` or `.parquet` file, in file order.

    Raises:
        FileFormatError: the file is missing or malformed; the message names the line.
    """
    if path.suffix.lower() == ".parquet":
        return [_caption(row, f"{path.name}, row {row_number}") for row_number, row in _parquet_rows(path)]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path.name}: not a readable caption file", remedy="give UTF-8 CSV or JSONL") from error
    rows = _csv_rows(text) if path.suffix.lower() == ".csv" else _json_rows(text, path.name)
    return [_caption(row, f"{path.name}, line {line}") for line, row in rows]


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise FileFormatError(f"{path.name}: not a readable Parquet file", remedy="write it again") from error
    yield from enumerate(table.to_pylist(), start=1)


def _csv_rows(text: str) -> Iterator[tuple[int, Any]]:
    yield from enumerate(csv.DictReader(io.StringIO(text)), start=2)


def _json_rows(text: str, name: str) -> Iterator[tuple[int, Any]]:
    for line, row in json_lines(text):
        try:
            yield line, json.loads(row)
        except ValueError as error:
            raise FileFormatError(f"{name}, line {line}: not JSON", remedy="repair the line") from error


def _caption(row: Any, where: str) -> ExpertCaption:
    if not isinstance(row, dict) or not row.get("text") or row.get("scale") not in get_args(Scale):
        raise FileFormatError(f"{where}: no `text`, or `scale` is not low, mid or high", remedy=_REMEDY)
    numbers = [row.get(key) for key in ("x", "y", "width", "height")]
    try:
        box = None if numbers[0] in (None, "") else tuple(float(number or 0) for number in numbers)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{where}: x, y, width, height are not numbers", remedy=_REMEDY) from error
    target = row.get("tile_id") or row.get("field_id") or None
    slide_id = row.get("slide_id") or None
    if target is None and slide_id is None:
        raise FileFormatError(f"{where}: names no tile, field or slide", remedy=_REMEDY)
    if box is not None and (len(box) != 4 or min(box[2:]) <= 0):
        raise FileFormatError(f"{where}: width and height are not positive", remedy=_REMEDY)
    whole = (box[0], box[1], box[2], box[3]) if box is not None else None
    return ExpertCaption(row["scale"], str(row["text"]), slide_id, target, whole)
