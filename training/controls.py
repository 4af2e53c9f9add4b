"""What an image is replaced by where a model is measured without it: the mean image, or that of another patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from training.items import Scores

if TYPE_CHECKING:
    from training.embed import EmbeddedFields

SHUFFLES = 5
"""Draws that the shuffled control is averaged over."""


@dataclass(frozen=True, slots=True)
class Controls:
    """The vectors that N fields are given under each control.

    Attributes:
        seen: their own, (N, D).
        blind: the mean image of the training split for all, (N, D).
        shuffled: per draw, those of fields of other patients, (N, D) each.
    """

    seen: Scores
    blind: Scores
    shuffled: tuple[Scores, ...]

    @classmethod
    def of(cls, fields: EmbeddedFields, mean_image: Scores, seed: int) -> Controls:
        """Return the controls of embedded fields; `mean_image` is (D,)."""
        blind = np.tile(mean_image, (len(fields.vectors), 1))
        return cls(fields.vectors, blind, tuple(fields.vectors[taken] for taken in others(fields.patients, seed)))

    def scores(self, measure: Callable[[Scores], Scores]) -> dict[str, Scores]:
        """Return what a measure, from vectors to scores, gives under each control; shuffled is the mean of draws."""
        shuffled: Scores = np.mean([measure(vectors) for vectors in self.shuffled], axis=0)
        return {"image": measure(self.seen), "blind": measure(self.blind), "shuffled": shuffled}


def others(patients: Sequence[str], seed: int) -> list[npt.NDArray[np.int64]]:
    """Return `SHUFFLES` draws that give every field a field of another patient, or any where there is one patient."""
    draws, owners = np.random.default_rng([seed, 5]), np.array(patients)
    foreign = {patient: np.flatnonzero(owners != patient) for patient in sorted(set(patients))}
    if any(len(rows) == 0 for rows in foreign.values()):
        foreign = {patient: np.arange(len(owners)) for patient in foreign}
    return [np.array([draws.choice(foreign[patient]) for patient in patients]) for _ in range(SHUFFLES)]
