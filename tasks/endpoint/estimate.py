"""What requests would cost, before any is sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls, tokens and cost of requests that are not answered yet.

    Attributes:
        requests: different requests, answered ones among them.
        stored: of these, answered already.
        calls: calls to make, retries and repairs not counted.
        prompt_tokens: about; four characters a token, and what the configuration says of an image.
        completion_tokens: at most.
        cost: of both; None where prices are unknown.
    """

    requests: int = 0
    stored: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None

    def __add__(self, other: Estimate) -> Estimate:
        """Return both together, of requests that are all different."""
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Estimate(
            self.requests + other.requests,
            self.stored + other.stored,
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            cost,
        )
