"""A language model fitted out of fold by low-rank adapters (Hu et al. 2022): the strongest fitted reader.

An option's score is log p of its text after the question and all options, less what the model gave it before fitting,
so that a reader begins at chance and knows only what other patients' keys taught it. The options stand in the order of
the alphabet: no place tells anything, and questions of one text are one text to the model.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from schemas.errors import MissingExtraError
from schemas.ids import digest
from tasks.screening.causal_model import CausalModel, load_model
from tasks.screening.config import LoraConfig
from tasks.screening.continuations import continuation_fork, continuation_log_p
from tasks.screening.forked import Fork
from tasks.screening.items import Floats, Ints, Panel
from tasks.screening.lora_fit import Fit, Texts
from tasks.screening.prompts import VERSION, listed_prefix
from tasks.screening.sheets import Sheets, sheets_of
from tasks.screening.stored_scores import StoredScores
from tasks.settings import worker_count

SCHEME = "lora 2"  # part of the key of stored scores: raise it when the same settings give other scores
SMALL = 50_000_000  # weights: 200 MB in float32
_OF_RUNNING = ("device", "batch_tokens", "scores", "model")  # what does not change the scores, or is in the fingerprint

Part = tuple[str, list[int], NDArray[np.bool_]]
"""A fold: the key that its scores are stored under, the items to learn from, which items (n,) are read."""


def _read(loaded: CausalModel, forks: Sequence[Fork], budget: int) -> list[Floats]:
    found: list[Floats] = [np.zeros(0)] * len(forks)
    for batch, log_p in continuation_log_p(loaded, forks, budget):
        for i, row in zip(batch, log_p, strict=True):
            found[i] = row
    return found


def _held_out(fit: Fit, texts: Texts, sheets: Sheets, train: list[int], wanted: Ints) -> dict[int, Floats]:
    """Fit to the items of `train`, and return the scores (k,) of the options of every wanted text."""
    try:
        fit.train(texts, sheets.of[train], sheets.key[train])
        after = _read(fit.loaded, [texts.forks[i] for i in wanted.tolist()], fit.config.batch_tokens)
    finally:
        fit.close()
    return {i: row - texts.reference[i] for i, row in zip(wanted.tolist(), after, strict=True)}


def _texts_of(loaded: CausalModel, sheets: Sheets, budget: int) -> Texts:
    forks = [continuation_fork(loaded, listed_prefix(question, options), options) for question, options in sheets.texts]
    return Texts(forks, _read(loaded, forks, budget))


def _side_by_side(loaded: CausalModel, parts: Sequence[Part], fit: Callable[[Part, CausalModel], None]) -> None:
    """Fit one after the other; of a small model on the CPU every core fits a copy, in one thread each.

    Products of small matrices gain nothing by more threads, and what a fold finds then hangs on no number of cores.
    """
    import torch

    small = loaded.model.device.type == "cpu" and loaded.model.num_parameters() <= SMALL
    if not small:
        for part in parts:
            fit(part, loaded)
        return
    workers, threads = min(worker_count(), len(parts)), torch.get_num_threads()
    models: SimpleQueue[CausalModel] = SimpleQueue()
    for copied in [loaded.model, *(copy.deepcopy(loaded.model) for _ in range(workers - 1))]:
        models.put(replace(loaded, model=copied))

    def work(part: Part) -> None:
        model = models.get()
        try:
            fit(part, model)
        finally:
            models.put(model)

    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(work, parts))
    finally:
        torch.set_num_threads(threads)


def read_lora(panel: Panel, fold: Ints, config: LoraConfig, seed: int) -> tuple[str, Floats]:
    """Return the reader's name and its scores (m,), each item read by adapters that never saw its fold.

    A fold that was read before, of the same questions by the same model, is taken from `config.scores`.

    Raises:
        MissingExtraError: peft is not installed.
        InputError: the folder holds no model.
    """
    try:
        import_module("peft")
    except ImportError as error:
        raise MissingExtraError("the LoRA reader needs peft", remedy="pip install -e '.[llm]'") from error
    loaded = load_model(config)
    stored = StoredScores(config.scores)
    sheets = sheets_of(panel)
    names = [digest(item.question, item.options, item.key) for item in panel.items]
    settings = config.model_dump(mode="json", exclude=set(_OF_RUNNING))
    parts = []
    for number in np.unique(fold).tolist():
        held = fold == number
        train = sorted(np.flatnonzero(~held).tolist(), key=lambda i: names[i])
        read = [[names[i] for i in part] for part in (train, np.flatnonzero(held).tolist())]
        parts.append((digest(VERSION, SCHEME, loaded.fingerprint, settings, seed, read), train, held))
    missing = [part for part in parts if part[0] not in stored.known]
    if missing:
        texts, writing = _texts_of(loaded, sheets, config.batch_tokens), threading.Lock()

        def fit(part: Part, model: CausalModel) -> None:
            key, train, held = part
            found = _held_out(Fit(model, config, seed), texts, sheets, train, np.unique(sheets.of[held]))
            with writing:
                stored.add([(key, sheets.spread(found)[held[panel.of]].tolist())])

        _side_by_side(loaded, missing, fit)
    scores = np.zeros(len(panel.of))
    for key, _, held in parts:
        scores[held[panel.of]] = stored.known[key]
    return f"lora {loaded.name}", scores
