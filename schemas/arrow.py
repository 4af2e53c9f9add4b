"""Arrow schemas derived from the records, and the way there and back."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Hashable, Iterable
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import pyarrow as pa

Record = TypeVar("Record")

_SCALARS: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
}


def _unwrap_optional(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (types.UnionType, typing.Union):
        members = [member for member in get_args(hint) if member is not type(None)]
        if len(members) != 1:
            raise TypeError(f"a column has one type, not {hint}")
        return members[0], True
    return hint, False


def _arrow_type(hint: Any) -> pa.DataType:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if get_origin(hint) is typing.Literal:
        return _SCALARS[type(get_args(hint)[0])]
    if get_origin(hint) is tuple:
        return pa.list_(_arrow_type(get_args(hint)[0]))
    if dataclasses.is_dataclass(hint):
        return pa.struct(_columns(typing.cast(type, hint)))
    raise TypeError(f"no Arrow type for {hint}")


def _columns(record: type) -> list[pa.Field]:
    hints = get_type_hints(record)
    columns = []
    for column in dataclasses.fields(record):
        hint, nullable = _unwrap_optional(hints[column.name])
        metadata = {"doc": column.metadata["doc"]} if "doc" in column.metadata else None
        columns.append(pa.field(column.name, _arrow_type(hint), nullable=nullable, metadata=metadata))
    return columns


def schema_of(record: type[Any]) -> pa.Schema:
    """Return the Arrow schema of a record class; column descriptions stand in the field metadata."""
    return _schema_of(typing.cast(Hashable, record))


@functools.cache
def _schema_of(record: Hashable) -> pa.Schema:
    return pa.schema(_columns(typing.cast(type, record)))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {column.name: _plain(getattr(value, column.name)) for column in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def to_table(records: Iterable[Record], record: type[Record]) -> pa.Table:
    """Return records as an Arrow table of their class's schema; row order is kept."""
    schema = schema_of(record)
    rows = list(records)
    arrays = []
    for column in schema:
        values = [getattr(row, column.name) for row in rows]
        if pa.types.is_nested(column.type):  # scalars stay as they are: looking into each doubles the time
            values = [_plain(value) for value in values]
        arrays.append(pa.array(values, type=column.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _rebuilder(hint: Any) -> Any:
    hint, optional = _unwrap_optional(hint)
    if get_origin(hint) is tuple:
        item = _rebuilder(get_args(hint)[0])
        rebuild: Any = tuple if item is None else lambda value: tuple(item(part) for part in value)
    elif dataclasses.is_dataclass(hint):
        parts = _rebuilders(typing.cast(Hashable, hint))
        construct = typing.cast(Any, hint)

        def rebuild(value: dict[str, Any]) -> Any:
            return construct(**{name: part(value[name]) if part else value[name] for name, part in parts.items()})
    else:
        return None
    return (lambda value: None if value is None else rebuild(value)) if optional else rebuild


@functools.cache
def _rebuilders(record: Hashable) -> dict[str, Any]:
    hints = get_type_hints(record)
    return {column.name: _rebuilder(hints[column.name]) for column in dataclasses.fields(typing.cast(Any, record))}


def from_table(table: pa.Table, record: type[Record]) -> list[Record]:
    """Return the rows of a table as records.

    Raises:
        ValueError: a column of the record is missing in the table.
    """
    rebuilders = _rebuilders(typing.cast(Hashable, record))
    missing = sorted(set(rebuilders) - set(table.column_names))
    if missing:
        raise ValueError(f"table lacks {', '.join(missing)} of {record.__name__}")
    columns = []
    for name, rebuild in rebuilders.items():
        values = table.column(name).to_pylist()
        columns.append([rebuild(value) for value in values] if rebuild else values)
    return [record(*values) for values in zip(*columns, strict=True)]
