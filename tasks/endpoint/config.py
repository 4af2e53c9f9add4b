"""How an endpoint is reached, how fast it may be asked, and what may be spent."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from tasks.settings import StageConfig

_OF_NO_ANSWER = {
    "base_url", "api_key_env", "concurrency", "requests_per_minute", "tokens_per_minute", "backoff_s",
}  # fmt: skip


class Prices(StageConfig):
    """What a million tokens cost, in the currency of the budget."""

    input: float = Field(ge=0, description="a million tokens of prompts and images")
    output: float = Field(ge=0, description="a million tokens of answers")


class Budget(StageConfig):
    """What may be spent, counted over the life of the ledger; a call that could pass it is not sent."""

    calls: int | None = Field(default=None, ge=0, description="HTTP calls, retries among them")
    tokens: int | None = Field(default=None, ge=0, description="tokens of prompts and answers")
    cost: float | None = Field(default=None, ge=0, description="money, in the currency of the prices")


class EndpointConfig(StageConfig):
    """An OpenAI-compatible endpoint: vLLM, a vendor in the cloud, a server on this machine."""

    base_url: str = Field(description="address up to and with `/v1`, without credentials")
    model: str = Field(min_length=1, description="name of the model, as the server calls it")
    api_key_env: str | None = Field(
        default=None,
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="environment variable that holds the key, not the key; null: the server wants none",
    )
    temperature: float | None = Field(
        default=0.0, ge=0, le=2, description="null: not sent, for models that do not take it"
    )
    structured: Literal["json_schema", "json_object", "prompt"] = Field(
        default="json_schema",
        description="how an answer in JSON is asked for: by schema, as any JSON, or in the prompt alone",
    )
    max_tokens_key: Literal["max_completion_tokens", "max_tokens"] = Field(
        default="max_completion_tokens", description="what the server calls the bound of an answer's length"
    )
    concurrency: int = Field(default=8, ge=1, le=1024, description="calls at once")
    requests_per_minute: int | None = Field(default=None, ge=1, description="null: no bound")
    tokens_per_minute: int | None = Field(default=None, ge=1, description="null: no bound")
    timeout_s: float = Field(default=120, gt=0, description="seconds until a call is given up")
    attempts: int = Field(default=6, ge=1, le=20, description="calls per request until it counts as failed")
    backoff_s: float = Field(
        default=0.5, gt=0, description="first wait before a retry, doubled each time; half of a wait is up to chance"
    )
    max_wait_s: float = Field(
        default=120, gt=0, description="longest wait before a retry; a server that asks for more has failed"
    )
    repairs: int = Field(default=1, ge=0, le=3, description="times that a malformed answer is asked for again")
    tokens_per_image: int = Field(default=1024, ge=0, description="tokens reserved for one image")
    prices: Prices | None = Field(default=None, description="null: unknown, and costs are null")
    budget: Budget = Budget()

    def portable(self) -> dict[str, Any]:
        """Return what decides answers and failures, for keys and lineage: no address, no variable's name, no speed."""
        return self.model_dump(mode="json", exclude=_OF_NO_ANSWER)

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("give an address that begins with http:// or https://")
        if parts.username or parts.password or parts.query:
            raise ValueError("an address holds no credentials: name their variable in `api_key_env`")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _cost_is_known(self) -> EndpointConfig:
        if self.budget.cost is not None and self.prices is None:
            raise ValueError("a budget of money needs `prices`")
        return self
