"""What each column may hold, from the records' types and a few ranges: for the gate, and for the Data Docs."""

# ruff: noqa: S608 - names of tables and columns come from closed lists
from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

from schemas.records import TABLES
from tasks.releases.relations import KEYS

ROUNDING = 1e-9  # what sums of floats may overstep a bound by
SHARE = (0.0, 1.0)
FROM_ZERO = (0.0, None)
FROM_ONE = (1.0, None)

RANGES: dict[str, dict[str, tuple[float, float | None]]] = {
    "slides": {"width_px0": FROM_ONE, "height_px0": FROM_ONE, "mpp_x": (0.01, 100.0), "mpp_y": (0.01, 100.0)},
    "tiles": {
        "mpp": (0.01, 1000.0),
        "box_width_px0": FROM_ONE,
        "box_height_px0": FROM_ONE,
        "width_px": FROM_ONE,
        "height_px": FROM_ONE,
        "tissue_fraction": SHARE,
        "inside_fraction": SHARE,
        "focus": FROM_ZERO,
        "pen_fraction": SHARE,
        "fold_fraction": SHARE,
    },
    "mentions": {"start": FROM_ZERO, "end": FROM_ZERO},
    "captions": {"phrasing": FROM_ZERO},
    "perturbations": {
        "start": FROM_ZERO,
        "end": FROM_ZERO,
        "edit_similarity": SHARE,
        "semantic_similarity": SHARE,
    },
    "questions": {"answer_index": FROM_ZERO, "round": FROM_ZERO},
    "verdicts": {"p_key": SHARE, "argmax": FROM_ZERO, "round": FROM_ZERO},
}


@dataclasses.dataclass(frozen=True, slots=True)
class Expectation:
    """What one column may hold: not null, one of some values, or a number within a range."""

    table: str
    column: str
    kind: Literal["present", "one_of", "between"]
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


def expectations(table: str) -> Iterator[Expectation]:
    """Yield what is expected of a table's plain columns."""
    hints = get_type_hints(TABLES[table])
    for column in dataclasses.fields(TABLES[table]):
        hint, optional = _unwrapped(hints[column.name])
        if hint is bytes:
            continue
        if not optional:
            yield Expectation(table, column.name, "present")
        if get_origin(hint) is Literal:
            yield Expectation(table, column.name, "one_of", values=tuple(str(value) for value in get_args(hint)))
    for name, (low, high) in RANGES.get(table, {}).items():
        yield Expectation(table, name, "between", low=low, high=high)


def _unwrapped(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in {types.UnionType, typing.Union}:
        return next(member for member in get_args(hint) if member is not type(None)), True
    return hint, False


def breaches_query() -> str:
    """Return the gate's query over every expectation of every table."""
    parts = []
    for table in TABLES:
        item = f"coalesce({KEYS[table][0]}, '{table}')" if table in KEYS else "coalesce(item_id, 'rejections')"
        parts += [
            f"SELECT {item} AS item, '({table}) has {expected.column} ' || "
            f"coalesce(\"{column}\"::VARCHAR, 'null') AS detail "
            f"FROM {table} WHERE {_broken(expected, column)}"
            for expected in expectations(table)
            for column in ["given_split" if expected.column == "split" else expected.column]
        ]
    return "-- Columns hold what their type and range allow.\n" + "\nUNION ALL\n".join(parts)


def _broken(expected: Expectation, column: str) -> str:
    if expected.kind == "present":
        return f'"{column}" IS NULL'
    if expected.kind == "one_of":
        return f'"{column}" NOT IN ({", ".join(repr(value) for value in expected.values)})'
    low = f'"{column}" < {expected.low} - {ROUNDING}'
    return low if expected.high is None else f'({low} OR "{column}" > {expected.high} + {ROUNDING})'
