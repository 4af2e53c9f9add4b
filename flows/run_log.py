"""The record that every curation leaves in `runs/`: what it did, what it found done, how long, at what cost."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from flows.config import RunConfig
from flows.plan import Plan, make_plan
from flows.run_journal import journal
from flows.spending import read_spending, total
from schemas.errors import SlidesmithError
from schemas.ids import digest
from tasks.endpoint.ledger import Spent
from tasks.settings import code_version
from tasks.store import ShardInfo

_log = logging.getLogger(__name__)
FOLDER = "runs"


@contextmanager
def recorded(config: RunConfig) -> Iterator[None]:
    """Keep a record of what runs inside: written as `running` first, then whole; a killed run leaves the first."""
    plan = make_plan(config)
    plan.store.sweep()
    found = {shard for shard in plan.shards() if plan.store.find(*shard)}
    spent = total(read_spending(plan.endpoint_folders))
    started, clock = datetime.now(UTC), time.monotonic()
    record: dict[str, Any] = {
        "run_id": f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}",
        "started_at": started.isoformat(timespec="seconds"),
        "status": "running",
        "problem": "",
        "dataset": config.release.dataset,
        "version": config.release.version,
        "config_sha256": digest(plan.portable_config(), plan.training_section),
        "code_version": code_version("schemas", "kg", "tasks", "flows", "training"),
    }
    path = config.out / FOLDER / f"{record['run_id']}.json"
    with _kept(path, record), journal(path.with_suffix(".jsonl")):
        try:
            _log.info("curation of %s %s begins: %d slides", record["dataset"], record["version"], len(plan.sources))
            yield
            record["status"] = "completed"
            _log.info("curation is complete")
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            record["status"] = "interrupted" if interrupted else "failed"
            record["problem"] = _problem(error)
            _log.error("curation %s: %s", record["status"], record["problem"])
            raise
        finally:
            record["wall_s"] = round(time.monotonic() - clock, 1)
            with suppress(SlidesmithError, OSError):  # the inputs may be gone, which is what ended the run
                after = make_plan(config)  # decisions may have come meanwhile
                record["stages"] = _stages(after, found)
                record["version"] = after.version or record["version"]
                record |= _difference(spent, total(read_spending(after.endpoint_folders)))


@contextmanager
def _kept(path: Path, record: Mapping[str, Any]) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # goes with the process: who reads the record sees whether it lives
        stream.write(json.dumps(record))
        stream.flush()
        try:
            yield
        finally:
            partial = path.with_name(f".{path.name}.partial")
            try:
                partial.write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
                partial.replace(path)
            except OSError:
                partial.unlink(missing_ok=True)
                _rewrite(stream, record)


def _rewrite(stream: IO[str], record: Mapping[str, Any]) -> None:
    """Write over the record that stands there, which on a full disk has a block of its own: without the stages."""
    short = json.dumps({name: value for name, value in record.items() if name != "stages"}).encode()
    with suppress(OSError):  # what filled the disk ends the run with its own error
        os.pwrite(stream.fileno(), short, 0)
        os.truncate(stream.fileno(), len(short))


def _problem(error: BaseException) -> str:
    """Return what a record may say of an error: no path of this host, and nothing that a library put into its text."""
    if isinstance(error, SlidesmithError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__


def _stages(plan: Plan, found: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return what was made and what was found done, by stage."""
    rows: dict[str, dict[str, Any]] = {}
    for stage, key in plan.shards():
        shard = plan.store.find(stage, key)
        row = rows.setdefault(stage, dict.fromkeys(("made", "found", "missing", *_COUNTS), 0) | {"stage": stage})
        row["missing" if shard is None else "found" if (stage, key) in found else "made"] += 1
        if shard is not None and (stage, key) not in found:
            for name, value in _counts(shard.info).items():
                row[name] = round(row[name] + value, 3)
    return list(rows.values())


_COUNTS = ("items_in", "items_out", "rejected", "work_s")


def _counts(info: ShardInfo) -> dict[str, float]:
    return dict(zip(_COUNTS, (info.items_in, info.items_out, sum(info.rejected.values()), info.wall_s), strict=True))


def _difference(before: Spent, after: Spent) -> dict[str, float]:
    return {
        "calls": after.calls - before.calls,
        "tokens": after.tokens - before.tokens,
        "cost": round(after.cost - before.cost, 6),
    }


def read_runs(out: Path) -> list[dict[str, Any]]:
    """Return the records of all runs into a folder, the oldest first; a run that was killed is called so."""
    records = []
    for path in sorted((out / FOLDER).glob("*.json")):
        with path.open(encoding="utf-8") as stream:
            try:
                record = json.load(stream)
            except ValueError:  # killed before the first line was out
                record = {"run_id": path.stem, "status": "running"}
            if record["status"] == "running" and not _locked(stream):
                record["status"] = "killed"
            records.append(record)
    return records


def read_logs(out: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines that runs into a folder logged, each with its run_id; a torn last line is left out."""
    for path in sorted((out / FOLDER).glob("*.jsonl")):
        with path.open(encoding="utf-8") as stream:
            for line in stream:
                with suppress(ValueError):
                    yield {"run_id": path.stem, **json.loads(line)}


def _locked(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
