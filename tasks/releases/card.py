"""The dataset card: README.md with the Hub's YAML header, tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.releases.candidate import SPLITS, Candidate
from tasks.releases.checks import Check
from tasks.releases.config import ReleaseConfig
from tasks.releases.evidence import UNDECIDED
from tasks.releases.facts import Facts
from tasks.releases.published import published_schema
from tasks.releases.relations import UNSPLIT

TEMPLATES = Path(__file__).parent / "templates"
FIRST_CONFIG = "questions"  # what the Hub's viewer opens with
CERTIFIER = "certifier"
LEVELS = {"all": 0, "type": 1, "cell": 2}
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGEST = "n>1M"


@dataclass(frozen=True)
class Card:
    """What the card is written from."""

    candidate: Candidate
    config: ReleaseConfig
    tables: Mapping[str, Mapping[str, Any]]
    facts: Facts
    plots: Sequence[str]
    checks: Sequence[Check]
    fingerprint: str
    created: str | None

    def text(self) -> bytes:
        """Return README.md."""
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - Markdown; values are escaped by `cell`
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            finalize=cell,
        )
        leaks = [dict(row) for row in self.candidate.leak_table]
        text = environment.get_template("card.md.j2").render(
            header=self.header(),
            config=self.config,
            created=self.created,
            fingerprint=self.fingerprint,
            tables=self.tables,
            splits=[name for name in (*SPLITS, UNSPLIT) if any(name in t["splits"] for t in self.tables.values())],
            unsplit=UNSPLIT,
            facts=self.facts,
            plots=self.plots,
            leaks=leaks,
            leaks_shown=sorted(
                (row for row in leaks if row.get("level") != "cell" or row.get("family") == CERTIFIER),
                key=lambda row: LEVELS.get(row.get("level"), 0),
            ),
            undecided=sum(row["verdict"] in UNDECIDED for row in leaks),
            agreement=self.candidate.agreement,
            sources=self.candidate.sources,
            code_version=self.candidate.code_version,
            checks=self.checks,
        )
        return text.encode()

    def header(self) -> str:
        """Return the YAML header by which the Hub and `datasets` find configs and splits."""
        rows = sum(table["rows"] for table in self.tables.values())
        content = {
            "pretty_name": self.config.title,
            "license": self.config.licence,
            "language": ["en"],
            "tags": list(self.config.tags),
            "size_categories": [next((name for limit, name in SIZES if rows < limit), LARGEST)],
            "configs": [self._config(name) for name in self.tables],
            "dataset_info": [info for name in self.tables if (info := image_features(name))],
        }
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)

    def _config(self, name: str) -> dict[str, Any]:
        splits = self.tables[name]["splits"]
        files = [{"split": s, "path": f"data/{name}/{s}-*.parquet"} for s in (*SPLITS, UNSPLIT) if s in splits]
        return {"config_name": name, "data_files": files} | ({"default": True} if name == FIRST_CONFIG else {})


def image_features(table: str) -> dict[str, Any]:
    """Return the columns of a table with images for the header, so that `datasets` and the Hub show them as such."""
    schema = published_schema(table)
    if not any(pa.types.is_binary(column.type) for column in schema):
        return {}
    kinds = {"binary": "image", "double": "float64"}
    features = [{"name": column.name, "dtype": kinds.get(str(column.type), str(column.type))} for column in schema]
    return {"config_name": table, "features": features}


def cell(value: Any) -> Any:
    """Return a value so that it stays within its table cell."""
    if isinstance(value, str) and "|" in value and "\n" not in value and not value.startswith("|"):
        return value.replace("|", "\\|")
    return value
