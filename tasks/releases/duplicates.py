"""Images that look alike: pairs of perceptual hashes within a few bits, then a closer look at the thumbnails."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.releases.images import Images

HASH_BITS = 64
FLAT = 2.0  # standard deviation in grey levels below which a thumbnail says nothing
PAIRS_AT_ONCE = 1 << 21


@dataclass(frozen=True, slots=True)
class Alike:
    """Two images of different splits that look alike, by their places among all images, the earlier first."""

    first: int
    second: int
    bits: int
    correlation: float


def near_duplicates(images: Images, split: list[str | None], bits: int, correlation: float) -> list[Alike]:
    """Return the pairs of images in different splits that are near-duplicates, in any of eight orientations.

    Hashes at most `bits` apart agree exactly in one of `bits + 1` bands (pigeonhole; Manku, Jain and Das Sarma 2007,
    "Detecting near-duplicates for web crawling", section 3), so that only images that share a band are compared.

    Args:
        images: what was seen of the images.
        split: split of every image; images without one are not compared.
        bits: largest Hamming distance of the hashes, of 64.
        correlation: smallest Pearson correlation of the thumbnails, -1 to 1.
    """
    splits = sorted({name for name in split if name is not None})
    labels = np.array([splits.index(name) if name is not None else -1 for name in split], dtype=np.int64)
    usable = np.array([not problem for problem in images.problems], dtype=bool)
    found: dict[tuple[int, int], Alike] = {}
    for at in range(len(splits)):
        base = np.flatnonzero((labels == at) & usable)
        queries = np.flatnonzero((labels > at) & usable)
        for turn in range(images.hashes.shape[1]):
            left, right = images.hashes[base, 0], images.hashes[queries, turn]
            for i, j in _close(left, right, bits):
                first, second = int(base[i]), int(queries[j])
                likeness = _correlation(images.thumbnails[first], _turned(images.thumbnails[second], turn))
                if likeness >= correlation:
                    distance = int(np.bitwise_count(left[i] ^ right[j]))
                    pair = min(first, second), max(first, second)
                    found.setdefault(pair, Alike(*pair, distance, round(likeness, 4)))
    return [found[key] for key in sorted(found)]


def _close(left: np.ndarray, right: np.ndarray, bits: int) -> Iterator[tuple[int, int]]:
    """Yield the index pairs of hashes at most `bits` apart, each once per band that they share."""
    edges = np.linspace(0, HASH_BITS, bits + 2).astype(int)
    for low, high in itertools.pairwise(edges):
        mask = np.uint64((1 << int(high - low)) - 1)
        keys, wanted = (left >> np.uint64(low)) & mask, (right >> np.uint64(low)) & mask
        order = np.argsort(keys, kind="stable")
        begin, end = (np.searchsorted(keys[order], wanted, side) for side in ("left", "right"))
        for some in _portions(end - begin):
            many = (end - begin)[some]
            j = np.repeat(np.arange(len(right))[some], many)
            within = np.arange(len(j)) - np.repeat(np.cumsum(many) - many, many)
            i = order[np.repeat(begin[some], many) + within]
            near = np.bitwise_count(left[i] ^ right[j]) <= bits
            yield from zip(i[near].tolist(), j[near].tolist(), strict=True)


def _portions(counts: np.ndarray) -> Iterator[slice]:
    """Yield slices of the queries whose pairs fit in memory together."""
    sums, begin = np.cumsum(counts), 0
    while begin < len(counts):
        before = sums[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(sums, before + PAIRS_AT_ONCE, "right")))
        yield slice(begin, end)
        begin = end


def _turned(thumbnail: np.ndarray, turn: int) -> np.ndarray:
    """Return a thumbnail in the orientation that column `turn` of the hashes stands for."""
    picture = thumbnail.T if turn >= 4 else thumbnail
    picture = picture[::-1] if turn & 2 else picture
    return picture[:, ::-1] if turn & 1 else picture


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first.astype(np.float64), second.astype(np.float64)
    if a.std() < FLAT or b.std() < FLAT:
        return -1.0
    return float(((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std()))
