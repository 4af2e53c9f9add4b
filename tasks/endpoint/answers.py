"""Answers: what a server said, taken as untrusted text, and what is left where none came."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.records import Rejection
from schemas.rejection import Stage
from tasks.endpoint.requests import Request

FailureReason = Literal["refused", "malformed_answer", "endpoint_failed", "over_budget"]
MAX_TEXT = 200_000  # characters; no answer of use is longer
# Control characters, and those private-use and bidirectional ones that could pass for marks of ours or hide text.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ue000-\uf8ff\ufeff]")
_THOUGHT = re.compile(r"^\s*<think>.*?(?:</think>|\Z)", re.DOTALL)
_FENCED = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    Attributes:
        text: the message, without control characters.
        value: the message as an object of the request's `reply`; None where plain text was asked for.
        ledger_id: the first call of its request; the same however often the request had to be put again.
        model: model that the server says it used.
        finish_reason: why the server stopped, e.g. `stop` or `length`.
        first_tokens: token -> log probability at the first place of the answer; empty where the server gives none.
        cached: it was stored by an earlier call.
    """

    text: str
    value: BaseModel | None
    ledger_id: str
    model: str
    finish_reason: str
    first_tokens: Mapping[str, float]
    cached: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no usable answer; becomes a rejection."""

    item_id: str
    stage: Stage
    reason: FailureReason
    detail: str

    def rejection(self) -> Rejection:
        """Return the failure as a row of `rejections`."""
        return Rejection(self.item_id, self.stage, self.reason, self.detail)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Token(_Lenient):
    token: str
    logprob: float


class _Place(_Lenient):
    top_logprobs: list[_Token] = []


class _Logprobs(_Lenient):
    content: list[_Place] | None = None


class _Message(_Lenient):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Lenient):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(_Lenient):
    prompt_tokens: int
    completion_tokens: int = 0


class _Completion(_Lenient):
    model: str = ""
    choices: list[_Choice]
    usage: _Usage | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The parts of a server's reply that are kept, in the cache among others; nothing in it has been judged."""

    text: str
    refusal: str | None
    finish_reason: str
    model: str
    first_tokens: dict[str, float]
    prompt_tokens: int | None
    completion_tokens: int | None

    def as_json(self) -> dict[str, Any]:
        """Return the reply as plain data."""
        return asdict(self)


def read_reply(body: str) -> Reply:
    """Return the parts of a chat completion.

    Raises:
        ValueError: it is no chat completion, or has no choice.
    """
    completion = _Completion.model_validate_json(body)
    if not completion.choices:
        raise ValueError("a completion without choices")
    choice, usage = completion.choices[0], completion.usage
    places = choice.logprobs.content if choice.logprobs and choice.logprobs.content else []
    return Reply(
        text=clean(choice.message.content or ""),
        refusal=clean(choice.message.refusal)[:200] if choice.message.refusal else None,
        finish_reason=choice.finish_reason or "",
        model=completion.model[:200],
        first_tokens={token.token: token.logprob for token in (places[0].top_logprobs if places else [])},
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
    )


def clean(text: str) -> str:
    """Return an answer's text without control, hidden and private-use characters, cut at `MAX_TEXT` characters."""
    return _UNWANTED.sub("", text[:MAX_TEXT].replace("\r\n", "\n")).strip()


def spoken(text: str) -> str:
    """Return an answer without what a model thought before it, where a server leaves that in."""
    return _THOUGHT.sub("", text).strip()


def judge(request: Request, reply: Reply) -> BaseModel | Failure | None:
    """Return the object that a reply stands for, None for plain text, or why it is of no use."""
    if reply.refusal or reply.finish_reason == "content_filter":
        return Failure(request.item_id, request.stage, "refused", reply.refusal or "stopped by the content filter")
    said = spoken(reply.text)
    if not said:
        return Failure(request.item_id, request.stage, "malformed_answer", "the answer is empty")
    if request.reply is None:
        return None
    fenced = _FENCED.match(said)
    text = fenced.group(1) if fenced else said
    try:
        return request.reply.model_validate_json(text, context=dict(request.context))
    except ValidationError as error:
        return Failure(request.item_id, request.stage, "malformed_answer", _explain(error))


def _explain(error: ValidationError) -> str:
    faults = [
        f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}" for fault in error.errors(include_url=False)
    ]
    return clean("; ".join(faults[:3]))[:300]
