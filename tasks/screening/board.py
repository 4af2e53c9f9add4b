"""All readers side by side: who they are and how they score every option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tasks.screening.config import ScreeningConfig
from tasks.screening.features import Features
from tasks.screening.fitted import CueModel, read_out_of_fold
from tasks.screening.items import Floats, Ints, Panel
from tasks.screening.lexical import lexical_scores, position_scores

CERTIFIER = "certifier"
# The one cue that a fitted reader looks at alone; the others combine cues.
_SINGLE_CUE = {"prior": "prior", "tfidf": "wording"}


class TextReader(Protocol):
    """A reader from outside, e.g. a language model: scores every option without seeing an image."""

    @property
    def name(self) -> str:
        """Name of the reader in tables."""

    @property
    def family(self) -> str:
        """`language_model` or `endpoint`."""

    @property
    def cue(self) -> str:
        """The one cue that it looks at, or empty."""

    def read(self, panel: Panel) -> Floats:
        """Return scores (m,), higher is likelier to be the key; NaN for the options of a question it could not read."""


@dataclass(frozen=True)
class Board:
    """Scores `values` (m, r) and, per reader, its name, family, tier, the one cue it reads (or ""), trained or not.

    `unread` counts the questions that a reader from outside could not read: there it knows nothing of any option.
    `models` are the fitted readers of cues, without the certifier, by the fold that each has not seen.
    """

    names: tuple[str, ...]
    families: tuple[str, ...]
    tiers: tuple[str, ...]
    cues: tuple[str, ...]
    trained: tuple[bool, ...]
    values: Floats
    unread: dict[str, int]
    models: dict[str, dict[int, CueModel]]

    def selecting(self) -> list[int]:
        """Return the columns of readers that may select: all but the certifier."""
        return [column for column, tier in enumerate(self.tiers) if tier != CERTIFIER]


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    family: str
    tier: str
    cue: str
    trained: bool


def can_train(panel: Panel, fold: Ints) -> bool:
    """Return whether there are enough items to train on one part and read another."""
    counts = np.bincount(fold)
    return len(counts) > 1 and len(panel.items) - int(counts.max()) >= 10


def make_board(features: Features, fold: Ints, config: ScreeningConfig, readers: Sequence[TextReader] = ()) -> Board:
    """Return what every reader scores: positions, lexical cues, fitted families, their ensemble, certifier, others."""
    panel = features.panel
    entries: list[_Entry] = []
    columns: list[Floats] = []
    models: dict[str, dict[int, CueModel]] = {}
    for tier, scores in (("position", position_scores(panel)), ("lexical", lexical_scores(panel, features.raw))):
        entries += [
            _Entry(name, "lexical", tier, cue, False) for name, cue in zip(scores.names, scores.cues, strict=True)
        ]
        columns += list(scores.values.T)
    if can_train(panel, fold):
        certifier = [config.certifier] if config.certifier else []
        read = read_out_of_fold(features, fold, [*config.families, *certifier], config)
        models = {family: model for family, model in read.models.items() if family in config.families}
        for family in config.families:
            entries.append(_Entry(family, "fitted", "fitted", _SINGLE_CUE.get(family, ""), True))
            columns.append(read.scores[family])
        if len(config.families) > 1:
            entries.append(_Entry("ensemble", "fitted", "fitted", "", True))
            columns.append(np.sum([panel.log_softmax(read.scores[family]) for family in config.families], axis=0))
        if config.lora is not None:
            from tasks.screening.lora import read_lora

            name, read_scores = read_lora(panel, fold, config.lora, config.seed)
            entries.append(_Entry(name, "fitted", "fitted", "", True))
            columns.append(read_scores)
        for family in certifier:
            entries.append(_Entry(family, CERTIFIER, CERTIFIER, "", True))
            columns.append(read.scores[family])
    for reader in readers:
        named = sum(entry.name.split(" #")[0] == reader.name for entry in entries)
        name = f"{reader.name} #{named + 1}" if named else reader.name  # one model, in a folder and behind an endpoint
        entries.append(_Entry(name, reader.family, reader.family, reader.cue, False))
        columns.append(reader.read(panel))
    values = np.column_stack(columns)
    missing = np.isnan(values)
    unread = panel.top(missing.astype(np.float64)).sum(axis=0)
    return Board(
        names=tuple(entry.name for entry in entries),
        families=tuple(entry.family for entry in entries),
        tiers=tuple(entry.tier for entry in entries),
        cues=tuple(entry.cue for entry in entries),
        trained=tuple(entry.trained for entry in entries),
        values=np.where(missing, 0.0, values),
        unread={entry.name: int(count) for entry, count in zip(entries, unread, strict=True) if count},
        models=models,
    )
