from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.arrow import from_table, schema_of, to_table
from schemas.records import TABLES, Feature, Field, Question


@pytest.mark.parametrize("name", TABLES)
def test_every_column_of_every_table_is_described(name: str) -> None:
    for column in schema_of(TABLES[name]):
        assert (column.metadata or {}).get(b"doc"), f"{name}.{column.name} has no description"


@pytest.mark.parametrize("name", TABLES)
def test_records_are_frozen(name: str) -> None:
    assert vars(TABLES[name])["__dataclass_params__"].frozen


texts = st.text(max_size=8)
features = st.builds(Feature, texts, st.sampled_from(["low", "mid", "high"]), texts, texts, texts)
fields = st.builds(
    Field,
    field_id=texts,
    slide_id=texts,
    patient_id=texts,
    centre_x_px0=st.integers(0, 10**6),
    centre_y_px0=st.integers(0, 10**6),
    mid_tile_id=st.none() | texts,
    organ=st.none() | texts,
    features=st.lists(features, max_size=3).map(tuple),
)


@given(st.lists(fields, max_size=5))
def test_records_survive_the_way_through_arrow(rows: list[Field]) -> None:
    assert from_table(to_table(rows, Field), Field) == rows


def test_a_table_without_a_column_is_refused_by_name() -> None:
    table = to_table([], Question).drop_columns(["rationale"])
    with pytest.raises(ValueError, match="table lacks rationale of Question"):
        from_table(table, Question)


def test_optional_columns_are_nullable_and_others_are_not() -> None:
    schema = schema_of(Field)
    assert schema.field("organ").nullable
    assert not schema.field("slide_id").nullable
    assert pa.types.is_list(schema.field("features").type)


def test_a_column_with_two_types_is_refused() -> None:
    @dataclass(frozen=True)
    class Torn:
        value: int | str

    with pytest.raises((TypeError, NameError)):
        schema_of(dataclasses.make_dataclass("Torn", [("value", int | str)], frozen=True))
