"""The two similarities of the dual constraint: edit similarity and the cosine of TF-IDF vectors."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable


@functools.lru_cache(maxsize=65_536)
def edit_distance(first: str, second: str) -> int:
    """Return the Levenshtein distance in characters.

    References: Wagner & Fischer, "The String-to-String Correction Problem", J. ACM 21(1), 1974, with the common
    prefix and suffix taken off first (they never add to the distance).
    """
    while first and second and first[0] == second[0]:
        first, second = first[1:], second[1:]
    while first and second and first[-1] == second[-1]:
        first, second = first[:-1], second[:-1]
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(second, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != other))
    return row[-1]


def edit_similarity(text: str, removed: str, inserted: str) -> float:
    """Return 1 - distance / length of the longer text, for a text in which `inserted` takes the place of `removed`.

    The distance of the whole texts equals that of the exchanged parts, because all else is common prefix and suffix.
    """
    longest = max(len(text), len(text) - len(removed) + len(inserted), 1)
    return 1.0 - edit_distance(removed, inserted) / longest


class TfIdf:
    """Cosine of TF-IDF vectors over words and pairs of words; document frequencies come from the captions given.

    Weights: count x (ln((1 + n) / (1 + df)) + 1), as scikit-learn's TfidfVectorizer with smooth_idf; terms that no
    caption holds have df 0.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        documents = sorted(set(texts))
        self._count = len(documents)
        self._df = Counter(term for text in documents for term in set(_terms(text)))
        self._vectors: dict[str, tuple[dict[str, float], float]] = {}

    def cosine(self, first: str, second: str) -> float:
        """Return the cosine similarity, 0 to 1."""
        (a, length_a), (b, length_b) = self._vector(first), self._vector(second)
        if not length_a or not length_b:
            return float(first == second)
        shared = sum(weight * b[term] for term, weight in a.items() if term in b)
        return min(1.0, shared / (length_a * length_b))

    def _vector(self, text: str) -> tuple[dict[str, float], float]:
        if text not in self._vectors:
            weights = {
                term: count * (math.log((1 + self._count) / (1 + self._df[term])) + 1)
                for term, count in Counter(_terms(text)).items()
            }
            self._vectors[text] = weights, math.sqrt(sum(weight * weight for weight in weights.values()))
        return self._vectors[text]


def _terms(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    return words + [f"{one} {two}" for one, two in itertools.pairwise(words)]
