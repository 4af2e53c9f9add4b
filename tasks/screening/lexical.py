"""Lexical cues of options, and the readers that need no training: each cue in both directions, and each position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.screening.items import Floats, Ints, Panel, normalised
from tasks.screening.words import LISTS, Lexicon

# cue -> the name under which a leak through it is reported
CUES: dict[str, str] = {
    "centrality": "centrality",
    "consensus": "centrality",
    "unique_words": "centrality",
    "characters": "length",
    "words": "length",
    "word_length": "length",
    "question_overlap": "question overlap",
    "negation": "polarity",
    "hedging": "certainty",
    "absolutes": "certainty",
    "amounts": "amount",
    "digits": "surface",
    "capitals": "surface",
    "punctuation": "surface",
    "frequent_option": "prior",
    "rare_words": "rarity",
}
CUE_NAMES = tuple(CUES)
# Sums depend on the order of options in their last bits, and trees find even that: cues are rounded before they are
# read, so that equal texts have equal cues in whatever order they stand.
# What is derived from them keeps more decimals, for means of rounded numbers can fall just between two.
DECIMALS = 6
DERIVED_DECIMALS = 9


@dataclass(frozen=True)
class Scores:
    """What a set of readers thinks of every option: `values` (m, r), higher is likelier to be the key."""

    names: tuple[str, ...]
    cues: tuple[str, ...]
    values: Floats


def _safe_ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    return np.asarray(np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0))


def _agreement(panel: Panel, lexicon: Lexicon) -> tuple[Floats, Floats, Floats]:
    """Return mean cosine to the other options, mean share of words the others hold, words no other option holds.

    Cosines are between sets of words; computed over (question, word) groups, so time is linear in words.
    """
    row, word = lexicon.option_row, lexicon.option_word
    m = len(panel.of)
    others = (panel.sizes - 1.0)[panel.of]
    distinct = np.bincount(row, minlength=m).astype(np.float64)
    pair = panel.of[row] * max(len(lexicon.vocabulary), 1) + word
    _, inverse, holders = np.unique(pair, return_inverse=True, return_counts=True)
    weight = _safe_ratio(np.ones(len(row)), np.sqrt(distinct[row]))
    summed = np.bincount(inverse, weights=weight, minlength=len(holders))
    cosine = np.bincount(row, weights=weight * (summed[inverse] - weight), minlength=m) / others
    shared = np.bincount(row, weights=holders[inverse] - 1.0, minlength=m) / others
    unique = np.bincount(row, weights=(holders[inverse] == 1).astype(np.float64), minlength=m)
    return np.asarray(cosine), _safe_ratio(shared, distinct), unique.astype(np.float64)


def _question_overlap(panel: Panel, lexicon: Lexicon) -> Floats:
    width = max(len(lexicon.vocabulary), 1)
    in_question = np.unique(lexicon.question_row * width + lexicon.question_word)
    here = np.isin(panel.of[lexicon.option_row] * width + lexicon.option_word, in_question)
    m = len(panel.of)
    found = np.bincount(lexicon.option_row, weights=here.astype(np.float64), minlength=m)
    return _safe_ratio(found, np.sqrt(np.bincount(lexicon.option_row, minlength=m).astype(np.float64)))


def _rarity(panel: Panel, lexicon: Lexicon) -> Floats:
    width = max(len(lexicon.vocabulary), 1)
    pairs = np.unique(panel.of[lexicon.option_row] * width + lexicon.option_word)
    questions = np.bincount(pairs % width, minlength=width)
    rarity = np.log((1.0 + len(panel.items)) / (1.0 + questions))[lexicon.option_word]
    m = len(panel.of)
    summed = np.bincount(lexicon.option_row, weights=rarity, minlength=m)
    return _safe_ratio(summed, np.bincount(lexicon.option_row, minlength=m).astype(np.float64))


def _letters(text: str) -> tuple[int, int, int, int]:
    digits = sum(letter.isdigit() for letter in text)
    capitals = sum(letter.isupper() for letter in text)
    marks = sum(not (letter.isalnum() or letter.isspace()) for letter in text)
    return len(text), digits, capitals, marks


def option_numbers(panel: Panel) -> Ints:
    """Return a number (m,) for every option that is equal for equal normalised texts, by first appearance."""
    seen: dict[str, int] = {}
    raw: dict[str, int] = {}
    numbers = []
    for item in panel.items:
        for text in item.options:
            if text not in raw:
                raw[text] = seen.setdefault(normalised(text), len(seen))
            numbers.append(raw[text])
    return np.array(numbers, dtype=np.int64)


def cue_matrix(panel: Panel, lexicon: Lexicon) -> Floats:
    """Return the raw cues (m, len(CUES)) of every option; none of them knows a key or a position."""
    m = len(panel.of)
    measured: dict[str, tuple[int, int, int, int]] = {}
    texts = [text for item in panel.items for text in item.options]
    for text in texts:
        if text not in measured:
            measured[text] = _letters(text)
    letters = np.array([measured[text] for text in texts], dtype=np.float64)
    characters = letters[:, 0]
    n_words = lexicon.n_words.astype(np.float64)
    cosine, shared, unique = _agreement(panel, lexicon)
    lists = {
        name: np.bincount(lexicon.option_row, weights=member[lexicon.option_word] * lexicon.option_count, minlength=m)
        for name, member in zip(LISTS, lexicon.in_list, strict=True)
    }
    numbers = option_numbers(panel)
    columns = {
        "centrality": cosine,
        "consensus": shared,
        "unique_words": unique,
        "characters": np.log1p(characters),
        "words": np.log1p(n_words),
        "word_length": _safe_ratio(characters, n_words),
        "question_overlap": _question_overlap(panel, lexicon),
        **lists,
        "digits": letters[:, 1],
        "capitals": letters[:, 2],
        "punctuation": letters[:, 3],
        "frequent_option": np.log1p(np.bincount(numbers)[numbers].astype(np.float64)),
        "rare_words": _rarity(panel, lexicon),
    }
    return np.round(np.column_stack([columns[name] for name in CUE_NAMES]), DECIMALS)


def _rounded(values: Floats) -> Floats:
    return np.around(values, DERIVED_DECIMALS, out=np.empty_like(values))


def centred(panel: Panel, raw: Floats) -> Floats:
    """Return values minus their mean over the question's options."""
    return _rounded(raw - (panel.total(raw) / panel.sizes[:, None])[panel.of])


