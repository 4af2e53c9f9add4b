"""The manifest: a CSV file that says what each slide is."""

from __future__ import annotations

import csv
from pathlib import Path

from schemas.errors import InputError
from tasks.tiling.config import MPP_MAX, MPP_MIN

REQUIRED_COLUMNS = ("path", "patient_id")
COLUMNS = (*REQUIRED_COLUMNS, "organ", "stain", "licence", "report", "annotations", "mpp")


def read_manifest(manifest: Path) -> list[dict[str, str]]:
    """Return the rows of a manifest, cells stripped.

    Raises:
        InputError: it is missing, empty or no CSV; a column is missing or unknown; a cell is empty or out of range.
    """
    if not manifest.is_file():
        raise InputError(f"no manifest {manifest.name}", remedy=f"give a CSV file with columns {','.join(COLUMNS)}")
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = [column.strip() for column in reader.fieldnames or []]
            _check_columns(manifest.name, columns)
            rows = [
                {column: (value or "").strip() for column, value in zip(columns, row.values(), strict=False)}
                for row in reader
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{manifest.name} is not a CSV file in UTF-8: {error}", remedy="export it again") from error
    if not rows:
        raise InputError(f"{manifest.name} lists no slide", remedy="add one row per slide")
    for line, row in enumerate(rows, start=2):
        _check_row(f"{manifest.name} line {line}", row)
    return rows


def _check_columns(name: str, columns: list[str]) -> None:
    missing = [column for column in REQUIRED_COLUMNS if column not in columns]
    if missing:
        raise InputError(f"{name} lacks column {', '.join(missing)}", remedy=f"columns are {','.join(COLUMNS)}")
    unknown = sorted(set(columns) - set(COLUMNS))
    if unknown:
        raise InputError(f"{name} has unknown column {', '.join(unknown)}", remedy=f"columns are {','.join(COLUMNS)}")


def _check_row(place: str, row: dict[str, str]) -> None:
    for column in REQUIRED_COLUMNS:
        if not row.get(column):
            raise InputError(f"{place}: {column} is empty", remedy="fill it in")
    if text := row.get("mpp"):
        try:
            mpp = float(text)
        except ValueError:
            mpp = float("nan")
        if not MPP_MIN <= mpp <= MPP_MAX:
            raise InputError(f"{place}: mpp {text} is not between {MPP_MIN} and {MPP_MAX} um/px", remedy="correct it")
