"""The shard store: each stage's output as a folder that appears whole or not at all.

`<root>/<stage>/<key>/` holds Parquet tables, artifacts and `shard.json`. The key is a digest of inputs, the stage's
configuration and the stage's code, so finding a shard means that its work is done, on any machine, at any later time.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.arrow import from_table, schema_of, to_table
from schemas.errors import CountsError, StoreError
from schemas.ids import digest, file_sha256
from schemas.records import Rejection
from tasks.scratch import made_aside, remove_stale, settle

Record = TypeVar("Record")

_log = logging.getLogger(__name__)

SUMMARY = "shard.json"
ROW_GROUP = 256  # rows; a default-written Parquet of JPEG bytes makes one row cost 1 GB to reach


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """What a finished shard says of itself; small enough to travel through an orchestrator."""

    stage: str
    key: str
    rows: dict[str, int]
    items_in: int
    items_out: int
    rejected: dict[str, int]
    sha256: dict[str, str]
    wall_s: float
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_bytes(cls, summary: bytes) -> ShardInfo:
        """Return what a summary file says; raise ValueError or TypeError where it is torn."""
        return cls(**json.loads(summary))

    def to_bytes(self) -> bytes:
        """Return the content of the summary file."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    def check_counts(self) -> None:
        """Raise CountsError unless items in = items out + items rejected."""
        lost = self.items_in - self.items_out - sum(self.rejected.values())
        if lost:
            raise CountsError(
                f"{self.stage}: {self.items_in} in, {self.items_out} out, {sum(self.rejected.values())} rejected: "
                f"{lost} unaccounted for",
                remedy="this is a fault of Slidesmith; please report it with the run report",
            )


class Origin(Protocol):
    """Where the files of a shard come from that are not in its folder yet."""

    def fetch(self, name: str, sha256: str, place: Path) -> None:
        """Put a file of the shard to its place, whole or not at all."""


class Shard:
    """A finished shard, read-only; small enough to travel through an orchestrator.

    Args:
        folder: where its files are, or come to be when they are asked for.
        info: what it says of itself.
        origin: where missing files come from; None where all are there.
    """

    def __init__(self, folder: Path, info: ShardInfo, origin: Origin | None = None) -> None:
        self._folder = folder
        self._origin = origin
        self.info = info

    def path(self, name: str) -> Path:
        """Return the path of a table (`tiles.parquet`) or an artifact (`overlay.png`)."""
        place = self._folder / name
        if self._origin is not None and name in self.info.sha256 and not place.exists():
            self._origin.fetch(name, self.info.sha256[name], place)
        return place

    @property
    def folder(self) -> Path:
        """The folder with all files of the shard."""
        for name in self.info.sha256:
            self.path(name)
        return self._folder

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """Return a table by its name without suffix."""
        return pq.read_table(self.path(f"{name}.parquet"), columns=columns)

    def records(self, name: str, record: type[Record]) -> list[Record]:
        """Return a table's rows as records."""
        return from_table(self.table(name), record)


class ShardWriter:
    """A shard in the making; nothing of it is visible before it is whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.rows: dict[str, int] = {}
        self.items_in = 0
        self.items_out = 0
        self.rejected: Counter[str] = Counter()
        self.facts: dict[str, Any] = {}

    def path(self, name: str) -> Path:
        """Return where to write an artifact of this shard."""
        return self._folder / name

    def write(self, name: str, table: pa.Table) -> None:
        """Write a whole table."""
        write_parquet(table, self.path(f"{name}.parquet"))
        self.rows[name] = table.num_rows

    def write_records(self, name: str, records: Iterable[Record], record: type[Record]) -> None:
        """Write records as a table of their class's schema."""
        self.write(name, to_table(records, record))

    @contextmanager
    def stream(self, name: str, record: type[Record]) -> Iterator[Callable[[list[Record] | pa.Table], None]]:
        """Yield a function that appends records, or a table of them, as one row group; memory holds one at a time."""
        schema = schema_of(record)
        self.rows[name] = 0
        with pq.ParquetWriter(self.path(f"{name}.parquet"), schema, **_options(schema)) as writer:

            def append(records: list[Record] | pa.Table) -> None:
                if len(records):
                    table = records if isinstance(records, pa.Table) else to_table(records, record)
                    writer.write_table(table, row_group_size=ROW_GROUP)
                    self.rows[name] += len(records)

            yield append

    def count(self, *, items_in: int, items_out: int, rejections: Iterable[Rejection], write: bool = True) -> None:
        """State what came in, what goes out and what was rejected; writes the `rejections` table."""
        rows = list(rejections)
        self.items_in, self.items_out = items_in, items_out
        self.rejected = Counter(row.reason for row in rows)
        if write:
            self.write_records("rejections", rows, Rejection)


