"""Questions of one text: a language model that sees the options in the order of the alphabet reads each text once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tasks.screening.items import Floats, Ints, Panel

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

    def spread(self, values: Mapping[int, Floats]) -> Floats:
        """Return the values (m,) of the items' options, from those (k,) of the options of some texts; 0 elsewhere."""
        flat = [values.get(number, np.zeros(len(options))) for number, (_, options) in enumerate(self.texts)]
        return np.asarray(np.concatenate(flat)[self.row])


def sheets_of(panel: Panel) -> Sheets:
    """Return the distinct texts of a panel, sorted, so that no order of items tells them."""
    orders = [sorted(range(len(item.options)), key=item.options.__getitem__) for item in panel.items]
    own: list[Text] = [
        (item.question, tuple(item.options[place] for place in order))
        for item, order in zip(panel.items, orders, strict=True)
    ]
    texts = tuple(sorted(set(own)))
    numbers = {text: number for number, text in enumerate(texts)}
    of = np.array([numbers[text] for text in own], dtype=np.int64)
    starts = np.cumsum([0, *(len(options) for _, options in texts)])
    rank = np.concatenate([np.argsort(order) for order in orders])
    return Sheets(texts, of, rank[panel.key_row], starts[of][panel.of] + rank)
