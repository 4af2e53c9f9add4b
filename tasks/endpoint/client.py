"""The client: many requests at once, each through cache, budget, rates and retries to an answer or a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from schemas.errors import EndpointError
from tasks.endpoint.answers import Answer, Failure, Reply, judge, spoken
from tasks.endpoint.cache import ReplyCache
from tasks.endpoint.calls import Caller, cost_of
from tasks.endpoint.chat import Came
from tasks.endpoint.config import EndpointConfig
from tasks.endpoint.estimate import Estimate
from tasks.endpoint.ledger import LEDGER, Ledger, OverBudgetError, Spent, call_id
from tasks.endpoint.requests import Message, Request, about_tokens, request_key

_GIVE_UP_AFTER = 8  # requests that failed one after another, with none answered between them
_LET_FINISH_S = 20.0  # calls under way when a run ends in error: they are paid for, so what they bring is kept
_SHOWN = 4000  # characters of a malformed answer that are shown to its writer
Outcome = Answer | Failure


class Endpoint:
    """Asks one endpoint; what was answered is kept in a folder and never asked again.

    Several of them, in several processes, may share the folder: budget and rates hold for all of them together.
    """

    def __init__(self, config: EndpointConfig, folder: Path) -> None:
        """Take how the endpoint is reached, and the folder for `cache/` and `ledger.jsonl`."""
        self.config = config
        self._cache = ReplyCache(folder / "cache")
        self._ledger = Ledger(folder / LEDGER)
        self._failed_in_a_row = 0

    def ask(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return an answer or a failure per request, in order; equal requests are put once.

        Raises:
            ConfigError: the key is missing.
            EndpointError: the server refuses every call, or request after request fails.
            MissingExtraError: the openai package is not installed and something has to be asked.
        """
        keys = [request_key(request, self.config) for request in requests]
        unique: dict[str, Request] = {}
        for key, request in zip(keys, requests, strict=True):
            unique.setdefault(key, request)
        outcomes = asyncio.run(self._ask(unique))
        return [_of_item(outcomes[key], request) for key, request in zip(keys, requests, strict=True)]

    def spent(self) -> Spent:
        """Return what was spent over the life of the ledger."""
        return self._ledger.spent()

    def estimate(self, requests: Iterable[Request]) -> Estimate:
        """Return what requests would cost; nothing is sent and no key is needed."""
        unique = {request_key(request, self.config): request for request in requests}
        missing = [request for key, request in unique.items() if not self._cache.holds(key)]
        prompt = sum(about_tokens(request, self.config) for request in missing)
        completion = sum(request.max_tokens for request in missing)
        cost = cost_of(prompt, completion, self.config)
        return Estimate(len(unique), len(unique) - len(missing), len(missing), prompt, completion, cost)

    def _caller(self) -> Caller:
        return Caller(self.config, self._cache, self._ledger)

    async def _ask(self, requests: dict[str, Request]) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        queue = iter(requests.items())
        caller = self._caller()

        async def work() -> None:
            for key, request in queue:
                outcomes[key] = await self._answered(request, caller)

        workers = [asyncio.create_task(work()) for _ in range(min(self.config.concurrency, len(requests)))]
        try:
            await asyncio.gather(*workers)
        except EndpointError:
            for _unsent in queue:
                pass
            await asyncio.wait(workers, timeout=_LET_FINISH_S)
            raise
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await caller.close()
        return outcomes

    async def _answered(self, request: Request, caller: Caller) -> Outcome:
        """Put a request, and put it again with its fault named where the answer is malformed."""
        put, repairs = request, self.config.repairs
        while True:
            found = await self._reply(put, caller)
            if isinstance(found, Failure):
                return found
            reply, ledger_id, cached = found
            value = judge(put, reply)
            if not isinstance(value, Failure):
                model, first = reply.model or self.config.model, reply.first_tokens
                return Answer(spoken(reply.text), value, ledger_id, model, reply.finish_reason, first, cached)
            if value.reason == "refused" or not repairs:
                return value
            put, repairs = _repair(request, reply, value.detail), repairs - 1

    async def _reply(self, request: Request, caller: Caller) -> tuple[Reply, str, bool] | Failure:
        key = request_key(request, self.config)
        stored = self._cache.find(key)
        if stored:
            return (*stored, True)
        try:
            came, _row = await caller.complete(key, request)
        except OverBudgetError as error:
            return Failure(request.item_id, request.stage, "over_budget", f"not sent: {error}")
        if came.reply is None:
            self._give_up_in_time(came)
            return Failure(request.item_id, request.stage, "endpoint_failed", came.detail)
        self._failed_in_a_row = 0
        return came.reply, call_id(key), False

    def _give_up_in_time(self, came: Came) -> None:
        if came.unreachable:  # a shard finished without these answers would lack them for ever
            remedy = "see to the endpoint and run again; what is answered is kept"
            raise EndpointError(f"the endpoint cannot be reached ({came.detail})", remedy=remedy)
        if came.again:  # a request that the server understood and declined says nothing of the server
            self._failed_in_a_row += 1
        if self._failed_in_a_row >= _GIVE_UP_AFTER:
            raise EndpointError(
                f"{self._failed_in_a_row} requests in a row failed, the last one with: {came.detail}",
                remedy="see to the endpoint and run again; what is answered is kept",
            )


def _repair(request: Request, reply: Reply, fault: str) -> Request:
    ask = f"That answer cannot be used ({fault}). Give the whole answer again, corrected, and nothing else."
    more = (Message("assistant", reply.text[:_SHOWN] or "(nothing)"), Message("user", ask))
    return replace(request, messages=(*request.messages, *more))


def _of_item(outcome: Outcome, request: Request) -> Outcome:
    """Return the outcome of an equal request as this item's own."""
    return replace(outcome, item_id=request.item_id, stage=request.stage) if isinstance(outcome, Failure) else outcome
