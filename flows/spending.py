"""What a run's endpoints were asked and what it cost, from the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tasks.endpoint.ledger import LEDGER, LedgerRow, Spent, read_ledger


def read_spending(folders: Iterable[Path]) -> list[LedgerRow]:
    """Return every call whose answer is kept in one of the folders, in the order in which each was sent."""
    return [row for folder in folders for row in read_ledger(folder / LEDGER)]


def total(rows: list[LedgerRow]) -> Spent:
    """Return the sums of calls; calls whose price is unknown cost nothing here."""
    return Spent(len(rows), sum(row.tokens for row in rows), sum(row.cost or 0.0 for row in rows))


def by_stage(rows: list[LedgerRow]) -> list[dict[str, Any]]:
    """Return one row per stage and model: calls by how they ended, tokens, cost; None where a price is unknown."""
    found = []
    for stage, model in sorted({(row.stage, row.model) for row in rows}):
        own = [row for row in rows if (row.stage, row.model) == (stage, model)]
        ended = Counter(row.status for row in own)
        costs = [row.cost for row in own if row.cost is not None]
        found.append(
            {
                "stage": stage,
                "model": model,
                "calls": len(own),
                "answered": ended["ok"],
                "throttled": ended["throttled"],
                "failed": ended["failed"] + ended["lost"] + ended["open"],
                "tokens": sum(row.tokens for row in own),
                "cost": round(sum(costs), 4) if len(costs) == len(own) else None,
            }
        )
    return found
