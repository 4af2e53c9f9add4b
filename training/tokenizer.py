"""Words to numbers for the small text encoder: a vocabulary of the training texts, no download."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?|[^\w\s]")
PADDING = 0
HASH_BUCKETS = 64
"""Places for words that the training texts lack: equal words share a place, on every machine."""


@dataclass(frozen=True)
class Tokenizer:
    """Splits text into lower-case words, numbers and punctuation marks.

    Attributes:
        words: the vocabulary, most frequent first.
        limit: longest text in tokens.
    """

    words: tuple[str, ...]
    limit: int

    def __post_init__(self) -> None:
        first = 1 + HASH_BUCKETS
        object.__setattr__(self, "_index", {word: first + place for place, word in enumerate(self.words)})

    @classmethod
    def fit(cls, texts: Iterable[str], *, size: int, limit: int) -> Tokenizer:
        """Return a tokenizer with the `size` most frequent words of the texts; ties in alphabetical order."""
        counts = Counter(word for text in texts for word in _TOKEN.findall(text.lower()))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(ranked[:size]), limit)

    @property
    def size(self) -> int:
        """Number of distinct token numbers, padding and hash places included."""
        return 1 + HASH_BUCKETS + len(self.words)

    def encode(self, text: str) -> list[int]:
        """Return the token numbers of a text, cut at the limit; an empty text is one padding token."""
        index: dict[str, int] = getattr(self, "_index")  # noqa: B009  (set in __post_init__ of a frozen class)
        numbers = [index.get(word) or _hashed(word) for word in _TOKEN.findall(text.lower())[: self.limit]]
        return numbers or [PADDING]


def _hashed(word: str) -> int:
    return 1 + zlib.crc32(word.encode()) % HASH_BUCKETS
