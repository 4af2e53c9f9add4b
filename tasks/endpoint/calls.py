"""From one request to a completion: rates and budget before every call, the ledger around it, retries after it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from schemas.errors import EndpointError
from tasks.endpoint.cache import ReplyCache
from tasks.endpoint.chat import Came, call, open_client
from tasks.endpoint.config import EndpointConfig
from tasks.endpoint.ledger import Ledger, LedgerRow, call_id
from tasks.endpoint.requests import Request, at_most_tokens, body_of

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from tenacity import RetryCallState

Told = tuple[Came, LedgerRow]


class Caller:
    """Makes the calls of one event loop; the HTTP client is opened when something has to be asked."""

    def __init__(self, config: EndpointConfig, cache: ReplyCache, ledger: Ledger) -> None:
        self._config = config
        self._cache = cache
        self._ledger = ledger
        self._client: AsyncOpenAI | None = None
        self._not_before = 0.0  # the server asked everybody to wait until then

    async def complete(self, key: str, request: Request) -> Told:
        """Make calls until one brings a completion, which is stored, or until none is left.

        Raises:
            EndpointError: the server refuses every call.
            OverBudgetError: a call could pass the budget.
        """
        import tenacity

        config = self._config
        half = {"multiplier": config.backoff_s / 2, "max": config.max_wait_s / 2}
        # By chance alone every wait may be next to nothing, and a server that restarts is given up.
        back_off = tenacity.wait_exponential(**half) + tenacity.wait_random_exponential(**half)
        last: list[Told] = []

        async def once() -> Came:
            last[:] = [await self._call(key, request)]
            return last[0][0]

        def wait(state: RetryCallState) -> float:
            asked = last[0][0].wait_s
            if asked:
                self._not_before = max(self._not_before, time.monotonic() + asked)
            return max(asked, back_off(state))

        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(config.attempts),
            wait=wait,
            retry=tenacity.retry_if_result(lambda came: came.again and came.wait_s <= config.max_wait_s),
            retry_error_callback=lambda _state: last[0][0],
        )
        await retrying(once)
        return last[0]

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def _call(self, key: str, request: Request) -> Told:
        if self._client is None:
            self._client = open_client(self._config)
        row = await self._turn(key, request)
        sent = time.monotonic()
        try:
            came = await call(self._client, body_of(request, self._config), self._config)
        except EndpointError:
            self._ledger.settle(row, status="failed", tokens=0, cost=self._cost(0, 0))
            raise
        if came.reply is not None:
            self._cache.store(key, came.reply, call_id(key))  # data must not tell how often a server was away
        latency = round(time.monotonic() - sent, 3)
        billed = self._billed(came)
        self._ledger.settle(row, status=came.status, http_status=came.http_status, latency_s=latency, **billed)
        return came, row

    async def _turn(self, key: str, request: Request) -> LedgerRow:
        """Wait until rates and the server permit a call, and reserve the most that it can cost."""
        prompt = at_most_tokens(request, self._config)
        tokens, cost = prompt + request.max_tokens, self._cost(prompt, request.max_tokens)
        while True:
            pause = self._not_before - time.monotonic()
            if pause <= 0:
                turn = self._ledger.reserve(key, request.item_id, request.stage, tokens, cost, self._config)
                if isinstance(turn, LedgerRow):
                    return turn
                pause = turn
            await asyncio.sleep(pause)

    def _billed(self, came: Came) -> dict[str, int | float | None]:
        """Return what is known to be billed; nothing where the reservation has to stand."""
        if came.reply is None:
            return {} if came.status == "lost" else {"tokens": 0, "cost": self._cost(0, 0)}
        prompt, completion = came.reply.prompt_tokens, came.reply.completion_tokens
        if prompt is None or completion is None:  # the server does not count
            return {}
        return {
            "tokens": prompt + completion,
            "cost": self._cost(prompt, completion),
            "prompt_tokens": prompt,
            "completion_tokens": completion,
        }

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        return cost_of(prompt_tokens, completion_tokens, self._config)


def cost_of(prompt_tokens: int, completion_tokens: int, config: EndpointConfig) -> float | None:
    """Return what tokens cost, None where prices are unknown."""
    if config.prices is None:
        return None
    return (prompt_tokens * config.prices.input + completion_tokens * config.prices.output) / 1e6
