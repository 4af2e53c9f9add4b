"""What a training run keeps in its folder: checkpoint, history, and curves for TensorBoard."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.errors import InputError, MissingExtraError
from training.model import CHECKPOINT, FORMAT, read_checkpoint

HISTORY = "history.jsonl"
CURVES = "tensorboard"


class RunFolder:
    """The folder of one training run.

    Args:
        out: the folder; made where missing.
        identity: digest of what must be equal for a checkpoint to be continued.
    """

    def __init__(self, out: Path, identity: str) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._out, self._identity = out, identity
        self.checkpoint, self.history = out / CHECKPOINT, out / HISTORY

    def save(self, state: dict[str, Any], log: list[dict[str, float]]) -> None:
        """Write history and checkpoint, each whole or not at all: a kill leaves the former ones."""
        import torch

        lines = "".join(json.dumps(row, sort_keys=True) + "\n" for row in log)
        _replace(self.history, lambda path: path.write_text(lines))
        whole = _interned({"format": FORMAT, "identity": self._identity, "log": log, **state})
        _replace(self.checkpoint, lambda path: torch.save(whole, path))

    def load(self) -> dict[str, Any] | None:
        """Return the state of the run so far, None for a new one.

        Raises:
            InputError: the folder holds another run.
            FileFormatError: the checkpoint is torn.
        """
        if not self.checkpoint.is_file():
            return None
        state = read_checkpoint(self.checkpoint)
        if state["identity"] != self._identity:
            raise InputError(
                f"{self._out.name}/ holds the checkpoint of another configuration or release",
                remedy="choose another folder, or delete that one",
            )
        return state

    def curves(self, step: int) -> Any:
        """Return a TensorBoard writer that goes on at a step.

        Raises:
            MissingExtraError: TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise MissingExtraError("curves need TensorBoard", remedy="pip install tensorboard") from error
        return SummaryWriter(str(self._out / CURVES), purge_step=step + 1)


def _interned(value: Any) -> Any:
    """Return a state whose equal strings are one object each: a pickle tells those that were read from others."""
    if type(value) is dict:
        return {_interned(key): _interned(each) for key, each in value.items()}
    if type(value) is list:
        return [_interned(each) for each in value]
    return sys.intern(value) if type(value) is str else value


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    draft = path.with_name(f".{path.name}.draft")
    write(draft)
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    draft.replace(path)
