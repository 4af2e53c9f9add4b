"""A fingerprint ignores the order of rows and columns and their place in files, and changes with any cell."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from schemas.arrow import schema_of, to_table
from schemas.records import TABLES
from tasks.releases.digests import fingerprint, row_digests, schema_digest, set_digest

Rows = dict[str, list[Any]]

ATOMS = st.none() | st.text(max_size=6)
NESTED = st.fixed_dictionaries(
    {
        "text": ATOMS,
        "number": st.none() | st.integers(-(2**63), 2**63 - 1),
        "real": st.none() | st.floats(allow_nan=False),
        "yes": st.none() | st.booleans(),
        "data": st.none() | st.binary(max_size=6),
        "many": st.none() | st.lists(ATOMS, max_size=3),
        "part": st.none()
        | st.fixed_dictionaries({"a": ATOMS, "b": st.none() | st.lists(st.integers(0, 9), max_size=2)}),
    }
)
SCHEMA = pa.schema(
    {
        "text": pa.string(),
        "number": pa.int64(),
        "real": pa.float64(),
        "yes": pa.bool_(),
        "data": pa.binary(),
        "many": pa.list_(pa.string()),
        "part": pa.struct({"a": pa.string(), "b": pa.list_(pa.int64())}),
    }
)


@given(st.lists(NESTED, min_size=2, max_size=2))
@settings(max_examples=300, deadline=None)
def test_two_rows_have_one_digest_exactly_where_every_cell_is_equal(rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    left, right = (repr(row) for row in table.to_pylist())  # repr tells 0.0 from -0.0, as bytes do
    digests = row_digests(table)
    assert (bytes(digests[0]) == bytes(digests[1])) == (left == right)


@given(st.lists(NESTED, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_of_rows_and_columns_and_chunks_do_not_matter(rows: list[dict[str, Any]], random: Any) -> None:
    whole = pa.Table.from_pylist(rows, schema=SCHEMA)
    shuffled = random.sample(rows, len(rows))
    columns = random.sample(SCHEMA.names, len(SCHEMA.names))
    at = random.randint(0, len(rows))
    parts = [pa.Table.from_pylist(part, schema=SCHEMA).select(columns) for part in (shuffled[:at], shuffled[at:])]
    one = set_digest([row_digests(whole)])
    assert set_digest([row_digests(part) for part in parts]) == one
    assert set_digest([row_digests(pa.concat_tables(parts))]) == one


def test_a_row_that_stands_twice_counts_twice() -> None:
    table = pa.table({"a": ["x"]})
    assert set_digest([row_digests(table)]) != set_digest([row_digests(table)] * 2)


def test_a_sliced_table_has_the_digests_of_its_rows(rows: Rows) -> None:
    table = to_table(rows["questions"], TABLES["questions"])
    assert np.array_equal(row_digests(table.slice(3, 5)), row_digests(table)[3:8])


@pytest.mark.parametrize("name", TABLES)
def test_every_column_of_every_table_reaches_the_digest(rows: Rows, name: str) -> None:
    row = rows[name][0]
    before = row_digests(to_table([row], TABLES[name]))
    for column in dataclasses.fields(row):
        kind = schema_of(TABLES[name]).field(column.name).type
        table = to_table([row], TABLES[name])
        other = pa.array([None], kind) if getattr(row, column.name) is not None else _something(kind)
        table = table.set_column(table.column_names.index(column.name), pa.field(column.name, kind), other)
        assert not np.array_equal(before, row_digests(table)), column.name


def _something(kind: pa.DataType) -> pa.Array:
    return pa.array(["x"] if pa.types.is_string(kind) else [1.5], kind)


def test_the_digest_of_columns_sees_names_and_types_but_not_their_order() -> None:
    schema = pa.schema({"a": pa.string(), "b": pa.int64()})
    assert schema_digest(schema) == schema_digest(pa.schema({"b": pa.int64(), "a": pa.string()}))
    assert schema_digest(schema) != schema_digest(pa.schema({"a": pa.string(), "b": pa.int32()}))
    assert schema_digest(schema) != schema_digest(pa.schema({"a": pa.string(), "c": pa.int64()}))


def test_a_fingerprint_sees_the_names_columns_and_rows_of_tables_and_the_lexicon() -> None:
    table = {"columns_sha256": "a", "rows_sha256": "b"}
    releases: list[tuple[dict[str, dict[str, str]], str | None]] = [
        ({"x": table, "y": table}, None),
        ({"x": table, "y": table}, "c"),
        ({"x": table, "z": table}, None),
        ({"x": table, "y": table | {"columns_sha256": "c"}}, None),
        ({"x": table, "y": table | {"rows_sha256": "c"}}, None),
    ]
    assert len({fingerprint(*one) for one in releases}) == len(releases)
    assert fingerprint({"y": table, "x": table}, None) == fingerprint(*releases[0])


def test_the_digest_of_a_row_is_that_of_the_text_which_the_documentation_gives() -> None:
    cells = {"text": "a|b", "number": -3, "real": 0.1, "yes": True, "data": b"\x00", "many": ["x", None]}
    table = pa.Table.from_pylist([{**cells, "part": {"a": None, "b": [1]}}], schema=SCHEMA)
    bits = str(np.float64(0.1).view(np.int64))
    binary = hashlib.sha256(b"\x00").hexdigest()
    text = binary + "2[1:x~" + "-3;" + "(~1[1;" + f"{bits};" + "3:a|b" + "true;"
    assert bytes(row_digests(table)[0]) == hashlib.sha256(text.encode()).digest()
    row = hashlib.sha256(hashlib.sha256(text.encode()).digest()).hexdigest()
    assert set_digest([row_digests(table)]) == row
