"""The gate: full-table checks over a candidate. Nothing is published that fails one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import GateError
from tasks.releases.candidate import Candidate
from tasks.releases.checks import OF_OTHER_VERSIONS, Check, check_queries, count_rows, run_check
from tasks.releases.config import GateBounds
from tasks.releases.database import open_database
from tasks.releases.evidence import (
    register_counts,
    register_earlier_splits,
    register_images,
    register_letters,
    register_returned,
)
from tasks.releases.masking import register_identifying
from tasks.releases.read import Release

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class GateReport:
    """What the gate found."""

    checks: tuple[Check, ...]
    rows: dict[str, int]

    @property
    def passed(self) -> bool:
        """Return whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """Return the checks that failed."""
        return tuple(check for check in self.checks if not check.passed)

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps({"passed": self.passed, **asdict(self)}, indent=1, sort_keys=True) + "\n"

    def error(self, kept: str) -> GateError:
        """Return the error that refuses the candidate, which is kept in the folder `kept`."""
        names = ", ".join(check.name for check in self.failures)
        first = self.failures[0]
        return GateError(
            f"the gate refuses the release: {names}: {first.detail}",
            remedy=f"see report.html in {kept}, where the candidate is kept",
        )


def run_gate(candidate: Candidate, bounds: GateBounds | None = None, workers: int = 2) -> GateReport:
    """Run every check over a candidate.

    Args:
        candidate: what might become a release.
        bounds: what may pass; the defaults where none are given.
        workers: images decoded at once.

    Raises:
        InputError: a table or file is not known or not there.
        FileFormatError: a file has other columns than its table.
    """
    candidate.check_form()
    with (
        tempfile.TemporaryDirectory(prefix="slidesmith-gate-") as spill,
        open_database(candidate, Path(spill), workers) as connection,
    ):
        return check_all(connection, candidate, bounds or GateBounds(), workers)


def check_again(
    connection: duckdb.DuckDBPyConnection,
    report: GateReport,
    earlier: Sequence[Release],
    returned: Mapping[str, str],
) -> GateReport:
    """Run again the checks that other versions decide; arguments as for `check_all`."""
    register_earlier_splits(connection, earlier)
    register_returned(connection, returned)
    queries = {name: query for name, query in check_queries(screening=False) if name in OF_OTHER_VERSIONS}
    checks = (run_check(connection, c.name, queries[c.name]) if c.name in queries else c for c in report.checks)
    return replace(report, checks=tuple(checks))


def check_all(
    connection: duckdb.DuckDBPyConnection,
    candidate: Candidate,
    bounds: GateBounds,
    workers: int,
    earlier: Sequence[Release] = (),
    returned: Mapping[str, str] | None = None,
) -> GateReport:
    """Run every check over a candidate whose tables a connection holds.

    Args:
        connection: as `open_database` gives it.
        candidate: what might become a release.
        bounds: what may pass.
        workers: images decoded at once.
        earlier: versions of the same dataset, whose splits are kept.
        returned: patients of the candidate who withdrew from it, and the version that left each out.
    """
    register_images(connection, candidate, bounds, workers)
    register_counts(connection, candidate, bounds)
    register_earlier_splits(connection, earlier)
    register_returned(connection, returned or {})
    register_letters(connection)
    register_identifying(connection, look=bounds.identifying_text != "off")
    queries = check_queries(screening=bounds.require_screening)
    checks = tuple(run_check(connection, name, query) for name, query in queries)
    return GateReport(checks=checks, rows={name: count_rows(connection, name) for name in candidate.tables})