def standardised(panel: Panel, raw: Floats) -> Floats:
    """Return z-values over the question's options; zero where all options agree."""
    offset = centred(panel, raw)
    deviation = np.sqrt(panel.total(offset**2) / panel.sizes[:, None])[panel.of]
    return _rounded(np.divide(offset, deviation, out=np.zeros_like(offset), where=deviation > 1e-6))


def ranked(panel: Panel, raw: Floats) -> Floats:
    """Return ranks over the question's options, 0 lowest to 1 highest, ties in the middle."""
    ranks = np.empty_like(raw)
    for size, _, rows in panel.by_size():
        values = raw[rows]
        below = np.zeros_like(values)
        for other in range(size):
            rival = values[:, other : other + 1]
            below += (values > rival) + 0.5 * (values == rival)
        ranks[rows.ravel()] = ((below - 0.5) / (size - 1)).reshape(-1, raw.shape[1])
    return ranks


def lexical_scores(panel: Panel, raw: Floats) -> Scores:
    """Return the untrained readers: the option with the most, and with the least, of every cue."""
    z = standardised(panel, raw)
    names = tuple(f"most {cue}" for cue in CUE_NAMES) + tuple(f"least {cue}" for cue in CUE_NAMES)
    return Scores(names, tuple(CUES.values()) * 2, np.hstack([z, -z]))


def position_scores(panel: Panel) -> Scores:
    """Return the readers that always choose one place: first, second, ..., and last where lengths differ."""
    place = np.arange(len(panel.of)) - panel.starts[panel.of]
    most = int(panel.sizes.max())
    columns = [(place == index).astype(np.float64) for index in range(most)]
    names = [f"option {index + 1}" for index in range(most)]
    if most != int(panel.sizes.min()):
        columns.append((place == (panel.sizes - 1)[panel.of]).astype(np.float64))
        names.append("last option")
    return Scores(tuple(names), ("position",) * len(names), np.column_stack(columns))
