"""The ledger: a line before each call and one after it, in a file that all callers of a run share.

The line before the call reserves the most that it can cost; the line after it states what it did cost. A caller that is
killed in between leaves the reservation standing, so what is spent is never thought smaller than it is. The same lines
say how many calls went out in the last minute, whoever made them. A file lock orders the callers.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from schemas.ids import content_id
from schemas.rejection import Stage
from tasks.endpoint.config import Budget, EndpointConfig

Status = Literal["open", "ok", "throttled", "failed", "lost"]
LEDGER = "ledger.jsonl"
"""Name of the file in the folder that callers share."""
MINUTE_S = 60.0


@dataclass(slots=True)
class LedgerRow:
    """One HTTP call.

    Attributes:
        ledger_id: content id of the request and of how often it was put before, `call_...`.
        key: digest of the request.
        item_id: what it was for.
        stage: stage that asked.
        model: model that was asked for.
        sent_at: seconds since 1970.
        tokens: tokens of prompt and answer; while the call is open, or its answer was lost, the most there can be.
        cost: what they cost; None where prices are unknown.
        status: `ok`, `throttled` (429), `failed`, `lost` (no answer came, it may have been billed), `open` (under way,
            or its caller was killed).
        http_status: None where no answer came.
        latency_s: seconds from sending to answer.
        prompt_tokens: as the server counts them.
        completion_tokens: as the server counts them.
    """

    ledger_id: str
    key: str
    item_id: str
    stage: Stage
    model: str
    sent_at: float
    tokens: int
    cost: float | None
    status: Status = "open"
    http_status: int | None = None
    latency_s: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


_COLUMNS = tuple(column.name for column in fields(LedgerRow))


@dataclass(frozen=True, slots=True)
class Spent:
    """Sums of a ledger."""

    calls: int
    tokens: int
    cost: float

    def exceeds(self, budget: Budget) -> str | None:
        """Return which bound of a budget this passes, None where it passes none."""
        bounds = (("calls", self.calls, budget.calls), ("tokens", self.tokens, budget.tokens))
        for name, spent, bound in (*bounds, ("cost", self.cost, budget.cost)):
            if bound is not None and spent > bound:
                return f"{name}: {spent:g} of {bound:g}"
        return None


def call_id(key: str, before: int = 0) -> str:
    """Return the ledger id of a request's call: the first one, or the one with so many before it."""
    return content_id("call", key, before)


class OverBudgetError(Exception):
    """A call was not sent because it could pass the budget; the message says which bound."""


class Ledger:
    """The ledger of one folder; every method may be called from several processes at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_to = 0
        self._asked: Counter[str] = Counter()
        self._recent: deque[LedgerRow] = deque()
        self._spent = Spent(0, 0, 0.0)
        self.rows: dict[str, LedgerRow] = {}

    def spent(self) -> Spent:
        """Return what was spent so far, open reservations among it."""
        with self._locked():
            return self._spent

    def reserve(
        self, key: str, item_id: str, stage: Stage, tokens: int, cost: float | None, config: EndpointConfig
    ) -> LedgerRow | float:
        """Write the line before a call; or return for how many seconds the rates still forbid it.

        Raises:
            OverBudgetError: the call could pass the budget. Nothing is written.
        """
        with self._locked() as stream:
            now = time.time()
            after = Spent(self._spent.calls + 1, self._spent.tokens + tokens, self._spent.cost + (cost or 0.0))
            passed = after.exceeds(config.budget)
            if passed:
                raise OverBudgetError(passed)
            wait = self._wait(now, tokens, config)
            if wait > 0:
                return wait
            ledger_id = call_id(key, self._asked[key])
            row = LedgerRow(ledger_id, key, item_id, stage, config.model, now, tokens, cost)
            self._append(stream, {name: getattr(row, name) for name in _COLUMNS})
            return self.rows[ledger_id]

    def settle(self, row: LedgerRow, **known: Any) -> None:
        """Write the line after a call: its status, and what it did cost where that is known."""
        with self._locked() as stream:
            self._append(stream, {"ledger_id": row.ledger_id, **known})

    def _wait(self, now: float, tokens: int, config: EndpointConfig) -> float:
        """Return the seconds until the window of a minute has room for one more call of so many tokens."""
        most_calls = config.requests_per_minute or math.inf
        most_tokens = config.tokens_per_minute or math.inf
        if most_calls == most_tokens == math.inf:
            return 0.0
        while self._recent and self._recent[0].sent_at <= now - MINUTE_S:
            self._recent.popleft()
        calls, used, wait = len(self._recent), sum(row.tokens for row in self._recent), 0.0
        for row in self._recent:
            if calls < most_calls and used + tokens <= most_tokens:
                break
            calls, used, wait = calls - 1, used - row.tokens, row.sent_at + MINUTE_S - now
        return wait

    def _append(self, stream: int, line: dict[str, Any]) -> None:
        os.write(stream, (json.dumps(line, separators=(",", ":")) + "\n").encode())
        self._catch_up(stream)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        stream = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(stream, fcntl.LOCK_EX)
            self._catch_up(stream)
            yield stream
        finally:
            os.close(stream)  # and with it the lock

    def _catch_up(self, stream: int) -> None:
        size = os.fstat(stream).st_size
        text = os.pread(stream, size - self._read_to, self._read_to) if size > self._read_to else b""
        if text and not text.endswith(b"\n"):  # a writer was killed within a line: close it, so that the next is whole
            os.write(stream, b"\n")
            size += 1
        self._read_to = size
        for line in text.splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            said = {name: value for name, value in json.loads(line).items() if name in _COLUMNS}
            row = self.rows.get(said["ledger_id"])
            before = (0, 0, 0.0) if row is None else (1, row.tokens, row.cost or 0.0)
            if row is None:
                row = self.rows[said["ledger_id"]] = LedgerRow(**said)
                self._asked[row.key] += 1
                self._recent.append(row)
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # the half line of a killed writer; its call was not yet sent, or its reservation stands
        for name, value in said.items():
            setattr(row, name, value)
        spent = self._spent
        self._spent = Spent(
            spent.calls + 1 - before[0],
            spent.tokens + row.tokens - before[1],
            spent.cost + (row.cost or 0.0) - before[2],
        )


def read_ledger(path: Path) -> list[LedgerRow]:
    """Return the calls of a ledger in the order in which they were sent; none where there is no file."""
    if not path.exists():
        return []
    ledger = Ledger(path)
    ledger.spent()
    return list(ledger.rows.values())
