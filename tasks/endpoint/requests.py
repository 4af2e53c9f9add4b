"""Requests: messages with texts and images, what answer is wanted, and the digest of all that decides it."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from schemas.errors import InputError
from schemas.ids import digest
from schemas.rejection import Stage
from tasks.endpoint.config import EndpointConfig

VERSION = 1  # raise it when the same request is put to a server in another way: stored answers are then not used
_BYTES_PER_TOKEN = 4  # of English prose, for estimates
_MESSAGE_TOKENS = 8  # a chat template's own tokens per message, at most
_KINDS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PN": "image/png"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message; images are JPEG or PNG bytes and are sent as data URLs."""

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One question to an endpoint.

    Attributes:
        item_id: what it is asked for; stands in the ledger, and does not change the answer.
        stage: stage that asks.
        messages: the conversation so far.
        reply: model that a JSON answer must satisfy; None for plain text.
        context: given to the validators of `reply`; what they check must follow from the messages.
        max_tokens: longest answer, in tokens.
        top_logprobs: log probabilities wanted of the first tokens' alternatives, 0 to 20; 0 asks for none.
        sample: number of the sample where one request is put several times; sent as the seed.
        temperature: instead of the endpoint's own.
    """

    item_id: str
    stage: Stage
    messages: tuple[Message, ...]
    reply: type[BaseModel] | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int = 512
    top_logprobs: int = 0
    sample: int = 0
    temperature: float | None = None


def request_key(request: Request, config: EndpointConfig) -> str:
    """Return the digest of everything that decides the answer: model, messages, images, parameters, schema."""
    said = [(m.role, m.text, [hashlib.sha256(image).hexdigest() for image in m.images]) for m in request.messages]
    parameters = [_temperature(request, config), request.max_tokens, request.top_logprobs, request.sample]
    wanted = schema_of_reply(request.reply) if request.reply else None
    return digest(VERSION, config.model, said, parameters, wanted, config.structured)


def body_of(request: Request, config: EndpointConfig) -> dict[str, Any]:
    """Return the parameters of the chat call."""
    body: dict[str, Any] = {
        "model": config.model,
        "messages": [_message(message) for message in request.messages],
        config.max_tokens_key: request.max_tokens,
    }
    temperature = _temperature(request, config)
    if temperature is not None:
        body["temperature"] = temperature
    if request.sample:
        body["seed"] = request.sample
    if request.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    if request.reply is not None and config.structured == "json_schema":
        schema = {"name": request.reply.__name__, "schema": schema_of_reply(request.reply), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.reply is not None and config.structured == "json_object":
        body["response_format"] = {"type": "json_object"}
    return body


@functools.cache
def schema_of_reply(reply: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of an answer, in the form that strict servers take: every property required, no others."""
    schema = reply.model_json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        if part.get("type") == "object":
            part["additionalProperties"] = False
            part["required"] = sorted(part.get("properties", {}))
    return schema


def about_tokens(request: Request, config: EndpointConfig) -> int:
    """Return about how many tokens a prompt has, for estimates."""
    return _prompt_bytes(request) // _BYTES_PER_TOKEN + _around(request, config)


def at_most_tokens(request: Request, config: EndpointConfig) -> int:
    """Return a bound of a prompt's tokens: a token of a byte-level vocabulary is at least one byte."""
    return _prompt_bytes(request) + _around(request, config)


def _prompt_bytes(request: Request) -> int:
    return sum(len(message.text.encode()) for message in request.messages)


def _around(request: Request, config: EndpointConfig) -> int:
    images = sum(len(message.images) for message in request.messages)
    return images * config.tokens_per_image + len(request.messages) * _MESSAGE_TOKENS


def _temperature(request: Request, config: EndpointConfig) -> float | None:
    return config.temperature if request.temperature is None else request.temperature


def _message(message: Message) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.text}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}]
    parts += [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in message.images]
    return {"role": message.role, "content": parts}


def data_url(image: bytes) -> str:
    """Return an image as a data URL.

    Raises:
        InputError: the bytes are neither JPEG nor PNG.
    """
    kind = _KINDS.get(image[:3])
    if kind is None:
        raise InputError("an image for an endpoint is neither JPEG nor PNG", remedy="give JPEG or PNG bytes")
    return f"data:{kind};base64,{base64.b64encode(image).decode()}"
