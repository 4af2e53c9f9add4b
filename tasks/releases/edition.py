"""One version in the making: its objects, its documents, its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.arrow import schema_of
from schemas.ids import file_sha256
from schemas.migrations import SCHEMA_VERSION
from schemas.records import TABLES
from tasks.releases.candidate import Candidate
from tasks.releases.card import Card
from tasks.releases.config import ReleaseConfig
from tasks.releases.croissant import croissant
from tasks.releases.digests import fingerprint, schema_digest
from tasks.releases.facts import Facts
from tasks.releases.gate import GateReport
from tasks.releases.gather import Gatherer
from tasks.releases.layout import plan_files
from tasks.releases.manifest import manifest_bytes, plain
from tasks.releases.plots import draw_plots
from tasks.releases.published import known_objects, published_schema, table_entry, with_split
from tasks.releases.read import Release, open_release
from tasks.releases.relations import UNSPLIT
from tasks.releases.shards import Known, ObjectWriter
from tasks.releases.stores import Content, ObjectRef, ReleaseStore, always
from tasks.releases.versions import precedence, versions

if TYPE_CHECKING:
    import duckdb

LEXICON = "lexicon.parquet"
METADATA = ("title", "description", "licence", "tags")


@dataclass(frozen=True)
class Edition:
    """One version in the making."""

    candidate: Candidate
    config: ReleaseConfig
    store: ReleaseStore
    created: str | None

    def write_tables(self, connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
        """Store every table's rows as objects; return what the manifest says of each table."""
        known = known_objects(self.store, self.config.dataset)
        return {name: self._write_table(connection, name, known) for name in TABLES if self.candidate.tables.get(name)}

    def _write_table(self, connection: duckdb.DuckDBPyConnection, name: str, known: Known) -> dict[str, Any]:
        schema = published_schema(name)
        paths = self.candidate.tables[name]
        writer = ObjectWriter(self.store, schema_digest(schema), known, self.config.workers)
        with Gatherer(paths, schema_of(TABLES[name])) as gatherer:
            portions = plan_files(connection, name, paths, self.config.shard_mib)
            tables = ((p.split, with_split(gatherer.rows(p), p.split, schema)) for p in portions)
            written = list(writer.write(tables))
        if not written:
            written = list(writer.write([(UNSPLIT, schema.empty_table())]))
        return table_entry(name, schema, written)

    def fingerprint(self, tables: Mapping[str, Mapping[str, Any]]) -> str:
        """Return the digest of every cell of the edition."""
        lexicon = self.candidate.lexicon
        return fingerprint(tables, file_sha256(lexicon) if lexicon else None)

    def appear(
        self, tables: dict[str, dict[str, Any]], facts: Facts, report: GateReport, may: Callable[[], bool] = always
    ) -> Release | None:
        """Write documents and manifest; return the release, or None where another was first or `may` says no."""
        documents = self._documents(tables, facts, report)
        content = {
            **self._about(tables),
            "tables": tables,
            "gate": [{"name": check.name, "asks": check.asks, "passed": check.passed} for check in report.checks],
            "documents": [
                {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
                for path, data in sorted(documents.items())
            ],
        }
        contents: dict[str, Content] = dict(documents)
        for table in tables.values():
            contents |= {entry["path"]: ObjectRef(entry["sha256"]) for entry in table["files"]}
        folder = f"{self.config.dataset}/{self.config.version}"
        if not self.store.publish(folder, contents, manifest_bytes(content), may):
            return None
        return open_release(self.store, self.config.dataset, self.config.version)

    def _documents(self, tables: dict[str, dict[str, Any]], facts: Facts, report: GateReport) -> dict[str, bytes]:
        about = self._about(tables)
        documents = draw_plots(facts, self.candidate.leak_table, self.candidate.stage_counts)
        card = Card(
            candidate=self.candidate,
            config=self.config,
            tables=tables,
            facts=facts,
            plots=sorted(documents),
            checks=report.checks,
            fingerprint=about["fingerprint"],
            created=self.created,
        )
        documents["README.md"] = card.text()
        documents["croissant.json"] = croissant(about, tables, {name: published_schema(name) for name in tables})
        if self.candidate.lexicon:
            documents[LEXICON] = self.candidate.lexicon.read_bytes()
        return documents

    def _about(self, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        chosen = self.config.model_dump(mode="json")
        return plain(
            {
                **{name: chosen[name] for name in ("dataset", "version", *METADATA)},
                "schema_version": SCHEMA_VERSION,
                "created": self.created,
                "fingerprint": self.fingerprint(tables),
                "parents": self._parents(),
                "lineage": dict(self.candidate.lineage),
                "config": dict(self.candidate.config),
                "release_config": chosen,
                "code_version": self.candidate.code_version,
                "sources": list(self.candidate.sources),
                "stage_counts": list(self.candidate.stage_counts),
                "leak_table": list(self.candidate.leak_table),
                "agreement": dict(self.candidate.agreement),
            }
        )

    def _parents(self) -> list[dict[str, str]]:
        mine = precedence(self.config.version)
        older = [v for v in versions(self.store, self.config.dataset) if precedence(v) < mine]
        if not older:
            return []
        parent = open_release(self.store, self.config.dataset, older[-1])
        return [{"version": parent.version, "fingerprint": parent.fingerprint}]
