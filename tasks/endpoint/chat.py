"""One chat call through the openai package: what came back, and whether to try again."""

from __future__ import annotations

import email.utils
import functools
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import ConfigError, EndpointError, MissingExtraError
from tasks.endpoint.answers import Reply, read_reply
from tasks.endpoint.config import EndpointConfig
from tasks.endpoint.ledger import Status
from tasks.settings import api_key

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_RETRIED = frozenset({408, 409, 425, 429})  # and every 5xx
_NOBODYS_ITEM = {
    401: "does not accept the key",
    403: "does not permit this",
    404: "knows no such address or model",
    402: "wants to be paid first",
}
_SECRET = re.compile(r"\b(?:sk|key|Bearer)[-_ ][\w-]{6,}")
_DETAIL = 200  # characters of a server's own words


@dataclass(frozen=True, slots=True)
class Came:
    """What one call brought.

    Attributes:
        status: for the ledger.
        http_status: None where no answer came.
        reply: the completion; None where there is none.
        detail: what went wrong.
        again: whether another call may help.
        wait_s: how long the server asks to wait, 0 where it does not say.
        unreachable: nobody listened; that says nothing of the request.
    """

    status: Status
    http_status: int | None
    reply: Reply | None = None
    detail: str = ""
    again: bool = False
    wait_s: float = 0.0
    unreachable: bool = False


def key_of(config: EndpointConfig) -> str:
    """Return the key from the environment, a placeholder where the server wants none.

    Raises:
        ConfigError: the variable is named and not set.
    """
    if config.api_key_env is None:
        return "none"
    key = api_key(config.api_key_env)
    if not key:
        raise ConfigError(
            f"the environment variable {config.api_key_env} is not set", remedy="export the endpoint's key in it"
        )
    return key


def open_client(config: EndpointConfig) -> AsyncOpenAI:
    """Return the client; it never retries by itself, so that every call stands in the ledger.

    Raises:
        ConfigError: the key is missing.
        MissingExtraError: the openai package is not installed.
    """
    try:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        certificates = _certificates()
    except ModuleNotFoundError as error:
        raise MissingExtraError("endpoints need the openai package", remedy="pip install -e '.[llm]'") from error
    client = AsyncOpenAI(
        api_key=key_of(config),
        base_url=config.base_url,
        max_retries=0,
        timeout=config.timeout_s,
        http_client=DefaultAsyncHttpxClient(verify=certificates),
    )
    # The package takes them from OPENAI_ORG_ID and OPENAI_PROJECT_ID; they are no business of another server.
    client.organization = client.project = None
    return client


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return the certificates of the system's or the package's store; reading them takes longer than many calls."""
    from httpx2 import create_ssl_context

    return create_ssl_context()


async def call(client: AsyncOpenAI, body: dict[str, Any], config: EndpointConfig) -> Came:
    """Make one HTTP call.

    Raises:
        EndpointError: the server refuses every call: key, permission, address or quota.
    """
    import openai

    try:
        raw = await client.chat.completions.with_raw_response.create(**body)
        return _completed(raw.http_response.text)
    except openai.APIStatusError as error:
        return _refused(error.status_code, error.response.headers, error.response.text, config)
    except openai.APITimeoutError:
        return Came("lost", None, detail=f"no answer within {config.timeout_s:g} s", again=True)
    except openai.APIConnectionError as error:
        cause = type(error.__cause__).__name__
        return Came("lost", None, detail=f"no connection: {cause}", again=True, unreachable=cause == "ConnectError")


def _completed(text: str) -> Came:
    try:
        return Came("ok", 200, read_reply(text))
    except ValueError:  # pydantic's error among them
        return Came("lost", 200, detail="the server's answer is no chat completion", again=True)


def _refused(status: int, headers: Mapping[str, str], text: str, config: EndpointConfig) -> Came:
    said = f"HTTP {status}: {scrub(text, config)}"
    if status in _NOBODYS_ITEM or "insufficient_quota" in text:
        what = _NOBODYS_ITEM.get(status, "has no quota left")
        raise EndpointError(
            f"the endpoint {what} ({said})", remedy="correct `base_url`, `model` or the key; what is answered is kept"
        )
    again = status in _RETRIED or status >= 500
    return Came("throttled" if status == 429 else "failed", status, None, said, again, retry_after(headers))


def scrub(text: str, config: EndpointConfig) -> str:
    """Return a server's words on one short line, without anything that looks like a key."""
    key = api_key(config.api_key_env) if config.api_key_env else None
    plain = " ".join(text.split())
    return _SECRET.sub("***", plain.replace(key, "***") if key else plain)[:_DETAIL]


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that a server asks to wait: `retry-after-ms`, or `retry-after` as seconds or a date."""
    said = headers.get("retry-after-ms")
    try:
        if said is not None:
            return max(0.0, float(said) / 1000)
        said = headers.get("retry-after", "")
        return max(0.0, float(said)) if said else 0.0
    except ValueError:
        date = email.utils.parsedate_tz(said or "")
        return max(0.0, email.utils.mktime_tz(date) - time.time()) if date else 0.0
