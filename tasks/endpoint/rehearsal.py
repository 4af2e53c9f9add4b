"""A rehearsal: the client with what it was answered before, counting instead of sending what it was not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.endpoint.calls import Caller, Told
from tasks.endpoint.client import Endpoint, Outcome
from tasks.endpoint.config import EndpointConfig
from tasks.endpoint.estimate import Estimate
from tasks.endpoint.ledger import OverBudgetError
from tasks.endpoint.requests import Request, request_key


class Rehearsal(Endpoint):
    """Stands where an endpoint stands; needs no key, no network and no openai package.

    A request that was not answered before is counted once and comes back as a failure, so that what depends on its
    answer is not seen: an estimate is of the calls that are known to come.
    """

    def __init__(self, config: EndpointConfig, folder: Path) -> None:
        """Take the endpoint's configuration and its folder."""
        super().__init__(config, folder)
        self._seen: set[str] = set()
        self._so_far = self.estimate([])

    def ask(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return stored answers, and a failure for each request that would have to be sent."""
        fresh = {request_key(request, self.config): request for request in requests}
        self._so_far += self.estimate(request for key, request in fresh.items() if key not in self._seen)
        self._seen.update(fresh)  # the keys alone: requests may hold images
        return super().ask(requests)

    def so_far(self) -> Estimate:
        """Return what the requests so far would take; repairs are not counted."""
        return self._so_far

    def _caller(self) -> Caller:
        return _Silent(self.config, self._cache, self._ledger)


class _Silent(Caller):
    async def complete(self, key: str, request: Request) -> Told:
        raise OverBudgetError("a rehearsal sends nothing")
