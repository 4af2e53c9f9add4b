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
