"""How far two texts state the same concepts with the same status: the reward of reasoning's findings.

References:
    Dice, Ecology 26, 1945: 2 |A and B| / (|A| + |B|).
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from kg.link import Lexicon, Link, Linker
from training.release import Release


def dice(first: frozenset[tuple[str, str]], second: frozenset[tuple[str, str]]) -> float:
    """Return the Dice coefficient of two sets; 1 where both are empty."""
    if not first and not second:
        return 1.0
    return 2 * len(first & second) / (len(first) + len(second))


class EntityReward:
    """How far a text states the same concepts with the same status as its reference.

    Args:
        linker: the project's linker over the lexicon that travels in the release.
    """

    def __init__(self, linker: Linker) -> None:
        self._linker = linker

    @classmethod
    def of_release(cls, release: Release) -> EntityReward:
        """Return the reward with the release's own lexicon.

        Raises:
            InputError: the release carries none.
        """
        import pyarrow.parquet as pq

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "lexicon.parquet"
            pq.write_table(release.lexicon(), path)
            return cls(Linker(Lexicon.load(path)))

    def pairs(self, text: str) -> frozenset[tuple[str, str]]:
        """Return the (concept, status) pairs that a text states."""
        return frozenset((link.concept_id, link.status) for link in self._linker.link(text))

    def links(self, text: str) -> list[Link]:
        """Return every concept that a text mentions: its place, concept and status."""
        return self._linker.link(text)

    def __call__(self, completion: str, reference: str) -> float:
        """Return the Dice coefficient over (concept, status) pairs, 0 to 1; two texts without concepts give 1."""
        return dice(self.pairs(without_tags(completion)), self.pairs(without_tags(reference)))


def without_tags(text: str) -> str:
    """Return a trajectory as plain sentences: each tag and each line ends one."""
    parts = (part.strip() for part in re.split(r"</?\w+>|\n", text))
    return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts if part)
