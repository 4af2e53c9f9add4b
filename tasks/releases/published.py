"""Tables as they are published: their columns, and what the manifest says of them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from schemas.arrow import schema_of
from schemas.records import TABLES
from tasks.releases.digests import schema_digest, set_digest
from tasks.releases.read import open_release
from tasks.releases.relations import UNSPLIT
from tasks.releases.shards import Known, Written
from tasks.releases.stores import ReleaseStore
from tasks.releases.versions import versions

SPLIT = pa.field("split", pa.string(), metadata={"doc": "train, val or test, by patient; null for rows without one"})


def published_schema(table: str) -> pa.Schema:
    """Return the columns of a published table: those of its record, and the split."""
    schema = schema_of(TABLES[table])
    at = schema.get_field_index(SPLIT.name)
    return schema.set(at, SPLIT) if at >= 0 else schema.append(SPLIT)


def with_split(table: pa.Table, split: str, schema: pa.Schema) -> pa.Table:
    """Return rows of one split with that column filled in."""
    values = pa.repeat(pa.scalar(None if split == UNSPLIT else split, pa.string()), table.num_rows)
    columns = [values if column.name == SPLIT.name else table.column(column.name) for column in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def table_entry(name: str, schema: pa.Schema, written: list[Written]) -> dict[str, Any]:
    """Return what the manifest says of a table: columns, rows by split, files, and the digest of its rows."""
    many: dict[str, int] = {}
    for part in written:
        many[part.split] = many.get(part.split, 0) + 1
    files, splits, seen = [], dict.fromkeys(many, 0), dict.fromkeys(many, 0)
    for part in written:
        at = seen[part.split]
        seen[part.split] += 1
        splits[part.split] += part.rows
        files.append(
            {
                "path": f"data/{name}/{part.split}-{at:05d}-of-{many[part.split]:05d}.parquet",
                "split": part.split,
                "rows": part.rows,
                "bytes": part.size,
                "sha256": part.sha256,
                "rows_sha256": part.rows_sha256,
            }
        )
    return {
        "rows": sum(splits.values()),
        "splits": splits,
        "columns": [{"name": c.name, "type": str(c.type), "nullable": c.nullable} for c in schema],
        "columns_sha256": schema_digest(schema),
        "rows_sha256": set_digest([part.digests for part in written]),
        "files": files,
    }


def known_objects(store: ReleaseStore, dataset: str) -> Known:
    """Return the objects of a dataset's earlier versions, by the digests of their rows and columns."""
    return {
        (entry["rows_sha256"], table["columns_sha256"]): (entry["sha256"], entry["bytes"])
        for version in versions(store, dataset)
        for table in open_release(store, dataset, version).tables.values()
        for entry in table["files"]
    }
