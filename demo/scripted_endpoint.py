"""An OpenAI-compatible server on loopback that answers, throttles, fails, hangs and talks nonsense as it is told.

It stands in for a model where none is at hand: in tests, in benchmarks, and to try `slidesmith generate` out.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

Body = dict[str, Any]
Fault = Literal["throttle", "fail", "garbage", "nonsense", "hang", "drop", "refuse", "unauthorised", "decline"]
"""What goes wrong: 429, 503, a body that is no JSON, an answer that is no JSON, silence, a closed connection, a refusal
by the model, 401, 400."""
_STATUS: dict[Fault, int] = {"throttle": 429, "fail": 503, "unauthorised": 401, "decline": 400}


@dataclass(frozen=True, slots=True)
class Said:
    """What the model says: a text, or the log probabilities of its first token."""

    text: str
    first_tokens: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that arrived."""

    digest: str  # of the body
    body: Body
    headers: Mapping[str, str]  # names in lower case
    fault: Fault | None

    @property
    def authorization(self) -> str:
        """The header that carries the key."""
        return self.headers.get("authorization", "")


class ScriptedEndpoint:
    """A server; use it as a context manager.

    Args:
        model: from the call's body to what is said.
        fault: from the body's digest and how often it has come before to what goes wrong, None for nothing.
        retry_after_s: what a throttled caller is told to wait.
        latency_s: time that an answer takes.
        hang_s: how long `hang` is silent.
        port: 0 for any that is free.
    """

    def __init__(
        self,
        model: Callable[[Body], Said],
        fault: Callable[[str, int], Fault | None] | None = None,
        *,
        retry_after_s: float = 0.01,
        latency_s: float = 0.0,
        hang_s: float = 5.0,
        port: int = 0,
    ) -> None:
        self.model = model
        self.fault = fault or (lambda _digest, _before: None)
        self.retry_after_s = retry_after_s
        self.latency_s = latency_s
        self.hang_s = hang_s
        self.calls: list[Call] = []
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler(self))

    @property
    def url(self) -> str:
        """Base address, with `/v1`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def answered(self) -> Counter[str]:
        """Return how often each body was answered without a fault."""
        return Counter(call.digest for call in self.calls if call.fault is None)

    def arrive(self, body: Body, headers: Mapping[str, str]) -> Fault | None:
        """Note a call and return what is to go wrong with it."""
        digest = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        with self._lock:
            fault = self.fault(digest, self._seen[digest])
            self._seen[digest] += 1
            self.calls.append(Call(digest, body, headers, fault))
        return fault

    def wait(self) -> None:
        """Serve until the server ends."""
        self._ended.wait()

    def be_silent(self) -> None:
        """Wait for `hang_s`, or until the server ends."""
        self._ended.wait(self.hang_s)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a caller that was killed is meant
            super().handle_error(request, client_address)


def last_words(body: Body) -> str:
    """Return the text of a call's last message."""
    content = body["messages"][-1]["content"]
    return str(content if isinstance(content, str) else content[0]["text"])


def echo(body: Body) -> Said:
    """Be a model that says what it was asked, as JSON `{"sentence": ...}` where JSON is wanted."""
    text = last_words(body)
    return Said(json.dumps({"sentence": text}) if "response_format" in body else text)


def _handler(server: ScriptedEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            said = self.rfile.read(length)
            if len(said) < length:  # the caller was killed while it spoke
                self.close_connection = True
                return
            body = json.loads(said)
            fault = server.arrive(body, {name.lower(): value for name, value in self.headers.items()})
            time.sleep(server.latency_s)
            if fault == "hang":
                server.be_silent()
            if fault in {"hang", "drop"}:
                self.close_connection = True
            elif fault in _STATUS:
                wait = {"retry-after": str(server.retry_after_s)} if fault == "throttle" else {}
                self._send(_STATUS[fault], json.dumps({"error": {"message": f"scripted: {fault}"}}), wait)
            elif fault == "garbage":
                self._send(200, "<html>upstream error</html>", {})
            else:
                self._send(200, json.dumps(completion(body, _told(server, body, fault), fault == "refuse")), {})

        def _send(self, status: int, text: str, headers: Mapping[str, str]) -> None:
            content = text.encode()
            self.send_response(status)
            for name, value in {
                **headers,
                "content-type": "application/json",
                "content-length": str(len(content)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: Any) -> None:
            """Keep quiet."""

    return Handler


def _told(server: ScriptedEndpoint, body: Body, fault: Fault | None) -> Said:
    return Said("as a language model, I { cannot") if fault == "nonsense" else server.model(body)


def completion(body: Body, said: Said, refused: bool = False) -> dict[str, Any]:
    """Return a chat completion as servers write it; tokens are counted as words."""
    prompt = json.dumps(body["messages"])
    tops = [{"token": token, "logprob": log_p, "bytes": None} for token, log_p in said.first_tokens.items()]
    first = {"token": said.text[:1], "logprob": 0.0, "bytes": None, "top_logprobs": tops}
    message = {
        "role": "assistant",
        "content": None if refused else said.text,
        "refusal": "I cannot help" if refused else None,
    }
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    choice["logprobs"] = {"content": [first]} if tops and body.get("logprobs") else None
    usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(said.text.split())}
    usage["total_tokens"] = sum(usage.values())
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [choice],
        "usage": usage,
    }
