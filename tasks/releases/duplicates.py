"""Images that look alike: perceptual hashes within a few bits, then thumbnails, then fine structure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.releases.candidate import SPLITS
from tasks.releases.config import GateBounds
from tasks.releases.images import Images
from tasks.releases.likeness import ImageReader, detail_likeness, turned

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
    detail: float


def near_duplicates(
    images: Images, split: Sequence[str | None], reader: ImageReader, bounds: GateBounds
) -> list[Alike]:
    """Return the pairs of images in different splits that are near-duplicates, in any of eight orientations.

    Hashes at most so many bits apart agree exactly in one of bits + 1 bands (pigeonhole; Manku, Jain and Das Sarma
    2007, "Detecting near-duplicates for web crawling", section 3), so that only images that share a band are compared.
    Of those that agree, thumbnails and then the fine structure must agree too.

    Args:
        images: what was seen of the images.
        split: split of every image; images without one are not compared.
        reader: gives the images again, by their places.
        bounds: largest distance of the hashes, smallest correlations of thumbnails and of detail.
    """
    labels = np.array([SPLITS.index(name) if name is not None else -1 for name in split], dtype=np.int64)
    usable = np.array([not problem for problem in images.problems], dtype=bool)
    found: dict[tuple[int, int], Alike] = {}
    for at in range(len(SPLITS)):
        base = np.flatnonzero((labels == at) & usable)
        queries = np.flatnonzero((labels > at) & usable)
        for turn in range(images.hashes.shape[1]):
            left, right = images.hashes[base, 0], images.hashes[queries, turn]
            for i, j in sorted(set(_close(left, right, bounds.near_duplicate_bits))):
                first, second = int(base[i]), int(queries[j])
                pair = min(first, second), max(first, second)
                if pair not in found and (likeness := _likeness(images, (first, second, turn), reader, bounds)):
                    found[pair] = Alike(*pair, int(np.bitwise_count(left[i] ^ right[j])), *likeness)
    return [found[key] for key in sorted(found)]


def _likeness(
    images: Images, pair: tuple[int, int, int], reader: ImageReader, bounds: GateBounds
) -> tuple[float, float] | None:
    """Return the correlations of thumbnails and detail, or None where one is below its bound."""
    first, second, turn = pair
    coarse = _correlation(images.thumbnails[first], turned(images.thumbnails[second], turn))
    if coarse < bounds.near_duplicate_correlation:
        return None
    fine = detail_likeness(reader.grey(first), turned(reader.grey(second), turn))
    return None if fine < bounds.near_duplicate_detail else (round(coarse, 4), round(fine, 4))


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


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first.astype(np.float64), second.astype(np.float64)
    if a.std() < FLAT or b.std() < FLAT:
        return -1.0
    return float(((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std()))