def _options(schema: pa.Schema) -> dict[str, Any]:
    # JPEG bytes do not compress (zstd saves 3.5%) and no two are equal, so a dictionary of them is tried in vain;
    # everything else does.
    images = {column.name for column in schema if pa.types.is_binary(column.type)}
    rest = [column.name for column in schema if column.name not in images]
    compression = {column.name: "NONE" if column.name in images else "ZSTD" for column in schema}
    return {"compression": compression, "use_dictionary": rest, "write_statistics": rest}


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table with row groups of 256 rows where it holds images, images uncompressed; byte-identical on rerun."""
    options = _leaf_options(table.schema)
    has_bytes = any(pa.types.is_binary(column.type) for column in table.schema)
    pq.write_table(table, path, row_group_size=ROW_GROUP if has_bytes else 1 << 16, **options)


def _leaf_options(schema: pa.Schema) -> dict[str, Any]:
    flat = all(not pa.types.is_nested(column.type) for column in schema)
    return _options(schema) if flat else {"compression": "ZSTD"}


def shard_key(stage: str, *, inputs: Any, config: Any, code: str) -> str:
    """Return the key of a stage's output: equal inputs, configuration and code give equal keys."""
    return digest(stage, inputs, config, code)[:32]


class ShardStore:
    """Finished shards by stage and key, on a local file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, stage: str, key: str) -> Shard | None:
        """Return the shard, or None while its work is not done."""
        folder = self.root / stage / key
        try:
            info = ShardInfo.from_bytes((folder / SUMMARY).read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise StoreError(f"{SUMMARY} of {stage}/{key} is torn", remedy="delete that folder and rerun") from error
        return Shard(folder, info)

    def look(self, stage: str, key: str) -> Shard | None:
        """Return the shard as `find` does, but leave the store as it is: for a plan that does no work."""
        return ShardStore.find(self, stage, key)

    def open(self, stage: str, key: str) -> Shard:
        """Return a shard whose work is known to be done.

        Raises:
            StoreError: it is not there.
        """
        shard = self.find(stage, key)
        if shard is None:
            raise StoreError(f"there is no shard {stage}/{key}", remedy=f"run the {stage} stage first, or again")
        return shard

    def ensure(self, stage: str, key: str, make: Callable[[ShardWriter], None]) -> tuple[ShardInfo, bool]:
        """Return the shard's summary, making it first where it is missing, and whether it was found.

        `make` writes into a hidden folder beside the final place; one rename publishes it. Killed before the rename,
        nothing is visible; two makers of one key: the first rename wins, the second discards its copy and is told what
        the first made.
        """
        if found := self.find(stage, key):
            return found.info, True
        started = time.monotonic()
        with made_aside(self.root / stage / key) as folder:
            writer = ShardWriter(folder)
            make(writer)
            info = ShardInfo(
                stage=stage,
                key=key,
                rows=dict(writer.rows),
                items_in=writer.items_in,
                items_out=writer.items_out,
                rejected=dict(sorted(writer.rejected.items())),
                sha256={path.name: file_sha256(path) for path in sorted(folder.iterdir()) if path.is_file()},
                wall_s=round(time.monotonic() - started, 3),
                facts=writer.facts,
            )
            info.check_counts()
            (folder / SUMMARY).write_bytes(info.to_bytes())
            settle(*folder.rglob("*"), folder)
            there = self._publish(folder, info)
        _log.info("%s: %d in, %d out in %.1f s", stage, info.items_in, info.items_out, info.wall_s, extra=asdict(info))
        return there, there != info

    def _publish(self, folder: Path, info: ShardInfo) -> ShardInfo:
        """Put a shard that was made to its place; return what is there then, which may be another maker's."""
        try:
            folder.rename(self.root / info.stage / info.key)
        except OSError:
            if found := self.find(info.stage, info.key):
                return found.info
            raise
        return info

    def sweep(self, older_than_s: float = 86_400.0) -> int:
        """Remove hidden folders that killed makers left behind; return how many."""
        return remove_stale(self.root.glob("*/.*"), older_than_s)
