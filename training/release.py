"""Reading a published release: a folder or any fsspec address, and nothing else of the project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.arrow import schema_of
from schemas.errors import FileFormatError, InputError
from schemas.ids import digest
from schemas.records import TABLES

Split = Literal["train", "val", "test"]


class Release:
    """A release as it lies: `manifest.json` and `data/<table>/<split>-*.parquet`.

    Args:
        address: folder, or an fsspec address such as `s3://bucket/dataset/1.0.0`.

    Raises:
        InputError: there is no manifest at the address.
    """

    def __init__(self, address: object) -> None:
        import fsspec

        self.address = str(address).rstrip("/")
        self._files, self._root = fsspec.core.url_to_fs(self.address)
        if not self._files.exists(f"{self._root}/manifest.json"):
            raise InputError(
                f"{self.address} holds no release (manifest.json is missing)",
                remedy="name the folder of one version, <store>/<dataset>/<version>",
            )

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises:
            FileFormatError: it is no JSON object.
        """
        try:
            manifest = json.loads(self._files.cat_file(f"{self._root}/manifest.json"))
        except ValueError as error:
            raise FileFormatError("manifest.json is not JSON", remedy="run slidesmith release verify") from error
        if not isinstance(manifest, dict):
            raise FileFormatError("manifest.json is not an object", remedy="run slidesmith release verify")
        return manifest

    @property
    def fingerprint(self) -> str:
        """What identifies the release's content: the manifest's fingerprint, or the digest of the manifest."""
        return str(self.manifest.get("fingerprint") or digest(self.manifest))

    def files(self, table: str, split: Split) -> list[str]:
        """Return the Parquet files of one split of a table, in order; empty where the split has no rows."""
        return sorted(str(path) for path in self._files.glob(f"{self._root}/data/{table}/{split}-*.parquet"))

    def open(self, file: str) -> pq.ParquetFile:
        """Return one of `files`, opened.

        Raises:
            FileFormatError: it is not a Parquet file.
        """
        try:
            return pq.ParquetFile(self._files.open(file, "rb"))
        except (pa.ArrowInvalid, OSError) as error:
            name = file.removeprefix(self._root).lstrip("/")
            raise FileFormatError(f"{name} is not readable Parquet", remedy="run slidesmith release verify") from error

    def read(self, table: str, split: Split, columns: Sequence[str], *, required: bool = True) -> pa.Table:
        """Return columns of one split of a table.

        Raises:
            InputError: the split has no such table and `required` is set.
            FileFormatError: a file lacks a column.
        """
        files = self.files(table, split)
        if not files and required:
            raise InputError(f"the release has no {table} in its {split} split", remedy="train on a release that has")
        schema = schema_of(TABLES[table])
        parts = [pa.schema([schema.field(name) for name in columns]).empty_table()]
        for file in files:
            with self.open(file) as parquet:
                missing = sorted(set(columns) - set(parquet.schema_arrow.names))
                if missing:
                    name = file.removeprefix(self._root).lstrip("/")
                    raise FileFormatError(f"{name} lacks {', '.join(missing)}", remedy="publish the release again")
                parts.append(parquet.read(columns=list(columns)).cast(parts[0].schema))
        return pa.concat_tables(parts)

    def lexicon(self) -> pa.Table:
        """Return the linker's lexicon that travels inside the release.

        Raises:
            InputError: the release carries none.
        """
        path = f"{self._root}/lexicon.parquet"
        if not self._files.exists(path):
            raise InputError("the release carries no lexicon.parquet", remedy="publish it again with this version")
        with self.open(path) as parquet:
            return parquet.read()
