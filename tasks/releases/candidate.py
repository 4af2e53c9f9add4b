"""A release candidate: the tables of a run as files, and what the run says of them. Images stay on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.arrow import schema_of
from schemas.errors import FileFormatError, InputError
from schemas.records import TABLES

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Candidate:
    """What might become a release.

    Args:
        tables: Parquet files per table of `schemas.records.TABLES`; a table may be spread over many files.
        split_of_patient: `train`, `val` or `test` of every patient.
        stage_counts: per stage `{stage, items_in, items_out, rejected: {reason: n}}`.
        leak_table: per reader and cell `{reader, cell, accuracy, low, high, n, verdict}`.
        lexicon: Parquet file of the linker's lexicon, which travels in the release.
        lineage: what made the candidate: shard keys, models, prompts.
        config: the run's configuration.
        code_version: digest of the source that made it.
        sources: per source `{name, version, licence, sha256}`.
        agreement: reviewers' agreement and blind accuracy, if anything was reviewed.
    """

    tables: Mapping[str, Sequence[Path]]
    split_of_patient: Mapping[str, str]
    stage_counts: Sequence[Mapping[str, Any]]
    leak_table: Sequence[Mapping[str, Any]]
    lexicon: Path | None
    lineage: Mapping[str, Any]
    config: Mapping[str, Any]
    code_version: str
    sources: Sequence[Mapping[str, Any]]
    agreement: Mapping[str, Any] = field(default_factory=dict)

    def check_form(self) -> None:
        """Raise unless every table is known and every file has its table's columns and types.

        Raises:
            InputError: a table or split is unknown, or a file is missing.
            FileFormatError: a file is not Parquet or has other columns than its table.
        """
        for name, paths in self.tables.items():
            if name not in TABLES:
                raise InputError(f"no table is called {name!r}", remedy=f"the tables are {', '.join(TABLES)}")
            for path in paths:
                check_columns(path, name)
        if wrong := sorted(set(self.split_of_patient.values()) - set(SPLITS)):
            raise InputError(f"no split is called {wrong[0]!r}", remedy=f"the splits are {', '.join(SPLITS)}")
        if self.lexicon is not None and not self.lexicon.is_file():
            raise InputError(f"the lexicon {self.lexicon.name} is missing", remedy="build the graph first")

    def columns(self, table: str) -> pa.Schema:
        """Return the Arrow schema of a table as its record class gives it."""
        return schema_of(TABLES[table])


def check_columns(path: Path, table: str) -> None:
    """Raise unless a Parquet file has exactly the columns of a table.

    Raises:
        InputError: the file is missing.
        FileFormatError: it is not Parquet, or its columns or types differ.
    """
    try:
        found = pq.read_schema(path)
    except FileNotFoundError as error:
        raise InputError(f"{table}: {path.name} is missing", remedy="rerun the stage that writes it") from error
    except pa.ArrowInvalid as error:
        raise FileFormatError(f"{table}: {path.name} is not a Parquet file", remedy="rerun the stage") from error
    expected = schema_of(TABLES[table])
    for column in expected:
        at = found.get_field_index(column.name)
        if at < 0:
            raise FileFormatError(f"{table}: {path.name} lacks the column {column.name}", remedy="rerun the stage")
        if found.field(at).type != column.type:
            raise FileFormatError(
                f"{table}: column {column.name} of {path.name} is {found.field(at).type}, not {column.type}",
                remedy="rerun the stage that writes it",
            )
    if extra := sorted(set(found.names) - set(expected.names) - {"split"}):
        raise FileFormatError(f"{table}: {path.name} has an unknown column {extra[0]}", remedy="rerun the stage")
