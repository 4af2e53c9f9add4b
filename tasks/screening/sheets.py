"""Questions of one text: a language model that sees the options in the order of the alphabet reads each text once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.screening.items import Ints, Panel

Text = tuple[str, tuple[str, ...]]
"""A question, and its options in the order of the alphabet."""


@dataclass(frozen=True)
class Sheets:
    """Distinct texts, and where the items find themselves in them: s texts, n items, m options of items.

    `of` (n,) is the text of each item, `key` (n,) the place of its key among the text's options, and `row` (m,) the
    place of each option among the options of all texts, one text after the other.
    """

    texts: tuple[Text, ...]
    of: Ints
    key: Ints
    row: Ints


def sheets_of(panel: Panel) -> Sheets:
    """Return the distinct texts of a panel, by first appearance."""
    numbers: dict[Text, int] = {}
    of, ranks = [], []
    for item in panel.items:
        order = sorted(range(len(item.options)), key=item.options.__getitem__)
        of.append(numbers.setdefault((item.question, tuple(item.options[place] for place in order)), len(numbers)))
        ranks.append(np.argsort(order))
    starts = np.cumsum([0, *(len(options) for _, options in numbers)])
    rank, number = np.concatenate(ranks), np.array(of, dtype=np.int64)
    return Sheets(tuple(numbers), number, rank[panel.key_row], starts[number][panel.of] + rank)
