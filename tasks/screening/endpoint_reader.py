"""A language model behind an OpenAI-compatible endpoint as a reader: the letter it gives in every rotation.

Where the server gives probabilities of the letters, these count; where it does not, each answer is a vote.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from schemas.errors import InputError, StageFailedError
from tasks.endpoint.answers import Answer, Failure
from tasks.endpoint.choices import chosen_letter, letter_logprobs
from tasks.endpoint.client import Endpoint
from tasks.endpoint.estimate import Estimate
from tasks.endpoint.requests import Message, Request
from tasks.screening.config import EndpointMode, EndpointReaderConfig
from tasks.screening.items import LETTERS, Floats, Item, Panel
from tasks.screening.prompts import GUESS, LETTER_ONLY, options_suffix, question_prefix, rotated

FAMILY = "endpoint"
TOP = 20  # most alternatives that the protocol serves
CERTAIN = 0.9  # probability that one answer without probabilities stands for; the rest is spread over all options
MOST_UNREAD = 0.2  # share of questions without any usable answer beyond which the reader says nothing


def _one_letter(answer: Answer, k: int) -> list[float] | None:
    """Return log p of every place, None where the answer names no letter."""
    letters = LETTERS[:k]
    given = letter_logprobs(answer, letters)
    if given is not None:
        return given
    letter = chosen_letter(answer.text, letters)
    if letter is None:
        return None
    return [math.log((1.0 - CERTAIN) / k + CERTAIN * (place == letters.index(letter))) for place in range(k)]


@dataclass(frozen=True)
class EndpointReader:
    """One way of asking an endpoint; a `TextReader`."""

    endpoint: Endpoint
    mode: EndpointMode
    config: EndpointReaderConfig

    @property
    def name(self) -> str:
        """Model and way of asking."""
        return f"{self.config.endpoint.model} {self.mode}"

    @property
    def family(self) -> str:
        """Readers that know the language but were not fitted."""
        return FAMILY

    @property
    def cue(self) -> str:
        """What an answer without the image then rests on."""
        return "world knowledge" if self.mode == "letters" else ""

    def requests(self, item: Item) -> list[Request]:
        """Return the calls that one question needs: every rotation, and every sample of it."""
        prefix = question_prefix(item.question) if self.mode == "letters" else GUESS
        samples = self.config.samples
        return [
            Request(
                item.item_id,
                "screening",
                (Message("system", LETTER_ONLY), Message("user", prefix + options_suffix(rotated(item.options, turn)))),
                max_tokens=self.config.answer_tokens,
                top_logprobs=TOP if self.config.logprobs else 0,
                sample=sample,
                temperature=1.0 if samples > 1 else None,
            )
            for turn in range(len(item.options))
            for sample in range(samples)
        ]

    def read(self, panel: Panel) -> Floats:
        """Return scores (m,); NaN for the options of questions that got no usable answer.

        Raises:
            StageFailedError: too many questions got none.
            EndpointError: the server refuses every call.
        """
        requests = [request for item in panel.items for request in self.requests(item)]
        outcomes = self.endpoint.ask(requests)
        scores = np.full(len(panel.of), np.nan)
        first, failures = 0, []
        for item, start in zip(panel.items, panel.starts.tolist(), strict=True):
            k, many = len(item.options), len(item.options) * self.config.samples
            part = outcomes[first : first + many]
            first += many
            found = [
                [log_p[(option + number // self.config.samples) % k] for option in range(k)]
                for number, outcome in enumerate(part)
                if isinstance(outcome, Answer) and (log_p := _one_letter(outcome, k)) is not None
            ]
            if found:
                scores[start : start + k] = np.mean(found, axis=0)
            else:
                failures += [_why(part)]
        if len(failures) > MOST_UNREAD * len(panel.items):
            raise StageFailedError(
                f"{self.name}: {len(failures)} of {len(panel.items)} questions got no usable answer: {failures[0]}",
                remedy="see to the endpoint, or set `logprobs: false` where it serves none; what is answered is kept",
            )
        return scores


def _why(outcomes: Sequence[Answer | Failure]) -> str:
    first = outcomes[0]
    return f"{first.reason}: {first.detail}" if isinstance(first, Failure) else f"no letter in {first.text[:60]!r}"


def endpoint_readers(config: EndpointReaderConfig, folder: Path | None = None) -> list[EndpointReader]:
    """Return one reader per configured way of asking, all with the same endpoint.

    Args:
        config: the endpoint and how it is asked.
        folder: where answers and ledger are kept, unless the configuration says.

    Raises:
        InputError: neither says where.
    """
    place = config.folder or folder
    if place is None:
        raise InputError(
            "answers of the endpoint need a folder to be kept in", remedy="give --out, or `screening.endpoint.folder`"
        )
    endpoint = Endpoint(config.endpoint, place)
    return [EndpointReader(endpoint, mode, config) for mode in config.modes]


def estimate(readers: Sequence[EndpointReader], items: Sequence[Item]) -> Estimate:
    """Return the calls, tokens and cost of asking all of the readers, which share one endpoint, about all items."""
    return readers[0].endpoint.estimate([r for reader in readers for item in items for r in reader.requests(item)])
