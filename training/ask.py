"""Evaluation of any model that answers prompts with images, with the controls that training's own model has.

CircularEval: a question counts as solved only where it is answered rightly under every rotation of its options, so
that a liking for a letter earns nothing (Liu et al., MMBench, ECCV 2024, 4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from schemas.errors import InputError
from training.asked_items import Item, draw, pairs, questions
from training.intervals import beats_blind, by_group, clustered_mean
from training.release import Release, Split
from training.rewards import LETTERS, chosen_option
from training.tables import pair_table
from training.tile_index import TileIndex

Control = Literal["image", "blind", "shuffled"]
CONTROLS: tuple[Control, ...] = ("image", "blind", "shuffled")
SHOWN = "The images show one field of a tissue section, from low to high magnification."
UNSEEN = "No image is shown: choose what is most probable."
WANTED = "Answer with the letter of the right option and nothing else."


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: its text, and the JPEG tiles of a field from low to high scale."""

    item_id: str
    text: str
    images: tuple[bytes, ...]


Answerer = Callable[[Sequence[Prompt]], Sequence[str | None]]
"""Answers prompts in order; None where no usable answer came."""


class Asking:
    """Words the prompts of a split's items under each control.

    Args:
        release: the release.
        split: its split.
        limit: most questions and most pairs; None for all.
        seed: of what is drawn and of the shuffled images.

    Raises:
        InputError: the split lacks pairs or questions on fields with tiles.
    """

    def __init__(self, release: Release, split: Split, *, limit: int | None, seed: int) -> None:
        self.split, self._index = split, TileIndex(release, split)
        seen = {"pairwise": pairs(release, split), "multiple_choice": questions(release, split)}
        self.items = {
            name: draw([item for item in items if item.field_id in self._index], limit, seed)
            for name, items in seen.items()
        }
        if not all(self.items.values()):
            counts = {name: len(items) for name, items in self.items.items()}
            raise InputError(f"the {split} split holds {counts} on fields with tiles", remedy="evaluate another split")
        self._shuffled = self._other_patients(seed)

    def prompts(self) -> list[Prompt]:
        """Return every prompt: each item under every rotation and control, in a fixed order."""
        return [
            self._prompt(item, turn, control)
            for control in CONTROLS
            for items in self.items.values()
            for item in items
            for turn in range(len(item.options))
        ]

    def report(self, answers: Sequence[str | None]) -> dict[str, Any]:
        """Return what `training.evaluate.evaluate` returns, from the answers to `prompts`, in order."""
        given = iter(answers)
        scored: dict[str, dict[str, list[list[float]]]] = {}
        unusable = dict.fromkeys(CONTROLS, 0)
        for control in CONTROLS:
            scored[control] = {name: [] for name in self.items}
            for name, items in self.items.items():
                for item in items:
                    said = [(next(given), *item.rotated(turn)) for turn in range(len(item.options))]
                    chosen = [None if text is None else chosen_option(text, options) for text, options, _ in said]
                    unusable[control] += chosen.count(None)
                    right = [place == row[2] for place, row in zip(chosen, said, strict=True)]
                    scored[control][name].append([float(np.mean(right)), float(all(right))])
        tables = {control: self._tables(scored[control]) for control in CONTROLS}
        every = [item for items in self.items.values() for item in items]
        return {
            "split": self.split,
            "fields": len({item.field_id for item in every}),
            "patients": len({item.patient_id for item in every}),
            **tables["image"],
            "blind": {**tables["blind"], "shuffled": tables["shuffled"]},
            "beats_blind": {name: self._beats(name, scored) for name in self.items},
            "unusable": unusable,
        }

    def _tables(self, scored: dict[str, list[list[float]]]) -> dict[str, Any]:
        tables: dict[str, Any] = {}
        for name, items in self.items.items():
            mean, every = np.array(scored[name]).T
            patients, groups = [item.patient_id for item in items], [item.group for item in items]
            if name == "pairwise":
                tables[name] = pair_table(mean, groups, patients, [item.mirrored for item in items])
            else:
                by_dimension = by_group(mean, groups, patients)
                tables[name] = {**clustered_mean(mean, patients).report(), "by_dimension": by_dimension}
            tables[name]["chance"] = round(float(np.mean([1 / len(item.options) for item in items])), 4)
            tables[name]["circular"] = clustered_mean(every, patients).report()
        return tables

    def _beats(self, name: str, scored: dict[str, dict[str, list[list[float]]]]) -> dict[str, Any]:
        difference = np.array(scored["image"][name])[:, 0] - np.array(scored["blind"][name])[:, 0]
        items = self.items[name]
        return beats_blind(difference, [item.patient_id for item in items], [item.field_id for item in items])

    def _prompt(self, item: Item, turn: int, control: Control) -> Prompt:
        options = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, item.rotated(turn)[0], strict=False))
        text = f"{UNSEEN if control == 'blind' else SHOWN}\n{item.question}\n{options}\n{WANTED}"
        field_id = self._shuffled[item.field_id] if control == "shuffled" else item.field_id
        images = () if control == "blind" else tuple(self._index.tiles(field_id).values())
        return Prompt(f"{item.item_id}:{control}:{turn}", text, images)

    def _other_patients(self, seed: int) -> dict[str, str]:
        """Return for every field one of another patient, or any other one where there is only one patient."""
        owners = {item.field_id: item.patient_id for items in self.items.values() for item in items}
        draws, fields = np.random.default_rng([seed, 7]), sorted(owners)
        shuffled = {}
        for field_id in fields:
            others = [other for other in fields if owners[other] != owners[field_id]] or fields
            shuffled[field_id] = others[int(draws.integers(len(others)))]
        return shuffled
